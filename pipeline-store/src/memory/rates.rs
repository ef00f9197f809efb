//! How fast the queue moves, told by the ends of the event logs.

use pipeline_core::executor::ItemEvent;
use pipeline_core::storage::{EventBody, Rates};
use pipeline_core::time::Timestamp;

use super::state::State;

/// Says how fast the queue moves.
pub(super) fn rates(state: &State, now: Timestamp) -> Rates {
    let [window, ..] = Rates::WINDOWS;
    let mut rates = Rates { window, ..Rates::default() };
    for job in state.jobs.values() {
        for event in job.events.iter().rev().take_while(|event| event.at.after(window) > now) {
            match event.body {
                EventBody::Item { what: ItemEvent::Ended { .. }, .. } => rates.items += 1,
                EventBody::Item { what: ItemEvent::StageDone { .. }, .. } => rates.stages += 1,
                _ => {}
            }
        }
    }
    rates
}
