//! The vendor's script on a command line.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use super::script::{Drip, Outage, Reply, VendorScript};

/// What the command line of `fake-vendor` says.
#[derive(Debug, Default)]
pub struct VendorOptions {
    /// The port; 0 takes a free one.
    pub port: u16,
    /// Where every sale is written down before it is answered.
    pub log: Option<PathBuf>,
    /// What the vendor does.
    pub script: VendorScript,
}

impl VendorOptions {
    /// Every option, for people.
    pub const USAGE: &str = "\
fake-vendor [options]: sells pictures on this machine. POST /v1/images, POST /v1/tasks, GET /v1/tasks/ID, GET /charges
  --port P                      listen there [default: a free port, printed]
  --log FILE                    append every sale to FILE, synced before the answer; what it holds was sold before
  --key K                       accept only this key
  --price-micros N              millionths of a dollar a picture [default: 40000]
  --silent-about-cost           do not say in answers what they cost
  --links                       deliver links instead of pictures
  --idempotent                  a repeated idempotency key is answered as the first time and not charged again
  --lookup                      tell the task of an idempotency key: GET /v1/keys/KEY
  --latency-ms N                how long an order or a task takes
  --submit-ms N                 how long a task takes to be accepted
  --forget-ms N                 a task is unknown this long after it was submitted
  --fail-tasks-every N          every N-th task ends as failed, and is not charged
  --fail-every N                answer every N-th request with an error
  --fail-status S               that error [default: 500]
  --throttle-every N            answer every N-th request with 429
  --retry-after S               and ask to wait that many seconds [default: 1]
  --reset-every N               cut the connection of every N-th request, before charging
  --reset-charged-every N       the same, after charging
  --hang-every-request          never answer, before charging
  --hang-charged                never answer, after charging
  --outage-after N              after N requests answer 503
  --outage-requests M           to that many [default: 1]
  --outage-every-ms N           answer 503 again and again: so long from one beginning to the next
  --outage-ms M                 and for so long [default: 1000]
  --polls-too                   polls count as requests for all of these
  --drip-bytes N                send answers in pieces of so many bytes
  --drip-ms M                   with so long between them [default: 10]";

    /// Reads a command line.
    ///
    /// # Errors
    /// A sentence that says what is wrong.
    pub fn parse(given: impl IntoIterator<Item = String>) -> Result<Self, String> {
        let mut given = given.into_iter();
        let mut options = Self::default();
        let mut script = VendorScript::new();
        let (mut fail, mut status, mut throttle, mut after) = (None, 500, None, 1);
        let (mut out_after, mut out_count, mut out_every, mut out_lasts) = (None, 1, None, 1000);
        let (mut bytes, mut pause) = (None, 10);
        while let Some(option) = given.next() {
            let mut value = || given.next().ok_or_else(|| format!("{option} needs a value"));
            script = match option.as_str() {
                "--port" => {
                    options.port = number(&value()?)?;
                    script
                }
                "--log" => {
                    options.log = Some(value()?.into());
                    script
                }
                "--key" => script.key(value()?),
                "--price-micros" => script.price_micros(number(&value()?)?),
                "--silent-about-cost" => script.silent_about_cost(),
                "--links" => script.links(),
                "--idempotent" => script.idempotent(),
                "--lookup" => script.lookup(),
                "--latency-ms" => script.latency(Duration::from_millis(number(&value()?)?)),
                "--submit-ms" => script.submit_latency(Duration::from_millis(number(&value()?)?)),
                "--forget-ms" => script.forget_after(Duration::from_millis(number(&value()?)?)),
                "--fail-tasks-every" => script.fail_tasks_every(number(&value()?)?),
                "--reset-every" => script.reset_every(number(&value()?)?, false),
                "--reset-charged-every" => script.reset_every(number(&value()?)?, true),
                "--hang-every-request" => script.otherwise(Reply::Hang { charged: false }),
                "--hang-charged" => script.otherwise(Reply::Hang { charged: true }),
                "--polls-too" => script.faults_on_polls(),
                other => {
                    match other {
                        "--fail-every" => fail = Some(number(&value()?)?),
                        "--fail-status" => status = number(&value()?)?,
                        "--throttle-every" => throttle = Some(number(&value()?)?),
                        "--retry-after" => after = number(&value()?)?,
                        "--outage-after" => out_after = Some(number(&value()?)?),
                        "--outage-requests" => out_count = number(&value()?)?,
                        "--outage-every-ms" => out_every = Some(number(&value()?)?),
                        "--outage-ms" => out_lasts = number(&value()?)?,
                        "--drip-bytes" => bytes = Some(number(&value()?)?),
                        "--drip-ms" => pause = number(&value()?)?,
                        _ => return Err(format!("unknown option {other}")),
                    }
                    script
                }
            };
        }
        if let Some(n) = fail {
            script = script.fail_every_with(n, status);
        }
        if let Some(n) = throttle {
            script = script.throttle_every(n, after);
        }
        script = match (out_after, out_every) {
            (Some(_), Some(_)) => return Err("an outage is counted in requests or in time, not both".to_owned()),
            (Some(after), None) => script.outage(Outage::Requests { after, count: out_count }),
            (None, Some(every)) => script
                .outage(Outage::Spans { every: Duration::from_millis(every), lasts: Duration::from_millis(out_lasts) }),
            (None, None) => script,
        };
        if let Some(bytes) = bytes {
            script = script.drip(Drip { bytes, pause: Duration::from_millis(pause) });
        }
        options.script = script;
        Ok(options)
    }
}

fn number<T: FromStr>(text: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("`{text}` is not a whole number that fits"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<VendorOptions, String> {
        VendorOptions::parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn every_option_of_the_usage_is_read() {
        for line in VendorOptions::USAGE.lines().skip(1) {
            let mut words = line.split_whitespace();
            let option = words.next().unwrap();
            let value = words.next().filter(|word| word.chars().all(|c| c.is_ascii_uppercase()));
            let text = if value.is_some() { format!("{option} 7") } else { option.to_owned() };
            parse(&text).unwrap();
            if value.is_some() {
                assert!(parse(option).unwrap_err().contains("needs a value"), "{option}");
            }
        }
        assert!(parse("--nonsense").is_err() && parse("--port many").is_err() && parse("--port 70000").is_err());
        assert!(parse("--outage-after 1 --outage-every-ms 5").is_err());
    }

    #[test]
    fn options_that_belong_together_are_joined() {
        let options = parse("--retry-after 9 --throttle-every 3 --fail-status 502 --fail-every 2 --port 80").unwrap();
        assert_eq!(options.port, 80);
        let script = options.script;
        assert_eq!((script.throttle_every, script.fail_every), (Some((3, 9)), Some((2, 502))));
    }
}
