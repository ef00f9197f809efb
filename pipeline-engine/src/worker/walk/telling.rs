//! What a walk tells the log of its job.

use std::borrow::Cow;
use std::time::Duration;

use pipeline_core::executor::{Event, ItemEvent, Outcome, Stop, Why};
use pipeline_core::id::StageName;
use pipeline_core::model::{Failure, LogLevel, Step, Verdict};
use pipeline_core::pipeline::StageIndex;
use pipeline_core::storage::NewLogEntry;

use super::Walk;

/// What an entry says beside where and when.
struct Said {
    level: LogLevel,
    step: Step,
    code: Option<Cow<'static, str>>,
    message: Cow<'static, str>,
}

impl Said {
    fn new(level: LogLevel, step: Step, message: impl Into<Cow<'static, str>>) -> Self {
        Self { level, step, code: None, message: message.into() }
    }

    fn failed(level: LogLevel, step: Step, failure: &Failure) -> Self {
        let (code, message) = (Some(Cow::Borrowed(failure.code.as_str())), failure.message.clone().into());
        Self { level, step, code, message }
    }
}

impl Walk {
    /// Tells that the item was handed out.
    pub(crate) fn tell_claim(&self) {
        if self.shared.scribe.wants(LogLevel::Debug) {
            let round = self.machine.round;
            let said = if self.first { Cow::Borrowed("for the first time") } else { format!("round {round}").into() };
            self.tell(None, Said::new(LogLevel::Debug, Step::Claim, said), None);
        }
    }

    /// Tells that a try of a stage begins.
    pub(super) fn tell_start(&self, stage: StageIndex, attempt: u32) {
        if self.shared.scribe.wants(LogLevel::Debug)
            && let Some(planned) = self.job.plan.stage(stage)
        {
            let who: Vec<&str> = planned.providers.iter().map(|(_, name)| name.as_str()).collect();
            let kind = &planned.kind;
            let said = if who.is_empty() { kind.clone() } else { format!("{kind} with {}", who.join(", ")) };
            self.tell(Some((&planned.name, attempt)), Said::new(LogLevel::Debug, Step::Start, said), None);
        }
    }

    /// Tells that another worker has taken the item over.
    pub(super) fn tell_lost(&self) {
        let said = "another worker has taken the item over; what runs for it here is given up";
        self.tell(None, Said::new(LogLevel::Warn, Step::Lost, said), None);
    }

    /// Tells what a transition brings; the try that led to it took so long.
    pub(super) fn tell_of(&self, event: &Event, events: &[ItemEvent], took: Option<Duration>) {
        if !self.shared.scribe.wants(LogLevel::Error) {
            return;
        }
        let tried = match event {
            Event::Finished { stage, attempt, .. }
            | Event::Deferred { stage, attempt, .. }
            | Event::Suspended { stage, attempt, .. } => {
                self.job.plan.stage(*stage).map(|planned| (&planned.name, *attempt))
            }
            Event::Claimed | Event::Woke { .. } | Event::CancelRequested | Event::Decided { .. } => None,
        };
        let judged = match event {
            Event::Finished { outcome: Outcome::Judged { verdict, .. }, .. } => {
                self.tell(tried, verdict_of(verdict), took);
                true
            }
            _ => false,
        };
        for event in events {
            let Some((stage, said)) = said(event) else { continue };
            let own = tried.filter(|(name, _)| Some(*name) == stage);
            // The verdict has told it.
            let told = judged && own.is_some() && matches!(said.step, Step::Done | Step::Stop);
            if !told {
                self.tell_about(stage, own.map(|(_, attempt)| attempt), said, own.and(took));
            }
        }
    }

    fn tell(&self, tried: Option<(&StageName, u32)>, said: Said, duration: Option<Duration>) {
        self.tell_about(tried.map(|(stage, _)| stage), tried.map(|(_, attempt)| attempt), said, duration);
    }

    fn tell_about(&self, stage: Option<&StageName>, attempt: Option<u32>, said: Said, duration: Option<Duration>) {
        let Said { level, step, code, message } = said;
        self.shared.scribe.tell(NewLogEntry {
            at: self.shared.now(),
            level,
            job: self.job.id,
            item: Some(self.item.id),
            stage: stage.cloned(),
            step,
            attempt,
            code,
            duration,
            message,
        });
    }
}

/// Says what an event of the executor is in the log; the end of an item is told when it is durable.
fn said(event: &ItemEvent) -> Option<(Option<&StageName>, Said)> {
    let (stage, said) = match event {
        ItemEvent::StageDone { stage, .. } => (Some(stage), Said::new(LogLevel::Info, Step::Done, "")),
        ItemEvent::StageSkipped { stage, failure: Some(failure), .. } => {
            (Some(stage), Said::failed(LogLevel::Warn, Step::Skip, failure))
        }
        ItemEvent::StageSkipped { stage, why, failure: None } => {
            // What is off is off for every item of the job.
            let level = if *why == Why::Disabled { LogLevel::Debug } else { LogLevel::Info };
            (Some(stage), Said::new(level, Step::Skip, format!("passed over: {}", why.words())))
        }
        ItemEvent::StageStopped { stage, stop } => {
            let said = match stop {
                Stop::Failed { failure } | Stop::Undecided { failure: Some(failure) } => {
                    Said::failed(LogLevel::Error, Step::Stop, failure)
                }
                Stop::Rejected => Said::new(LogLevel::Info, Step::Stop, "rejected"),
                Stop::Undecided { failure: None } => Said::new(LogLevel::Info, Step::Stop, "undecided"),
                Stop::Cancelled => Said::new(LogLevel::Info, Step::Stop, "cancelled"),
            };
            (Some(stage), said)
        }
        ItemEvent::StageRetrying { stage, at, failure, .. } => {
            let mut said = Said::failed(LogLevel::Warn, Step::Retry, failure);
            said.message = format!("again at {at}: {}", failure.message).into();
            (Some(stage), said)
        }
        ItemEvent::StageWaiting { stage, reason } => {
            (Some(stage), Said::new(LogLevel::Info, Step::Wait, reason.clone()))
        }
        ItemEvent::Recovered { crashes } => {
            let message = format!("taken over after the process ended ({crashes} times so far)");
            (None, Said::new(LogLevel::Warn, Step::Recover, message))
        }
        ItemEvent::Expanded { stage, children } => {
            (Some(stage), Said::new(LogLevel::Info, Step::Expand, format!("{children} items are made of it")))
        }
        // What a condition saw is in the story of the item.
        ItemEvent::Condition { .. } | ItemEvent::Decided { .. } | ItemEvent::Ended { .. } => return None,
    };
    Some((stage, said))
}

fn verdict_of(verdict: &Verdict) -> Said {
    let message: Cow<'static, str> = match verdict {
        Verdict::Pass => "passed".into(),
        Verdict::Fail { reasons } => {
            let reasons: Vec<&str> = reasons.iter().map(|reason| reason.message.as_str()).collect();
            format!("rejected: {}", reasons.join("; ")).into()
        }
        Verdict::Uncertain { reason } => format!("cannot tell: {}", reason.message).into(),
    };
    Said::new(LogLevel::Info, Step::Verdict, message)
}
