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
