//! The port of the gates: what makes paid work wait, for all processes of a store.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::model::Limits;
use crate::time::Timestamp;

/// Names a gate; each provider that costs something has one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct GateKey(String);

impl GateKey {
    /// The gate before a provider.
    pub fn provider(name: &str) -> Self {
        Self(format!("provider:{name}"))
    }

    /// Reads a key as written by `as_str`.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Returns the key as stored and shown.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for GateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// The gate a call passes, and the limits its provider declares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GatePass {
    /// Which gate.
    pub key: GateKey,
    /// What holds there.
    pub limits: Limits,
}

/// A gate as it stands.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct GateRecord {
    /// Which one.
    pub key: GateKey,
    /// Closed until then.
    pub closed_until: Option<Timestamp>,
    /// Why it is closed, for people.
    pub reason: Option<String>,
    /// The limits the last call declared.
    pub limits: Limits,
    /// Calls that have passed and are not settled.
    pub open_calls: u64,
    /// Items of open jobs that nobody holds and that come to this gate next.
    pub waiting: u64,
    /// Outages in a row.
    pub outages: u32,
}

/// What a store knows of a gate when it decides who may pass: the one rule all stores share.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GateLoad {
    /// Closed until then.
    pub closed_until: Option<Timestamp>,
    /// Outages in a row.
    pub outages: u32,
    /// What holds there.
    pub limits: Limits,
    /// Calls that have passed, are not settled, and are not beyond their deadline.
    pub open: u64,
    /// When the intents of the last minute were written, earliest first.
    pub recent: Vec<Timestamp>,
}

/// The time over which [`Limits::per_minute`] is counted.
pub const RATE_WINDOW: Duration = Duration::from_mins(1);

impl GateLoad {
    /// Lets one call pass, and counts it.
    ///
    /// # Errors
    /// When it may not pass: the time when it may, if that is known.
    pub fn admit(&mut self, now: Timestamp) -> Result<(), Option<Timestamp>> {
        if let Some(until) = self.closed_until.filter(|until| *until > now) {
            return Err(Some(until));
        }
        if self.slots().is_some_and(|slots| self.open >= slots) {
            return Err(None);
        }
        if let Some(until) = self.rate_until(now) {
            return Err(Some(until));
        }
        self.open += 1;
        self.recent.push(now);
        Ok(())
    }

    /// Returns how many calls may pass now, when `held` items stand at the gate already; `None` is without limit.
    pub fn room(&self, now: Timestamp, held: u64) -> Option<u64> {
        if self.closed_until.is_some_and(|until| until > now) {
            return Some(0);
        }
        let slots = self.slots().map(|slots| slots.saturating_sub(self.open.max(held)));
        // What is held and has not opened its call yet will take from the rate, too.
        let coming = held.saturating_sub(self.open);
        let rate = self
            .limits
            .per_minute
            .map(|most| u64::from(most).saturating_sub(self.recent(now).len() as u64).saturating_sub(coming));
        match (slots, rate) {
            (Some(slots), Some(rate)) => Some(slots.min(rate)),
            (slots, rate) => slots.or(rate),
        }
    }

    /// Returns when the gate may let something pass, as far as only time is in the way.
    pub fn opens_at(&self, now: Timestamp) -> Option<Timestamp> {
        self.closed_until.filter(|until| *until > now).or_else(|| self.rate_until(now))
    }

    /// After a row of outages one call at a time tries whether the provider is back.
    fn slots(&self) -> Option<u64> {
        let declared = self.limits.concurrency.map(u64::from);
        if self.outages >= BREAKER_TRIPS_AT { Some(declared.unwrap_or(1).min(1)) } else { declared }
    }

    fn rate_until(&self, now: Timestamp) -> Option<Timestamp> {
        let most = self.limits.per_minute? as usize;
        let recent = self.recent(now);
        // The one whose leaving makes room again.
        let leaving = recent.len().checked_sub(most)?;
        Some(recent.get(leaving).map_or(now, |at| at.after(RATE_WINDOW)))
    }

    fn recent(&self, now: Timestamp) -> &[Timestamp] {
        let gone = self.recent.iter().take_while(|at| at.after(RATE_WINDOW) <= now).count();
        self.recent.get(gone..).unwrap_or_default()
    }
}

/// So many outages in a row close a gate.
pub const BREAKER_TRIPS_AT: u32 = 5;

/// Returns how long a gate stays closed after so many outages in a row; `None` while they are too few.
///
/// 10 s at the fifth, twice as long with each further one, at most 5 minutes.
pub fn breaker_pause(outages: u32) -> Option<Duration> {
    let beyond = outages.checked_sub(BREAKER_TRIPS_AT)?;
    Some(Duration::from_secs(10).saturating_mul(1 << beyond.min(10)).min(Duration::from_mins(5)))
}

/// Keeps the gates. Calls pass them in [`super::WorkQueue::commit`].
///
/// # Contract
/// 1. *Closed.* While a gate is closed no intent passes it, and `claim` hands out no item that comes to it next.
/// 2. *Longest wins.* Closing a closed gate never shortens its time.
/// 3. *Concurrency.* At no time have more calls passed a gate and are neither settled nor beyond their deadline than its
///    limit says, over all processes.
/// 4. *Rate.* In no minute do more intents pass than its limit says, over all processes.
/// 5. *Breaker.* Five outages in a row close the gate ([`breaker_pause`]); then one call at a time passes until one
///    succeeds. Any answer of the provider that is not an outage ends the row. What breaks while the gate is closed was
///    sent before, and is not counted: calls that break together would add up to a long pause.
/// 6. *By itself.* A gate opens when its time has come; `claim` then hands out what waited.
#[async_trait]
pub trait GateKeeper {
    /// Closes a gate for a while.
    async fn close_gate(&self, key: GateKey, pause: Duration, reason: &str) -> Result<()>;

    /// Opens a gate before its time, and forgets its outages.
    async fn open_gate(&self, key: GateKey) -> Result<()>;

    /// Lists the gates, by key.
    async fn gates(&self) -> Result<Vec<GateRecord>>;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_micros(seconds * 1_000_000)
    }

    #[test]
    fn a_gate_lets_as_many_pass_as_its_limits_say_and_tells_when_the_next_may() {
        let limits = Limits { concurrency: Some(2), per_minute: Some(3) };
        let mut load = GateLoad { limits, ..GateLoad::default() };
        assert_eq!(load.room(at(0), 1), Some(1));
        assert_eq!((load.admit(at(0)), load.admit(at(1))), (Ok(()), Ok(())));
        assert_eq!(load.admit(at(2)), Err(None), "full, and only a settlement makes room");
        load.open = 0;
        assert_eq!(load.admit(at(3)), Ok(()));
        load.open = 0;
        assert_eq!(load.admit(at(4)), Err(Some(at(60))), "the first of three leaves the minute then");
        assert_eq!(load.room(at(4), 0), Some(0));
        assert_eq!(load.admit(at(60)), Ok(()));
    }

    #[test]
    fn after_a_row_of_outages_one_call_at_a_time_passes() {
        let mut load = GateLoad { outages: BREAKER_TRIPS_AT, ..GateLoad::default() };
        load.closed_until = Some(at(10));
        assert_eq!(load.admit(at(9)), Err(Some(at(10))));
        assert_eq!((load.admit(at(10)), load.admit(at(10))), (Ok(()), Err(None)));
    }

    #[test]
    fn the_breaker_waits_longer_with_every_further_outage_up_to_five_minutes() {
        let pauses: Vec<_> =
            [4, 5, 6, 9, 10, 500].map(|outages| breaker_pause(outages).map(|pause| pause.as_secs())).into();
        assert_eq!(pauses, [None, Some(10), Some(20), Some(160), Some(300), Some(300)]);
    }
}
