//! How many leaves of a job are in which state; the parts always add up to `planned`.

use serde::{Deserialize, Serialize};

use super::ItemStatus;

/// Leaves by state. `planned` equals the sum of the other nine at every instant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// All of them.
    pub planned: u64,
    /// See [`ItemStatus::Pending`].
    pub pending: u64,
    /// See [`ItemStatus::Running`].
    pub running: u64,
    /// See [`ItemStatus::Waiting`].
    pub waiting: u64,
    /// See [`ItemStatus::Succeeded`].
    pub succeeded: u64,
    /// See [`ItemStatus::Filtered`].
    pub filtered: u64,
    /// See [`ItemStatus::Rejected`].
    pub rejected: u64,
    /// See [`ItemStatus::Undecided`].
    pub undecided: u64,
    /// See [`ItemStatus::Failed`].
    pub failed: u64,
    /// See [`ItemStatus::Cancelled`].
    pub cancelled: u64,
}

impl Counts {
    /// Adds `leaves` in `status`, and to `planned`.
    pub fn add(&mut self, status: ItemStatus, leaves: u64) {
        self.planned += leaves;
        *self.of_mut(status) += leaves;
    }

    /// Returns how many are in `status`.
    pub fn of(&self, status: ItemStatus) -> u64 {
        let mut copy = *self;
        *copy.of_mut(status)
    }

    /// Returns how many have not ended.
    pub fn open(&self) -> u64 {
        self.pending + self.running + self.waiting
    }

    /// Returns how many have ended.
    pub fn ended(&self) -> u64 {
        self.succeeded + self.filtered + self.rejected + self.undecided + self.failed + self.cancelled
    }

    /// Tells whether the parts add up to `planned`.
    pub fn reconciles(&self) -> bool {
        self.planned == self.open() + self.ended()
    }

    fn of_mut(&mut self, status: ItemStatus) -> &mut u64 {
        match status {
            ItemStatus::Pending => &mut self.pending,
            ItemStatus::Running => &mut self.running,
            ItemStatus::Waiting => &mut self.waiting,
            ItemStatus::Succeeded => &mut self.succeeded,
            ItemStatus::Filtered => &mut self.filtered,
            ItemStatus::Rejected => &mut self.rejected,
            ItemStatus::Undecided => &mut self.undecided,
            ItemStatus::Failed => &mut self.failed,
            ItemStatus::Cancelled => &mut self.cancelled,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_add_up_whatever_is_added() {
        let mut counts = Counts::default();
        for (index, status) in ItemStatus::ALL.iter().enumerate() {
            counts.add(*status, index as u64 + 1);
            assert_eq!(counts.of(*status), index as u64 + 1);
        }
        assert_eq!(counts.planned, 45);
        assert!(counts.reconciles());
        counts.planned += 1;
        assert!(!counts.reconciles());
    }
}
