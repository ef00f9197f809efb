//! A vendor that sells pictures over HTTP and misbehaves on request, and a client that buys from it.

mod body;
mod books;
mod client;
mod options;
mod picture;
mod program;
mod script;
mod server;

pub use books::{Charges, Statement};
pub use client::VendorClient;
pub use options::VendorOptions;
pub use program::VendorProgram;
pub use script::{Drip, Outage, Reply, Seen, VendorScript};
pub use server::FakeVendor;
