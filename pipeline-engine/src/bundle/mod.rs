//! An archive of a job for a bug report: what the records say of it, without the texts of people.
//!
//! Every text that may be somebody's (keywords, prompts, labels, paths, names of hosts and people, messages of vendors) is
//! replaced by a hash, the same one wherever the text stands in one archive. The hash is salted anew for each archive, so
//! that it cannot be looked up. Secrets are not in the records in the first place.

mod collect;
mod redact;
mod tar;

pub use collect::{Bundle, BundleRequest};
