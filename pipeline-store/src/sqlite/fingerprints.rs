//! Looking for near-duplicates: marks in the database, and a copy in memory to compare with.
//!
//! SQLite cannot count the bits in which two numbers differ, so the marks of a scope are read once and from then on
//! only what is new. Marks are numbered upwards and replaced by new numbers, never changed.

use std::collections::{HashMap, HashSet};
use std::sync::PoisonError;

use pipeline_core::id::{ItemId, JobId};
use pipeline_core::storage::FingerprintMark;
use sqlx::{Row as _, SqliteConnection};

use super::fault::Work;
use super::rows;
use super::store::Inner;

/// So many scopes are kept in memory; beyond that all are read again.
const SCOPES: usize = 64;

/// The marks known in memory, by job and scope.
#[derive(Debug, Default)]
pub(super) struct Fingerprints(HashMap<(JobId, String), Marks>);

#[derive(Debug, Default)]
struct Marks {
    newest: i64,
    items: HashSet<ItemId>,
    /// In the order they were made.
    found: Vec<(ItemId, u64)>,
}

impl Marks {
    fn add(&mut self, number: i64, item: ItemId, fingerprint: u64) {
        self.newest = number;
        if !self.items.insert(item) {
            self.found.retain(|(known, _)| *known != item);
        }
        self.found.push((item, fingerprint));
    }

    fn near(&self, mark: &FingerprintMark) -> Option<ItemId> {
        let near = |(item, other): &&(ItemId, u64)| {
            *item != mark.item && (other ^ mark.fingerprint).count_ones() <= mark.max_distance
        };
        self.found.iter().find(near).map(|(item, _)| *item)
    }
}

/// Looks for a near-duplicate, and stores the mark when there is none.
pub(super) async fn mark(
    connection: &mut SqliteConnection,
    inner: &Inner,
    mark: FingerprintMark,
) -> Work<Option<ItemId>> {
    let key = (mark.job, mark.scope.clone());
    let known = inner.fingerprints.lock().unwrap_or_else(PoisonError::into_inner).0.remove(&key);
    let mut marks = known.unwrap_or_default();
    // Whatever is visible here is committed: this transaction has the only write lock.
    let rows = sqlx::query(
        "SELECT no, item, fingerprint FROM fingerprints WHERE job = ? AND scope = ? AND no > ? ORDER BY no",
    )
    .bind(mark.job.to_string())
    .bind(&mark.scope)
    .bind(marks.newest)
    .fetch_all(&mut *connection)
    .await?;
    for row in &rows {
        marks.add(row.try_get(0)?, rows::word(row, 1)?, row.try_get::<i64, _>(2)? as u64);
    }
    let near = marks.near(&mark);
    {
        let mut all = inner.fingerprints.lock().unwrap_or_else(PoisonError::into_inner);
        if all.0.len() >= SCOPES {
            all.0.clear();
        }
        all.0.insert(key, marks);
    }
    if near.is_some() {
        return Ok(near);
    }
    sqlx::query("INSERT OR REPLACE INTO fingerprints (job, scope, item, fingerprint) VALUES (?, ?, ?, ?)")
        .bind(mark.job.to_string())
        .bind(&mark.scope)
        .bind(mark.item.to_string())
        .bind(mark.fingerprint as i64)
        .execute(connection)
        .await?;
    Ok(None)
}
