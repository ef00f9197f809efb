//! What a vendor is told and what it can do, as written in a configuration file.

use std::net::IpAddr;
use std::time::Duration;

use pipeline_core::error::{Error, Result};
use pipeline_core::model::{Capability, Limits, Money};
use pipeline_core::provider::{ImageCapabilities, Price, ProviderInfo, Repeat};
use pipeline_core::settings::SecretRef;
use reqwest::Url;
use serde::{Deserialize, Serialize};

/// How an order is answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// With a task that is asked for later.
    #[default]
    Task,
    /// With the pictures.
    Direct,
}

/// One vendor. Every key but `url` may be left out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HttpConfig {
    /// Where the vendor is; the paths of the protocol are appended.
    pub url: String,
    /// Where the key is kept; absent when the vendor wants none.
    #[serde(default)]
    pub key: Option<SecretRef>,
    /// The model to ask for.
    #[serde(default)]
    pub model: Option<String>,
    /// How an order is answered; with a task unless said otherwise.
    #[serde(default)]
    pub mode: Mode,
    /// Whether a repeated idempotency key is not charged again.
    #[serde(default)]
    pub idempotent: bool,
    /// Dollars a picture; absent when it is not known.
    #[serde(default)]
    pub price: Option<f64>,
    /// Dollars one order costs at most, where the price is not known: what a budget reserves for it, and what it counts as
    /// when the vendor does not say what it cost.
    #[serde(default)]
    pub max_cost: Option<f64>,
    /// Most pictures one order may ask for, from 1 to 100; 1 unless said otherwise.
    #[serde(default = "one")]
    pub max_per_call: u32,
    /// Smallest side in pixels; 64 unless said otherwise.
    #[serde(default = "min_side")]
    pub min_side: u32,
    /// Largest side in pixels; 4096 unless said otherwise.
    #[serde(default = "max_side")]
    pub max_side: u32,
    /// Each side must be a multiple of this; 1 unless said otherwise.
    #[serde(default = "one")]
    pub step: u32,
    /// Styles that may be asked for by name.
    #[serde(default)]
    pub styles: Vec<String>,
    /// Whether the vendor honours a negative prompt.
    #[serde(default)]
    pub negative_prompt: bool,
    /// Whether the same seed gives the same picture.
    #[serde(default)]
    pub seeded: bool,
    /// Seconds between two looks at a task, from 0.01 to 3600; 2 unless said otherwise.
    #[serde(default = "poll")]
    pub poll_seconds: f64,
    /// Seconds one call waits for a task; 600 unless said otherwise. The next try goes on with the same task.
    #[serde(default = "patience")]
    pub patience_seconds: f64,
    /// Seconds one request may take; 120 unless said otherwise.
    #[serde(default = "answer")]
    pub answer_seconds: f64,
    /// Seconds making a connection may take; 10 unless said otherwise.
    #[serde(default = "connect")]
    pub connect_seconds: f64,
    /// Most millions of bytes an answer may have, from 1 to 1024; 64 unless said otherwise.
    #[serde(default = "answer_size")]
    pub max_answer_mb: u32,
    /// Sends the key without TLS to another machine, too.
    #[serde(default)]
    pub plain_http: bool,
    /// How hard the vendor may be pressed.
    #[serde(default)]
    pub limits: Limits,
}

const fn one() -> u32 {
    1
}
const fn min_side() -> u32 {
    64
}
const fn max_side() -> u32 {
    4096
}
const fn poll() -> f64 {
    2.0
}
const fn patience() -> f64 {
    600.0
}
const fn answer() -> f64 {
    120.0
}
const fn connect() -> f64 {
    10.0
}
const fn answer_size() -> u32 {
    64
}

impl HttpConfig {
    /// Makes the configuration of a vendor of tasks, everything else as if left out.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            key: None,
            model: None,
            mode: Mode::Task,
            idempotent: false,
            price: None,
            max_cost: None,
            max_per_call: one(),
            min_side: min_side(),
            max_side: max_side(),
            step: one(),
            styles: Vec::new(),
            negative_prompt: false,
            seeded: false,
            poll_seconds: poll(),
            patience_seconds: patience(),
            answer_seconds: answer(),
            connect_seconds: connect(),
            max_answer_mb: answer_size(),
            plain_http: false,
            limits: Limits::default(),
        }
    }

    /// Checks every value.
    ///
    /// # Errors
    /// `Invalid`, naming every key that is wrong and what is accepted.
    pub fn check(&self) -> Result<()> {
        let mut wrong = Vec::new();
        let mut expect = |good: bool, key: &'static str, accepted: &str| {
            if !good {
                wrong.push((key, accepted.to_owned()));
            }
        };
        match Url::parse(&self.url) {
            Ok(url) => {
                let plain = matches!(url.scheme(), "http" | "https") && url.host_str().is_some();
                let bare = url.username().is_empty() && url.password().is_none();
                let ends = url.query().is_none() && url.fragment().is_none();
                expect(plain && bare && ends, "url", "an http or https address without user, query and fragment");
                let safe = url.scheme() == "https" || is_this_machine(&url) || self.plain_http || self.key.is_none();
                expect(safe, "url", "https, because there is a key; or plain_http = true");
            }
            Err(_) => expect(false, "url", "an http or https address"),
        }
        let price = self.price.is_none_or(|price| (0.0..=1_000_000.0).contains(&price));
        expect(price, "price", "dollars from 0 to 1000000");
        let max_cost = self.max_cost.is_none_or(|most| (0.000_001..=1_000_000.0).contains(&most));
        expect(max_cost, "max_cost", "dollars from 0.000001 to 1000000");
        expect((1..=100).contains(&self.max_per_call), "max_per_call", "1 to 100");
        expect((1..=65_536).contains(&self.step), "step", "1 to 65536");
        expect(self.min_side >= 1, "min_side", "1 or more");
        expect((self.min_side..=65_536).contains(&self.max_side), "max_side", "min_side to 65536");
        expect((0.01..=3600.0).contains(&self.poll_seconds), "poll_seconds", "0.01 to 3600");
        expect((0.01..=86_400.0).contains(&self.patience_seconds), "patience_seconds", "0.01 to 86400");
        expect((0.01..=3600.0).contains(&self.answer_seconds), "answer_seconds", "0.01 to 3600");
        expect((0.01..=600.0).contains(&self.connect_seconds), "connect_seconds", "0.01 to 600");
        expect((1..=1024).contains(&self.max_answer_mb), "max_answer_mb", "1 to 1024");
        let limited = [self.limits.concurrency, self.limits.per_minute].iter().all(|limit| *limit != Some(0));
        expect(limited, "limits", "1 or more");
        if wrong.is_empty() {
            return Ok(());
        }
        let error = Error::invalid("the provider's configuration is wrong");
        Err(wrong.into_iter().fold(error, |error, (key, accepted)| error.with(key, format!("expected {accepted}"))))
    }

    /// Returns what may be done about an unknown outcome.
    pub fn repeat(&self) -> Repeat {
        match (self.mode, self.idempotent) {
            (Mode::Task, true) => Repeat::IdempotentResumable,
            (Mode::Task, false) => Repeat::Resumable,
            (Mode::Direct, true) => Repeat::Idempotent,
            (Mode::Direct, false) => Repeat::Unsafe,
        }
    }

    pub(super) fn info(&self, name: &str) -> ProviderInfo {
        let price = self.price.map(|price| Money::from_micros((price * 1e6).round() as i64));
        ProviderInfo {
            name: name.to_owned(),
            model: self.model.clone(),
            capability: Capability::GenerateImage,
            summary: "Buys pictures from a vendor over HTTP.".to_owned(),
            local: false,
            repeat: self.repeat(),
            price: price.map(|per_unit| Price { per_call: Money::ZERO, per_unit }),
            max_cost: self.max_cost.map(|most| Money::from_micros((most * 1e6).round() as i64)),
            limits: self.limits,
        }
    }

    pub(super) fn capabilities(&self) -> ImageCapabilities {
        ImageCapabilities {
            min_side: self.min_side,
            max_side: self.max_side,
            step: self.step,
            max_per_call: self.max_per_call,
            seeded: self.seeded,
            negative_prompt: self.negative_prompt,
            styles: self.styles.clone(),
        }
    }

    pub(super) fn poll(&self) -> Duration {
        Duration::from_secs_f64(self.poll_seconds)
    }

    pub(super) fn patience(&self) -> Duration {
        Duration::from_secs_f64(self.patience_seconds)
    }

    pub(super) fn answer(&self) -> Duration {
        Duration::from_secs_f64(self.answer_seconds)
    }

    pub(super) fn connect(&self) -> Duration {
        Duration::from_secs_f64(self.connect_seconds)
    }

    pub(super) fn max_answer(&self) -> usize {
        self.max_answer_mb as usize * 1_000_000
    }
}

fn is_this_machine(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_wrong_value_is_named_at_once_and_none_is_repeated() {
        HttpConfig::new("https://studio.example/api").check().unwrap();
        let wrong = HttpConfig {
            price: Some(f64::NAN),
            poll_seconds: 0.0,
            max_side: 1,
            limits: Limits { concurrency: Some(0), per_minute: None },
            ..HttpConfig::new("https://me:hunter2@studio.example")
        };
        let message = wrong.check().unwrap_err().to_string();
        for key in ["url=", "price=", "poll_seconds=", "max_side=", "limits="] {
            assert!(message.contains(key), "{message}");
        }
        assert!(!message.contains("hunter2"), "{message}");
    }

    #[test]
    fn a_key_goes_over_tls_or_to_this_machine() {
        let keyed = |url: &str| HttpConfig { key: Some("env:KEY".parse().unwrap()), ..HttpConfig::new(url) };
        for url in ["https://studio.example", "http://127.0.0.1:4000", "http://localhost", "http://[::1]:9"] {
            keyed(url).check().unwrap();
        }
        let plain = keyed("http://studio.example");
        plain.check().unwrap_err();
        HttpConfig { plain_http: true, ..plain }.check().unwrap();
        HttpConfig::new("http://studio.example").check().unwrap();
        for url in ["ftp://studio.example", "studio.example", "https://studio.example?key=1", ""] {
            HttpConfig::new(url).check().unwrap_err();
        }
    }
}
