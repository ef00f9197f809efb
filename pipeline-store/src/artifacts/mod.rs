//! Files by digest: write-once, checked on every read.

mod fault;
mod sniff;
mod store;

pub use store::Artifacts;
