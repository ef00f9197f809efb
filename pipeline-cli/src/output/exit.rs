//! How the program ended, for the shell.

use std::process::ExitCode;

use pipeline_core::model::{Counts, JobStatus};

/// How the program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// All good.
    Good = 0,
    /// Something failed while running.
    Broken = 1,
    /// The request was wrong.
    Wrong = 2,
    /// Finished, and not every item is good.
    Imperfect = 3,
    /// Interrupted.
    Interrupted = 130,
}

impl Exit {
    /// Every way to end.
    #[cfg(test)]
    pub(crate) const ALL: &[Self] = &[Self::Good, Self::Broken, Self::Wrong, Self::Imperfect, Self::Interrupted];

    /// Says what it means.
    #[cfg(test)]
    pub(crate) const fn meaning(self) -> &'static str {
        match self {
            Self::Good => "all good",
            Self::Broken => "error while running",
            Self::Wrong => "the request was wrong: arguments, pipeline file, settings, missing input",
            Self::Imperfect => {
                "finished, and some items are rejected, undecided, failed or wait for a person or a budget"
            }
            Self::Interrupted => "interrupted or paused; `pipeline jobs resume ID` goes on",
        }
    }

    /// Judges a job that does not go on by itself.
    pub(crate) fn of(status: JobStatus, counts: &Counts) -> Self {
        let good = counts.succeeded + counts.filtered == counts.planned;
        if good && status != JobStatus::Cancelled { Self::Good } else { Self::Imperfect }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pipeline_core::model::ItemStatus;

    #[test]
    fn only_good_items_are_all_good() {
        let counts = |status| {
            let mut counts = Counts::default();
            counts.add(ItemStatus::Succeeded, 2);
            counts.add(status, 1);
            counts
        };
        assert_eq!(Exit::of(JobStatus::Completed, &counts(ItemStatus::Filtered)), Exit::Good);
        assert_eq!(Exit::of(JobStatus::Empty, &Counts::default()), Exit::Good);
        for bad in [ItemStatus::Rejected, ItemStatus::Undecided, ItemStatus::Failed, ItemStatus::Waiting] {
            assert_eq!(Exit::of(JobStatus::CompletedWithFailures, &counts(bad)), Exit::Imperfect);
        }
    }
}
