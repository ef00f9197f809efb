//! A vendor that sells pictures over HTTP and misbehaves on request, and a client that buys from it.

mod client;
mod picture;
mod script;
mod server;

pub use client::VendorClient;
pub use script::{Reply, Seen, VendorScript};
pub use server::{Charges, FakeVendor};
