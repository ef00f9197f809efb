//! Broken gates; what is broken in letting calls pass is in the commits.

use std::time::Duration;

use async_trait::async_trait;
use pipeline_core::error::Result;
use pipeline_core::storage::{GateKeeper, GateKey, GateRecord};

use super::store::{Breach, Broken};

#[async_trait]
impl GateKeeper for Broken {
    async fn close_gate(&self, key: GateKey, pause: Duration, reason: &str) -> Result<()> {
        match self.breach {
            Some(Breach::ShorterPauseWins) => self.store.open_gate(key.clone()).await?,
            Some(Breach::FirstPauseStays) => {
                let gates = self.store.gates().await?;
                let closed = gates.iter().find(|gate| gate.key == key).and_then(|gate| gate.closed_until);
                if closed.is_some_and(|until| until < self.time().after(pause)) {
                    self.notes().reasons.insert(key, reason.to_owned());
                    return Ok(());
                }
            }
            Some(Breach::PauseTooLong) => return self.store.close_gate(key, pause * 60, reason).await,
            _ => {}
        }
        self.store.close_gate(key, pause, reason).await
    }

    async fn open_gate(&self, key: GateKey) -> Result<()> {
        self.store.open_gate(key).await
    }

    async fn gates(&self) -> Result<Vec<GateRecord>> {
        let mut records = self.store.gates().await?;
        let notes = self.notes();
        for record in &mut records {
            if let Some((_, _, most)) = notes.minutes.get(&record.key) {
                record.limits.per_minute = Some(*most);
            }
            record.reason = notes.reasons.get(&record.key).cloned().or(record.reason.take());
        }
        Ok(records)
    }
}
