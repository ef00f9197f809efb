//! How much a store keeps.

use serde::Serialize;

use pipeline_core::Result;
use pipeline_core::storage::{Census, LogVolume, StoreInfo};

use super::Upkeep;

/// How much a store keeps.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StoreStats {
    /// Which store.
    pub store: StoreInfo,
    /// Its records.
    pub records: Census,
    /// Its artifacts.
    pub artifacts: ArtifactStats,
    /// The logs of its jobs; `None` where none are kept.
    pub logs: Option<LogVolume>,
}

/// How many artifacts there are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ArtifactStats {
    /// Where they are, without credentials.
    pub location: String,
    /// How many.
    pub count: u64,
    /// Σ size.
    pub bytes: u64,
}

impl Upkeep {
    /// Counts records and artifacts. Takes longer the more there are.
    ///
    /// # Errors
    /// The stores'.
    pub async fn stats(&self) -> Result<StoreStats> {
        let records = self.store.census().await?;
        let mut artifacts = ArtifactStats { location: self.artifacts.location(), ..ArtifactStats::default() };
        for first in 0..=u8::MAX {
            let listed = self.artifacts.list(first).await?;
            artifacts.count += listed.len() as u64;
            artifacts.bytes += listed.iter().map(|listed| listed.size).sum::<u64>();
        }
        let logs = match &self.logs {
            Some(logs) => Some(logs.volume(None).await?),
            None => None,
        };
        Ok(StoreStats { store: self.store.info(), records, artifacts, logs })
    }
}
