//! The words of the domain as types: states, counts, verdicts, failures, money and files.

mod artifact;
mod capability;
mod counts;
mod failure;
mod level;
mod limits;
mod money;
mod status;
mod step;
mod verdict;

pub use artifact::{Artifact, MediaType};
pub use capability::Capability;
pub use counts::Counts;
pub use failure::{Failure, FailureCode};
pub use level::LogLevel;
pub use limits::Limits;
pub use money::Money;
pub use status::{Control, ItemStatus, JobStatus, UnknownWord};
pub use step::Step;
pub use verdict::{Reason, Verdict};
