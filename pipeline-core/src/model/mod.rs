//! The words of the domain as types: states, counts, verdicts, failures, money and files.

mod advice;
mod artifact;
mod capability;
mod counts;
mod estimate;
mod failure;
mod level;
mod limits;
mod money;
mod picture_type;
mod status;
mod step;
mod verdict;

pub use advice::{Advice, FORMER_CODES, Trouble};
pub use artifact::{Artifact, MediaType};
pub use capability::Capability;
pub use counts::Counts;
pub use estimate::{Estimate, StageEstimate};
pub use failure::{Failure, FailureCode};
pub use level::LogLevel;
pub use limits::Limits;
pub use money::Money;
pub use picture_type::picture_type;
pub use status::{Control, ItemStatus, JobStatus, UnknownWord};
pub use step::Step;
pub use verdict::{Reason, Verdict};
