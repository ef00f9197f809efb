//! Files by digest: write-once, checked on every read.

mod fault;
mod s3;
mod sniff;
mod store;

pub use s3::{S3Credentials, S3Options};
pub use store::Artifacts;
