//! `fake-vendor`: a vendor of pictures on this machine, for trying things out without a key or a bill.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program talks to a person")]

use std::process::ExitCode;

use pipeline_testkit::vendor::{FakeVendor, VendorOptions};

#[tokio::main]
async fn main() -> ExitCode {
    let outcome = match VendorOptions::parse(std::env::args().skip(1)) {
        Ok(options) => serve(options).await.map_err(|error| error.to_string()),
        Err(problem) => Err(format!("{problem}\n{}", VendorOptions::USAGE)),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("{problem}");
            ExitCode::FAILURE
        }
    }
}

async fn serve(options: VendorOptions) -> std::io::Result<()> {
    let vendor = FakeVendor::start_at(options.port, options.script, options.log.as_deref()).await?;
    println!("{}", vendor.url());
    vendor.serve().await
}
