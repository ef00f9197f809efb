//! Files in a bucket of S3, or of a service that speaks its protocol.
//!
//! [`address`] reads where, [`options`] says how, [`transport`] carries requests, [`fault`] classifies what goes wrong.

mod address;
mod fault;
mod open;
mod options;
mod transport;

pub(super) use address::Address;
pub(super) use fault::classify;
pub(super) use open::open;
pub use options::{S3Credentials, S3Options};
