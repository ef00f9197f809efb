//! The one vocabulary of states: what a job and an item can be.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::Counts;

/// A text that is not one of a closed set of words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a {what}; expected one of {}", accepted.join(", "))]
pub struct UnknownWord {
    pub(super) what: &'static str,
    pub(super) text: String,
    pub(super) accepted: Vec<&'static str>,
}

macro_rules! words {
    ($(#[$doc:meta])* $name:ident, $what:literal { $($(#[$vdoc:meta])* $variant:ident => $word:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum $name { $($(#[$vdoc])* $variant),+ }

        impl $name {
            /// Every value, in the order of the documentation.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// Returns the word users see.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl FromStr for $name {
            type Err = UnknownWord;

            fn from_str(text: &str) -> Result<Self, UnknownWord> {
                Self::ALL.iter().copied().find(|word| word.as_str() == text).ok_or_else(|| UnknownWord {
                    what: $what,
                    text: text.to_owned(),
                    accepted: Self::ALL.iter().map(|word| word.as_str()).collect(),
                })
            }
        }
    };
}

pub(super) use words;

words!(
    /// What an item is. The last six never change except by a review decision.
    ItemStatus, "item status" {
        /// Ready for a worker, or not yet reached.
        Pending => "pending",
        /// A worker holds it.
        Running => "running",
        /// It waits for a time, a gate, a call or a person.
        Waiting => "waiting",
        /// At least one last stage is done.
        Succeeded => "succeeded",
        /// A condition kept it from every last stage.
        Filtered => "filtered",
        /// A check found it wanting.
        Rejected => "rejected",
        /// A check could not be made.
        Undecided => "undecided",
        /// A work stage could not be done.
        Failed => "failed",
        /// The job was cancelled first.
        Cancelled => "cancelled",
    }
);

impl ItemStatus {
    /// Tells whether the item has ended.
    pub const fn is_terminal(self) -> bool {
        !matches!(self, Self::Pending | Self::Running | Self::Waiting)
    }
}

words!(
    /// What a job is. The last five are final.
    JobStatus, "job status" {
        /// Submitted; nothing has started.
        Queued => "queued",
        /// Work is going on.
        Running => "running",
        /// A person stopped it for now.
        Paused => "paused",
        /// It was cancelled, and what runs is ending.
        Cancelling => "cancelling",
        /// Every leaf succeeded or was filtered.
        Completed => "completed",
        /// Some did; some are rejected, undecided or failed.
        CompletedWithFailures => "completed_with_failures",
        /// None did.
        Failed => "failed",
        /// It was cancelled before its end.
        Cancelled => "cancelled",
        /// Nothing was planned.
        Empty => "empty",
    }
);

impl JobStatus {
    /// Tells whether the job has ended.
    pub const fn is_terminal(self) -> bool {
        matches!(self, Self::Completed | Self::CompletedWithFailures | Self::Failed | Self::Cancelled | Self::Empty)
    }

    /// Derives the status from what a person asked for, whether any work has started, and the counts.
    pub fn derive(control: Control, started: bool, counts: &Counts) -> Self {
        if counts.planned == 0 {
            return Self::Empty;
        }
        if counts.open() > 0 {
            return match control {
                Control::Cancel => Self::Cancelling,
                Control::Pause => Self::Paused,
                Control::Run if started => Self::Running,
                Control::Run => Self::Queued,
            };
        }
        let good = counts.succeeded + counts.filtered;
        if counts.cancelled > 0 {
            Self::Cancelled
        } else if good == counts.planned {
            Self::Completed
        } else if good > 0 {
            Self::CompletedWithFailures
        } else {
            Self::Failed
        }
    }
}

words!(
    /// What a person asked of a job: the one control column.
    Control, "job control" {
        /// Go on.
        Run => "run",
        /// Start nothing new for now.
        Pause => "pause",
        /// End; sticky at once.
        Cancel => "cancel",
    }
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_reads_back() {
        for status in ItemStatus::ALL {
            assert_eq!(status.as_str().parse(), Ok(*status));
            assert_eq!(serde_json::to_value(status).unwrap(), status.as_str());
        }
        for status in JobStatus::ALL {
            assert_eq!(status.as_str().parse(), Ok(*status));
            assert_eq!(serde_json::to_value(status).unwrap(), status.as_str());
        }
        assert!("done".parse::<JobStatus>().unwrap_err().to_string().contains("completed_with_failures"));
    }

    #[test]
    fn the_job_status_follows_the_table() {
        let counts = |succeeded, filtered, rejected, failed, cancelled, pending| Counts {
            planned: succeeded + filtered + rejected + failed + cancelled + pending,
            succeeded,
            filtered,
            rejected,
            failed,
            cancelled,
            pending,
            ..Counts::default()
        };
        let run = |c| JobStatus::derive(Control::Run, true, &c);
        assert_eq!(run(counts(0, 0, 0, 0, 0, 0)), JobStatus::Empty);
        assert_eq!(run(counts(2, 1, 0, 0, 0, 0)), JobStatus::Completed);
        assert_eq!(run(counts(0, 3, 0, 0, 0, 0)), JobStatus::Completed);
        assert_eq!(run(counts(1, 0, 1, 0, 0, 0)), JobStatus::CompletedWithFailures);
        assert_eq!(run(counts(0, 0, 1, 1, 0, 0)), JobStatus::Failed);
        assert_eq!(run(counts(1, 0, 0, 0, 1, 0)), JobStatus::Cancelled);
        assert_eq!(run(counts(1, 0, 0, 0, 0, 1)), JobStatus::Running);
        assert_eq!(JobStatus::derive(Control::Run, false, &counts(0, 0, 0, 0, 0, 1)), JobStatus::Queued);
        assert_eq!(JobStatus::derive(Control::Pause, true, &counts(0, 0, 0, 0, 0, 1)), JobStatus::Paused);
        assert_eq!(JobStatus::derive(Control::Cancel, true, &counts(0, 0, 0, 0, 0, 1)), JobStatus::Cancelling);
    }
}
