//! A broken event log.

use async_trait::async_trait;
use pipeline_core::error::Result;
use pipeline_core::id::{EventSeq, JobId};
use pipeline_core::model::Control;
use pipeline_core::storage::{EventBody, EventLog, EventRecord, JobStore as _};

use super::store::{Breach, Broken};

fn is_item(event: &EventRecord) -> bool {
    matches!(event.body, EventBody::Item { .. })
}

#[async_trait]
impl EventLog for Broken {
    async fn events(&self, job: JobId, after: EventSeq, limit: u32) -> Result<Vec<EventRecord>> {
        if self.is_lost(Breach::EventsLost) {
            return Ok(Vec::new());
        }
        let mut events = self.store.events(job, EventSeq::START, u32::MAX).await?;
        self.distort(job, &mut events).await?;
        let limit = if self.is(Breach::EventLimitIgnored) { u32::MAX } else { limit };
        Ok(events.into_iter().filter(|event| event.seq > after).take(limit as usize).collect())
    }
}

impl Broken {
    async fn distort(&self, job: JobId, events: &mut Vec<EventRecord>) -> Result<()> {
        match self.breach {
            Some(Breach::ItemsToldForLeaves) => {
                let roots = self.notes().roots.get(&job).copied().unwrap_or_default();
                for event in events {
                    if let EventBody::Submitted { planned } = &mut event.body {
                        *planned = roots;
                    }
                }
            }
            Some(Breach::ClaimTold) if self.store.job(job).await?.started_at.is_some() => {
                if let Some(first) = events.first().cloned() {
                    let told = EventBody::Controlled { control: Control::Run };
                    events.insert(1, EventRecord { body: told, ..first });
                    (1..).zip(events).for_each(|(seq, event)| event.seq = EventSeq(seq));
                }
            }
            Some(Breach::FinishedFirst) => {
                let last = events.len().saturating_sub(2);
                if let Some([item, end]) = events.get_mut(last..)
                    && is_item(item)
                    && matches!(end.body, EventBody::Finished { .. })
                {
                    std::mem::swap(&mut item.body, &mut end.body);
                }
            }
            Some(Breach::GapAfterControl) => {
                let mut gaps = 0;
                for event in events {
                    event.seq.0 += gaps;
                    gaps += i64::from(matches!(event.body, EventBody::Controlled { .. }));
                }
            }
            Some(Breach::ItemEventsBackwards) => {
                let mut bodies: Vec<EventBody> =
                    events.iter().filter(|event| is_item(event)).map(|event| event.body.clone()).collect();
                for event in events.iter_mut().filter(|event| is_item(event)) {
                    event.body = bodies.pop().unwrap_or(EventBody::Submitted { planned: 0 });
                }
            }
            _ => {}
        }
        Ok(())
    }
}
