//! The message a hook sends of an event.

use serde_json::{Map, Value, json};

use super::event::EventRecord;
use super::hook::Lane;

/// Returns the message about an event, in the form of Standard Webhooks: `type`, `timestamp` (when it happened) and `data`
/// with the job, the event's place in its sequence and the event as it is stored.
///
/// # Errors
/// When the event cannot be written as JSON.
pub fn message_body(lane: &Lane, event: &EventRecord) -> Result<String, serde_json::Error> {
    let mut data = Map::new();
    data.insert("job".to_owned(), json!(lane.job));
    data.insert("label".to_owned(), json!(lane.label));
    data.insert("pipeline".to_owned(), json!(lane.pipeline));
    data.insert("owner".to_owned(), json!(lane.owner));
    data.insert("seq".to_owned(), json!(event.seq));
    if let Value::Object(body) = serde_json::to_value(&event.body)? {
        data.extend(body);
    }
    let message = json!({ "type": event.body.kind(), "timestamp": event.at.to_string(), "data": data });
    serde_json::to_string(&message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{EventSeq, HookId, JobId, Token};
    use crate::model::{Counts, JobStatus};
    use crate::storage::EventBody;
    use crate::time::Timestamp;

    #[test]
    fn a_message_has_a_type_a_time_and_the_event() {
        let job = JobId::from_uuid(uuid::Uuid::nil());
        let lane = Lane {
            hook: HookId::from_uuid(uuid::Uuid::nil()),
            job,
            label: "cats \"1\"".to_owned(),
            pipeline: "factory".to_owned(),
            owner: "system".to_owned(),
            token: Token(1),
            after: EventSeq(6),
            attempts: 0,
        };
        let body = EventBody::Finished { status: JobStatus::Failed, counts: Counts::default() };
        let event = EventRecord { job, seq: EventSeq(7), at: Timestamp::from_micros(1_500_000), body };
        let text = message_body(&lane, &event).unwrap();
        let start = "{\"type\":\"job.finished\",\"timestamp\":\"1970-01-01T00:00:01.5Z\",\"data\":{\"job\":\"00000000-0000-0000-\
                     0000-000000000000\",\"label\":\"cats \\\"1\\\"\",\"pipeline\":\"factory\",\"owner\":\"system\",\"seq\":7,\
                     \"event\":\"finished\",\"status\":\"failed\",\"counts\":{";
        assert!(text.starts_with(start), "{text}");
    }
}
