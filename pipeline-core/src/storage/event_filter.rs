//! Which events a hook is told of, by name.

use serde::{Deserialize, Serialize};

use crate::executor::ItemEvent;

use super::event::EventBody;

/// Every name a pattern may match: the kinds, and those that end in how it ended or what was asked for.
const NAMES: [&str; 28] = [
    "job.submitted",
    "job.controlled",
    "job.controlled.run",
    "job.controlled.pause",
    "job.controlled.cancel",
    "job.reopened",
    "job.finished",
    "job.finished.completed",
    "job.finished.completed_with_failures",
    "job.finished.failed",
    "job.finished.cancelled",
    "job.finished.empty",
    "item.condition",
    "item.stage_done",
    "item.stage_skipped",
    "item.stage_stopped",
    "item.stage_retrying",
    "item.stage_waiting",
    "item.recovered",
    "item.expanded",
    "item.decided",
    "item.ended",
    "item.ended.succeeded",
    "item.ended.filtered",
    "item.ended.rejected",
    "item.ended.undecided",
    "item.ended.failed",
    "item.ended.cancelled",
];

impl EventBody {
    /// Returns what kind of event it is: `job.finished`, `item.stage_done`, …
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Submitted { .. } => "job.submitted",
            Self::Controlled { .. } => "job.controlled",
            Self::Reopened => "job.reopened",
            Self::Finished { .. } => "job.finished",
            Self::Item { what, .. } => match what {
                ItemEvent::Condition { .. } => "item.condition",
                ItemEvent::StageDone { .. } => "item.stage_done",
                ItemEvent::StageSkipped { .. } => "item.stage_skipped",
                ItemEvent::StageStopped { .. } => "item.stage_stopped",
                ItemEvent::StageRetrying { .. } => "item.stage_retrying",
                ItemEvent::StageWaiting { .. } => "item.stage_waiting",
                ItemEvent::Recovered { .. } => "item.recovered",
                ItemEvent::Expanded { .. } => "item.expanded",
                ItemEvent::Decided { .. } => "item.decided",
                ItemEvent::Ended { .. } => "item.ended",
            },
        }
    }

    /// Returns how it ended or what was asked for, where that is a word: the last part of a name.
    fn detail(&self) -> Option<&'static str> {
        match self {
            Self::Controlled { control } => Some(control.as_str()),
            Self::Finished { status, .. } => Some(status.as_str()),
            Self::Item { what: ItemEvent::Ended { status }, .. } => Some(status.as_str()),
            Self::Submitted { .. } | Self::Reopened | Self::Item { .. } => None,
        }
    }
}

/// A pattern that matches the name of no event.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` matches no event; expected for example job.finished, job.*, item.ended.failed or *")]
pub struct UnknownEvent(String);

/// Which events: patterns over names, with `*` for any characters. A name is a kind, such as `item.ended`, or a kind and how
/// it ended, such as `item.ended.failed`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EventFilter(Vec<String>);

impl Default for EventFilter {
    /// What happens to jobs, and nothing of their items.
    fn default() -> Self {
        Self(vec!["job.*".to_owned()])
    }
}

impl EventFilter {
    /// Makes a filter of patterns; without any it is the default one.
    ///
    /// # Errors
    /// The first pattern that matches no event.
    pub fn new(patterns: Vec<String>) -> Result<Self, UnknownEvent> {
        if let Some(wrong) = patterns.iter().find(|pattern| !NAMES.iter().any(|name| matches(pattern, name))) {
            return Err(UnknownEvent(wrong.clone()));
        }
        Ok(if patterns.is_empty() { Self::default() } else { Self(patterns) })
    }

    /// Returns the patterns.
    pub fn patterns(&self) -> &[String] {
        &self.0
    }

    /// Tells whether an event is wanted.
    pub fn takes(&self, event: &EventBody) -> bool {
        let kind = event.kind();
        let full = event.detail().map(|detail| format!("{kind}.{detail}"));
        self.0.iter().any(|pattern| matches(pattern, kind) || full.as_ref().is_some_and(|full| matches(pattern, full)))
    }
}

fn matches(pattern: &str, name: &str) -> bool {
    let Some((head, rest)) = pattern.split_once('*') else { return pattern == name };
    let Some(mut left) = name.strip_prefix(head) else { return false };
    let mut parts = rest.split('*').peekable();
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return left.ends_with(part);
        }
        match left.find(part) {
            Some(place) => left = left.get(place + part.len()..).unwrap_or_default(),
            None => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{ItemId, JobId, ResultId, StageName};
    use crate::model::{Control, Counts, ItemStatus, JobStatus};

    fn filter(patterns: &[&str]) -> EventFilter {
        EventFilter::new(patterns.iter().map(|pattern| (*pattern).to_owned()).collect()).unwrap()
    }

    fn ended(status: ItemStatus) -> EventBody {
        EventBody::Item { item: ItemId::from_uuid(uuid::Uuid::nil()), what: ItemEvent::Ended { status } }
    }

    #[test]
    fn a_pattern_names_a_kind_or_a_kind_and_how_it_ended() {
        let failed = EventBody::Finished { status: JobStatus::Failed, counts: Counts::default() };
        for pattern in ["job.finished", "job.finished.failed", "job.*", "*", "*.failed", "j*finished*", "*.*"] {
            assert!(filter(&[pattern]).takes(&failed), "{pattern}");
        }
        for pattern in ["job.finished.completed", "item.*", "job.submitted", "job", "job.finish"] {
            let filter = EventFilter(vec![pattern.to_owned()]);
            assert!(!filter.takes(&failed), "{pattern}");
        }
        assert!(filter(&["job.submitted", "item.ended.failed"]).takes(&ended(ItemStatus::Failed)));
        assert!(!filter(&["item.ended.failed"]).takes(&ended(ItemStatus::Succeeded)));
    }

    #[test]
    fn a_pattern_that_matches_nothing_is_refused() {
        for wrong in ["", "job.done", "jobs.*", "item.ended.fine", "Job.finished"] {
            let error = EventFilter::new(vec!["job.*".to_owned(), wrong.to_owned()]).unwrap_err();
            assert!(error.to_string().contains(&format!("`{wrong}`")), "{error}");
        }
        assert_eq!(EventFilter::new(Vec::new()).unwrap(), EventFilter::default());
    }

    #[test]
    fn by_default_it_is_what_happens_to_jobs() {
        let default = EventFilter::default();
        assert!(default.takes(&EventBody::Submitted { planned: 1 }) && default.takes(&EventBody::Reopened));
        assert!(default.takes(&EventBody::Controlled { control: Control::Pause }));
        assert!(!default.takes(&ended(ItemStatus::Failed)));
    }

    #[test]
    fn every_kind_and_ending_has_a_name() {
        let stage = StageName::new("qc").unwrap();
        let done = ItemEvent::StageDone { stage, attempt: 1, result: ResultId::from_uuid(uuid::Uuid::nil()) };
        let job = JobId::from_uuid(uuid::Uuid::nil());
        let mut bodies = vec![EventBody::Item { item: ItemId::from_uuid(job.as_uuid()), what: done }];
        bodies.extend(["run", "pause", "cancel"].map(|word| EventBody::Controlled { control: word.parse().unwrap() }));
        for word in ["completed", "completed_with_failures", "failed", "cancelled", "empty"] {
            bodies.push(EventBody::Finished { status: word.parse().unwrap(), counts: Counts::default() });
        }
        for word in ["succeeded", "filtered", "rejected", "undecided", "failed", "cancelled"] {
            bodies.push(ended(word.parse().unwrap()));
        }
        for body in bodies {
            let name = body.detail().map_or(body.kind().to_owned(), |detail| format!("{}.{detail}", body.kind()));
            assert!(NAMES.contains(&name.as_str()) && NAMES.contains(&body.kind()), "{name}");
        }
    }
}
