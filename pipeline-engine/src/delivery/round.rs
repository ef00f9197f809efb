//! What was delivered in one go.

use std::sync::atomic::{AtomicU64, Ordering};

use serde::Serialize;

use pipeline_core::storage::DeliveryOutcome;

/// What was delivered in one go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct DeliveryRound {
    /// Messages that receivers took.
    pub delivered: u64,
    /// Tries that are repeated later.
    pub waiting: u64,
    /// Messages that were tried for the last time.
    pub failed: u64,
}

/// Counts while several lanes are delivered.
#[derive(Debug, Default)]
pub(super) struct Count {
    delivered: AtomicU64,
    waiting: AtomicU64,
    failed: AtomicU64,
}

impl Count {
    pub(super) fn add(&self, outcome: &DeliveryOutcome) {
        let counter = match outcome {
            DeliveryOutcome::Delivered { .. } => &self.delivered,
            DeliveryOutcome::Waiting { .. } => &self.waiting,
            DeliveryOutcome::Failed { .. } => &self.failed,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn round(&self) -> DeliveryRound {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        DeliveryRound { delivered: read(&self.delivered), waiting: read(&self.waiting), failed: read(&self.failed) }
    }
}
