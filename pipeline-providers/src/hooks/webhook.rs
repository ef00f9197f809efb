//! Receivers by HTTP: Standard Webhooks, and only to addresses that may be spoken to.

use std::net::{IpAddr, SocketAddr};
use std::sync::OnceLock;
use std::time::Duration;

use pipeline_core::error::{Error, ErrorKind, Result};
use pipeline_core::provider::{HookAnswer, HookMessage};
use pipeline_core::settings::SecretRef;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::{CONTENT_TYPE, RETRY_AFTER};
use reqwest::{Client, Url};

use crate::tls;

use super::address::is_public;
use super::signature::signatures;

/// How long a name may take when a hook is added.
const LOOKUP: Duration = Duration::from_secs(10);

/// Sends messages to receivers. Its clients are made when they are needed.
#[derive(Debug, Default)]
pub(super) struct Webhooks {
    /// For receivers on the public network or anywhere, each without and with TLS.
    clients: [OnceLock<Client>; 4],
}

impl Webhooks {
    /// Tells whether messages may be sent to an address: what it is, and where it leads.
    pub(super) async fn check(&self, url: &str, secrets: &[SecretRef], allow_private: bool) -> Result<()> {
        let url = address(url)?;
        if secrets.is_empty() {
            return Err(Error::invalid("a webhook needs a secret").with("accepted", "env:NAME or file:PATH"));
        }
        if allow_private {
            return Ok(());
        }
        if let Some(host) = literal(&url) {
            return if is_public(host) { Ok(()) } else { Err(private(&url)) };
        }
        let host = url.host_str().unwrap_or_default().to_owned();
        let late = |_| Error::new(ErrorKind::Timeout, "the name of the webhook's host was not found in time");
        tokio::time::timeout(LOOKUP, public_addresses(&host)).await.map_err(late)?.map(drop)
    }

    /// Makes one try.
    pub(super) async fn send(
        &self,
        url: &str,
        secrets: &[SecretRef],
        allow_private: bool,
        message: &HookMessage,
    ) -> Result<HookAnswer> {
        let url = address(url)?;
        // A name is looked up, and judged, by the client as it connects.
        if !allow_private && literal(&url).is_some_and(|host| !is_public(host)) {
            return Err(private(&url));
        }
        let (id, seconds) = (message.id.to_string(), message.at.as_micros().div_euclid(1_000_000));
        let signature = signatures(secrets, &id, seconds, &message.body)?;
        let client = self.client(!allow_private, url.scheme() == "https")?;
        let request = client
            .post(url)
            .timeout(message.timeout)
            .header(CONTENT_TYPE, "application/json")
            .header("webhook-id", id)
            .header("webhook-timestamp", seconds)
            .header("webhook-signature", signature)
            .body(message.body.clone());
        // What it says beside the status is not read.
        let response = request.send().await.map_err(broken)?;
        let status = i32::from(response.status().as_u16());
        Ok(match status {
            200..=299 => HookAnswer::Taken { status },
            410 => HookAnswer::Gone { status },
            _ => {
                let asked = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
                let after = asked.and_then(|text| text.trim().parse().ok()).map(Duration::from_secs);
                HookAnswer::Refused { status, after }
            }
        })
    }

    fn client(&self, guarded: bool, secure: bool) -> Result<Client> {
        let [open, open_tls, judged, judged_tls] = &self.clients;
        let place = match (guarded, secure) {
            (false, false) => open,
            (false, true) => open_tls,
            (true, false) => judged,
            (true, true) => judged_tls,
        };
        if let Some(client) = place.get() {
            return Ok(client.clone());
        }
        let made = client(guarded, secure)?;
        Ok(place.get_or_init(|| made).clone())
    }
}

/// Reads an address; it is not repeated where it is wrong, as it may hold a secret.
fn address(text: &str) -> Result<Url> {
    let wrong = |message: &str| {
        Error::invalid(message).with("field", "url").with("accepted", "http or https, a host, and no user or password")
    };
    let url = Url::parse(text).map_err(|_| wrong("the webhook's address is none"))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(wrong("the webhook's address is not http or https"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(wrong("the webhook's address holds a user or a password"));
    }
    if url.host_str().is_none_or(str::is_empty) {
        return Err(wrong("the webhook's address has no host"));
    }
    Ok(url)
}

/// Returns the address that is written there instead of a name.
fn literal(url: &Url) -> Option<IpAddr> {
    url.host_str()?.trim_start_matches('[').trim_end_matches(']').parse().ok()
}

fn private(url: &Url) -> Error {
    refused(url.host_str().unwrap_or_default())
}

fn refused(host: &str) -> Error {
    Error::invalid("the webhook leads to this machine or a private network")
        .with("field", "url")
        .with("host", host)
        .with("accepted", "a public address, or --allow-private")
}

/// Looks a name up; refused when any of its addresses is not public.
async fn public_addresses(host: &str) -> Result<Vec<SocketAddr>> {
    let unknown = || Error::new(ErrorKind::Unavailable, "the host of the webhook is not found").with("host", host);
    let found = tokio::net::lookup_host((host, 0)).await.map_err(|error| unknown().because(error))?;
    let found: Vec<SocketAddr> = found.collect();
    if found.is_empty() {
        return Err(unknown());
    }
    if found.iter().all(|address| is_public(address.ip())) { Ok(found) } else { Err(refused(host)) }
}

/// Lets a client connect to nothing but the addresses that were judged.
struct Guard;

impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found = public_addresses(name.as_str()).await?;
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

fn client(guarded: bool, secure: bool) -> Result<Client> {
    let mut builder = Client::builder()
        .tls_backend_preconfigured(tls::config(secure)?)
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .pool_max_idle_per_host(0)
        .user_agent(concat!("pipeline/", env!("CARGO_PKG_VERSION")));
    if guarded {
        builder = builder.dns_resolver(Guard);
    }
    builder.build().map_err(|error| tls::unmade(error.into()))
}

/// Says why there was no answer.
fn broken(error: reqwest::Error) -> Error {
    let error = error.without_url();
    let (kind, message) = if error.is_timeout() {
        (ErrorKind::Timeout, "the receiver did not answer in time")
    } else if error.is_connect() {
        (ErrorKind::Unavailable, "the receiver cannot be reached")
    } else {
        (ErrorKind::Unavailable, "the connection to the receiver broke")
    };
    Error::new(kind, message).because(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn check(url: &str) -> Result<()> {
        let secrets = [SecretRef::Environment("A".to_owned())];
        Webhooks::default().check(url, &secrets, false).await
    }

    #[tokio::test]
    async fn what_leads_to_this_machine_or_a_private_network_is_refused_however_it_is_written() {
        for url in [
            "http://127.0.0.1/a",
            "http://127.1/a",
            "http://2130706433/a",
            "http://0x7f.1:8080/a",
            "http://0177.0.0.1/a",
            "https://10.0.0.7",
            "https://169.254.169.254/latest/meta-data",
            "http://[::1]:9/",
            "http://[::ffff:127.0.0.1]/",
            "http://[::ffff:7f00:1]/",
            "http://[fd00::1]/",
            "http://localhost:1/secret-path",
        ] {
            let error = check(url).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Invalid, "{url}: {error}");
            assert!(error.to_string().contains("--allow-private") && !error.to_string().contains("secret"), "{error}");
        }
        check("https://93.184.216.34/hook?x=1").await.unwrap();
        check("https://[2606:4700::1111]/hook").await.unwrap();
    }

    #[tokio::test]
    async fn what_is_no_address_of_a_webhook_is_refused_without_being_repeated() {
        for url in [
            "ftp://93.184.216.34/hunter2",
            "hunter2",
            "https://me:hunter2@93.184.216.34/",
            "https://me@93.184.216.34/",
            "http:///hunter2x",
        ] {
            let error = check(url).await.unwrap_err();
            assert!(error.to_string().contains("field=url") || url.contains("///"), "{error}");
            assert!(!error.to_string().contains("hunter2@"), "{error}");
        }
        let error = Webhooks::default().check("https://93.184.216.34/", &[], true).await.unwrap_err();
        assert!(error.to_string().contains("secret"), "{error}");
    }
}
