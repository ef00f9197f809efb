//! `fake-vendor`: a vendor of pictures on this machine, for trying things out without a key or a bill.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program talks to a person")]

use std::process::ExitCode;
use std::time::Duration;

use pipeline_testkit::vendor::{FakeVendor, VendorScript};

const USAGE: &str =
    "fake-vendor [--port P] [--key K] [--idempotent] [--latency-ms N] [--fail-every N] [--price-micros N] [--links]";

#[tokio::main]
async fn main() -> ExitCode {
    let outcome = match arguments(std::env::args().skip(1)) {
        Ok((port, script)) => serve(port, script).await.map_err(|error| error.to_string()),
        Err(problem) => Err(format!("{problem}\nusage: {USAGE}")),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("{problem}");
            ExitCode::FAILURE
        }
    }
}

async fn serve(port: u16, script: VendorScript) -> std::io::Result<()> {
    let vendor = FakeVendor::start_at(port, script).await?;
    println!("{}", vendor.url());
    vendor.serve().await
}

fn arguments(mut given: impl Iterator<Item = String>) -> Result<(u16, VendorScript), String> {
    let (mut port, mut script) = (0, VendorScript::new());
    while let Some(option) = given.next() {
        let mut value = || given.next().ok_or_else(|| format!("{option} needs a value"));
        let number = |text: String| text.parse::<u64>().map_err(|_| format!("`{text}` is not a whole number"));
        match option.as_str() {
            "--port" => port = u16::try_from(number(value()?)?).map_err(|_| "a port is at most 65535".to_owned())?,
            "--key" => script = script.key(value()?),
            "--idempotent" => script = script.idempotent(),
            "--links" => script = script.links(),
            "--latency-ms" => script = script.latency(Duration::from_millis(number(value()?)?)),
            "--fail-every" => script = script.fail_every(number(value()?)?),
            "--price-micros" => {
                let micros = number(value()?)?;
                script = script.price_micros(i64::try_from(micros).map_err(|_| "the price is too high".to_owned())?);
            }
            _ => return Err(format!("unknown option {option}")),
        }
    }
    Ok((port, script))
}
