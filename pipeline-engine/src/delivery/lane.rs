//! Delivering what a lane has: one message after the other, until it has heard all or one has to wait.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::time::Instant;

use pipeline_core::error::chain;
use pipeline_core::provider::{HookAnswer, HookMessage, HookSender};
use pipeline_core::storage::{
    DeliveryOutcome, EventRecord, Hook, LANE_GRACE, Lane, LaneReport, LaneStep, message_body,
};
use pipeline_core::time::Timestamp;
use pipeline_core::{Error, Result};

use crate::worker::Shared;

use super::round::Count;

/// So many events are read at once at first: each may be a message.
const PAGE: u32 = 100;

/// And so many where none of them was.
const LONG_PAGE: u32 = 1_000;

/// So many messages are sent before others have their turn.
const TURN: u32 = 50;

/// When a lane was held for so long, it is held anew: a try that begins has to end while it is.
const HALF: Duration = Duration::from_millis(LANE_GRACE.as_millis() as u64 / 2);

/// What is known after a try.
pub(super) struct Tried {
    pub(super) outcome: DeliveryOutcome,
    /// The receiver wants no messages any more.
    pub(super) gone: bool,
}

/// Delivers what a lane has. Ends early when somebody else has it.
pub(super) async fn deliver(
    shared: &Shared,
    sender: &Arc<dyn HookSender>,
    hook: &Hook,
    mut lane: Lane,
    count: &Count,
) -> Result<()> {
    let mut sent = 0;
    let mut held = Instant::now();
    let mut page = PAGE;
    loop {
        let events = shared.store.events(lane.job, lane.after, page).await?;
        let more = events.len() == page as usize;
        for event in events {
            if !hook.spec.events.takes(&event.body) {
                lane.after = event.seq;
                continue;
            }
            if held.elapsed() > HALF && !report(shared, &lane, LaneStep::Passed(lane.after), true).await? {
                return Ok(());
            }
            let tried = attempt(shared, sender, hook, &lane, &event).await?;
            sent += 1;
            let delivered = matches!(tried.outcome, DeliveryOutcome::Delivered { .. });
            let failed = matches!(tried.outcome, DeliveryOutcome::Failed { .. });
            let hold = (delivered || failed) && sent < TURN;
            if tried.gone {
                leave_alone(shared, hook).await?;
            }
            count.add(&tried.outcome);
            let step = LaneStep::Tried { seq: event.seq, kind: event.body.kind().to_owned(), outcome: tried.outcome };
            if !report(shared, &lane, step, hold).await? || !hold {
                return Ok(());
            }
            held = Instant::now();
            lane.after = event.seq;
            lane.attempts = 0;
        }
        page = if sent == 0 { LONG_PAGE } else { PAGE };
        // What is passed over is not written down page by page.
        if !more || held.elapsed() > HALF {
            if !report(shared, &lane, LaneStep::Passed(lane.after), more).await? || !more {
                return Ok(());
            }
            held = Instant::now();
        }
    }
}

/// Pauses the hook of a receiver that wants no messages any more.
async fn leave_alone(shared: &Shared, hook: &Hook) -> Result<()> {
    let reason = "the receiver wants no messages any more (410 Gone)";
    shared.store.pause_hook(hook.id, Some(reason)).await?;
    tracing::warn!(hook = %hook.name, "paused: {reason}");
    Ok(())
}

async fn report(shared: &Shared, lane: &Lane, step: LaneStep, hold: bool) -> Result<bool> {
    let report = LaneReport { hook: lane.hook, job: lane.job, token: lane.token, step, hold };
    shared.store.report_lane(report).await
}

/// Sends the message about an event, once.
pub(super) async fn attempt(
    shared: &Shared,
    sender: &Arc<dyn HookSender>,
    hook: &Hook,
    lane: &Lane,
    event: &EventRecord,
) -> Result<Tried> {
    let broken = |error| Error::unexpected("the message cannot be written").because(error);
    let message = HookMessage {
        id: hook.id.message(lane.job, event.seq),
        hook: hook.name.clone(),
        kind: event.body.kind().to_owned(),
        job: Some(lane.job),
        attempt: lane.attempts + 1,
        at: shared.now(),
        timeout: hook.spec.policy.timeout,
        body: message_body(lane, event).map_err(broken)?,
    };
    let answer = send(sender, hook, &message).await;
    Ok(judge(hook, lane.attempts + 1, answer, shared.draw()))
}

/// Sends a message within its time, whatever the sender does.
pub(crate) async fn send(sender: &Arc<dyn HookSender>, hook: &Hook, message: &HookMessage) -> Result<HookAnswer> {
    let late = |_| Error::new(pipeline_core::ErrorKind::Timeout, "the receiver did not answer in time");
    tokio::time::timeout(message.timeout, sender.send(&hook.spec.target, message)).await.map_err(late)?
}

/// Says what comes of an answer.
fn judge(hook: &Hook, tried: u32, answer: Result<HookAnswer>, draw: u64) -> Tried {
    let (status, after, gone, error) = match answer {
        Ok(HookAnswer::Taken { status }) => {
            return Tried { outcome: DeliveryOutcome::Delivered { status }, gone: false };
        }
        Ok(HookAnswer::Refused { status, after }) => (Some(status), after, false, refusal(hook, status)),
        Ok(HookAnswer::Gone { status }) => (Some(status), None, true, refusal(hook, status)),
        Err(error) => (None, None, false, chain(&error)),
    };
    let outcome = if gone {
        // Kept for when the hook goes on.
        DeliveryOutcome::Waiting { wait: Duration::ZERO, status, error }
    } else {
        match hook.spec.policy.wait(tried, after, draw) {
            Some(wait) => DeliveryOutcome::Waiting { wait, status, error },
            None => DeliveryOutcome::Failed { status, error },
        }
    };
    Tried { outcome, gone }
}

fn refusal(hook: &Hook, status: i32) -> String {
    match hook.spec.target {
        pipeline_core::provider::HookTarget::Webhook { .. } => format!("the receiver answered {status}"),
        pipeline_core::provider::HookTarget::Command { .. } => format!("the program ended with {status}"),
    }
}

/// Returns the message that tests the way to a hook.
pub(crate) fn body_of_test(hook: &str, at: Timestamp) -> String {
    json!({ "type": "hook.test", "timestamp": at.to_string(), "data": { "hook": hook } }).to_string()
}

/// Sends the message about an event again, outside of its lane: what came of it, without a later try, and whether the hook is
/// paused because the receiver wants no messages any more.
pub(crate) async fn attempt_again(
    shared: &Shared,
    sender: &Arc<dyn HookSender>,
    hook: &Hook,
    lane: &Lane,
    event: &EventRecord,
) -> Result<(DeliveryOutcome, bool)> {
    let Tried { outcome, gone } = attempt(shared, sender, hook, lane, event).await?;
    if gone {
        leave_alone(shared, hook).await?;
    }
    let outcome = match outcome {
        DeliveryOutcome::Waiting { status, error, .. } => DeliveryOutcome::Failed { status, error },
        outcome => outcome,
    };
    Ok((outcome, gone))
}
