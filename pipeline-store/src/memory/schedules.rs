//! Recurring jobs.

use async_trait::async_trait;
use pipeline_core::error::{Error, Result};
use pipeline_core::id::ScheduleId;
use pipeline_core::storage::{Due, NewSchedule, Occasion, Outcome, ScheduleKeeper, ScheduleRecord};
use pipeline_core::time::Timestamp;

use super::state::State;
use super::store::MemoryStore;

#[async_trait]
impl ScheduleKeeper for MemoryStore {
    async fn schedule(&self, new: NewSchedule) -> Result<ScheduleRecord> {
        let created_at = self.time();
        self.with(|state| {
            if state.schedules.iter().any(|known| known.owner == new.owner && known.name == new.name) {
                return Err(Error::conflict("there is a schedule of this name").with("name", &new.name));
            }
            let record = ScheduleRecord {
                id: new.id,
                owner: new.owner,
                name: new.name,
                every: new.every,
                timezone: new.timezone,
                overlap: new.overlap,
                request: new.request,
                paused: false,
                next_at: new.next_at,
                last: None,
                last_job: None,
                created_at,
            };
            state.schedules.push(record.clone());
            state.schedules.sort_by(|one, two| (&one.owner, &one.name).cmp(&(&two.owner, &two.name)));
            Ok(record)
        })
    }

    async fn schedules(&self, owner: Option<&str>) -> Result<Vec<ScheduleRecord>> {
        self.with(|state| {
            let wanted = |record: &&ScheduleRecord| owner.is_none_or(|owner| record.owner == owner);
            Ok(state.schedules.iter().filter(wanted).cloned().collect())
        })
    }

    async fn due(&self) -> Result<Due> {
        let now = self.time();
        self.with(|state| {
            let mut due = Due::default();
            for record in &state.schedules {
                if is_begun(record) || (!record.paused && record.next_at <= now) {
                    due.schedules.push(record.clone());
                } else if !record.paused {
                    due.next_at = Some(due.next_at.map_or(record.next_at, |at| at.min(record.next_at)));
                }
            }
            Ok(due)
        })
    }

    async fn take(&self, id: ScheduleId, at: Timestamp, next_at: Timestamp, outcome: Outcome) -> Result<bool> {
        self.with(|state| {
            let wanted = |record: &&mut ScheduleRecord| {
                record.id == id && record.next_at == at && !record.paused && !is_begun(record)
            };
            let Some(record) = state.schedules.iter_mut().find(wanted) else { return Ok(false) };
            record.next_at = next_at;
            record.last_job = outcome.job().or(record.last_job);
            record.last = Some(Occasion { at, outcome });
            Ok(true)
        })
    }

    async fn settle_occasion(&self, id: ScheduleId, at: Timestamp, outcome: Outcome) -> Result<bool> {
        self.with(|state| {
            let begun = Some(Occasion { at, outcome: Outcome::Begun });
            let wanted = |record: &&mut ScheduleRecord| record.id == id && record.last == begun;
            let Some(record) = state.schedules.iter_mut().find(wanted) else { return Ok(false) };
            record.last_job = outcome.job().or(record.last_job);
            record.last = Some(Occasion { at, outcome });
            Ok(true)
        })
    }

    async fn pause_schedule(&self, owner: &str, name: &str) -> Result<ScheduleRecord> {
        self.with(|state| {
            let record = find(state, owner, name)?;
            record.paused = true;
            Ok(record.clone())
        })
    }

    async fn resume_schedule(&self, owner: &str, name: &str, next_at: Timestamp) -> Result<ScheduleRecord> {
        self.with(|state| {
            let record = find(state, owner, name)?;
            if record.paused {
                (record.paused, record.next_at) = (false, next_at);
            }
            Ok(record.clone())
        })
    }

    async fn unschedule(&self, owner: &str, name: &str) -> Result<()> {
        self.with(|state| {
            let id = find(state, owner, name)?.id;
            state.schedules.retain(|record| record.id != id);
            Ok(())
        })
    }
}

fn is_begun(record: &ScheduleRecord) -> bool {
    matches!(&record.last, Some(Occasion { outcome: Outcome::Begun, .. }))
}

fn find<'s>(state: &'s mut State, owner: &str, name: &str) -> Result<&'s mut ScheduleRecord> {
    let found = state.schedules.iter_mut().find(|record| record.owner == owner && record.name == name);
    found.ok_or_else(|| Error::not_found("there is no such schedule").with("name", name))
}
