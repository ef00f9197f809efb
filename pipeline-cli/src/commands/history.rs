//! `jobs watch`: a job's events as readable lines.

use serde_json::{Value, json};

use pipeline_core::executor::{Decision, ItemEvent, Stop, Why};
use pipeline_core::id::EventSeq;
use pipeline_core::storage::{EventBody, EventRecord};
use pipeline_engine::Engine;

use crate::lookup;
use crate::output::{Exit, Failure, Output, Stream, plain};

use super::names::Names;

/// How many events are asked for at once.
const PAGE: u32 = 500;
/// The fields of an event as CSV.
const COLUMNS: [&str; 8] = ["seq", "at", "event", "item", "name", "kind", "stage", "text"];

/// Prints the events so far.
async fn past(engine: &Engine, text: &str, from: i64, output: &mut Output<'_>) -> Result<Exit, Failure> {
    let job = lookup::job(engine, text).await?;
    let mut printer = Printer::new(engine, output);
    let mut after = EventSeq(from - 1);
    loop {
        let events = engine.store().events(job.id, after, PAGE).await?;
        let Some(last) = events.last() else { break };
        after = last.seq;
        for event in &events {
            printer.print(event).await?;
        }
        if printer.stream.is_closed() {
            break;
        }
    }
    printer.stream.end()?;
    Ok(Exit::Good)
}

/// Prints the events until the job ends.
pub(crate) async fn watch(engine: &Engine, text: &str, from: i64, output: &mut Output<'_>) -> Result<Exit, Failure> {
    let job = lookup::job(engine, text).await?;
    if job.status.is_terminal() {
        return past(engine, &job.id.to_string(), from, output).await;
    }
    let mut printer = Printer::new(engine, output);
    let mut events = engine.watch(job.id, EventSeq(from - 1));
    while let Some(event) = events.next().await? {
        printer.print(&event).await?;
        if printer.stream.is_closed() {
            return Ok(Exit::Good);
        }
    }
    printer.stream.end()?;
    Ok(Exit::Good)
}

/// Prints events with the names of their items.
struct Printer<'e, 's, 'a> {
    stream: Stream<'s, 'a>,
    names: Names<'e>,
}

impl<'e, 's, 'a> Printer<'e, 's, 'a> {
    fn new(engine: &'e Engine, output: &'s mut Output<'a>) -> Self {
        Self { stream: output.stream(), names: Names::of(engine) }
    }

    async fn print(&mut self, event: &EventRecord) -> Result<(), Failure> {
        let mut value = json!({"seq": event.seq, "at": event.at.to_string()});
        let Value::Object(fields) = &mut value else { return Ok(()) };
        let mut add = |more: Value| {
            if let Value::Object(more) = more {
                fields.extend(more);
            }
        };
        let text = match &event.body {
            EventBody::Item { item, what } => {
                let name = self.names.name(*item).await?;
                add(json!({"event": "item", "item": item, "name": name}));
                add(serde_json::to_value(what).map_err(Failure::unexpected)?);
                format!("{name}: {}", happened(what))
            }
            body => {
                add(serde_json::to_value(body).map_err(Failure::unexpected)?);
                about_job(body)
            }
        };
        add(json!({"text": text}));
        let line = format!("{:>5}  {}  {text}", event.seq.0, clock(&event.at.to_string()));
        self.stream.push(&line, &value, &COLUMNS)
    }
}

/// Shortens a point in time to the millisecond.
pub(super) fn clock(time: &str) -> String {
    let (head, rest) = time.split_once('.').unwrap_or((time.trim_end_matches('Z'), ""));
    let fraction: String = rest.trim_end_matches('Z').chars().chain("000".chars()).take(3).collect();
    format!("{}.{fraction}Z", head.replace('T', " "))
}

fn about_job(body: &EventBody) -> String {
    match body {
        EventBody::Submitted { planned } => format!("submitted, {planned} planned"),
        EventBody::Controlled { control } => format!("asked to {control}"),
        EventBody::Reopened => "opened again by a review".to_owned(),
        EventBody::Finished { status, counts } => format!("ended: {status}, {}", super::summary::parts(counts)),
        EventBody::Item { what, .. } => happened(what),
    }
}

/// Says what happened to an item.
fn happened(what: &ItemEvent) -> String {
    match what {
        ItemEvent::Condition { stage, answer, saw } => {
            let answer = match answer {
                Some(true) => "holds",
                Some(false) => "does not hold",
                None => "cannot be evaluated",
            };
            let saw: Vec<String> = saw.iter().map(|(name, value)| format!("{name} = {}", plain(value))).collect();
            format!("the condition of {stage} {answer}: {}", saw.join(", "))
        }
        ItemEvent::StageDone { stage, attempt, .. } if *attempt > 1 => format!("{stage} done at try {attempt}"),
        ItemEvent::StageDone { stage, .. } => format!("{stage} done"),
        ItemEvent::StageSkipped { stage, why, failure: None } => format!("{stage} passed over: {}", skipped(*why)),
        ItemEvent::StageSkipped { stage, why, failure: Some(failure) } => {
            format!("{stage} passed over: {}: {}", skipped(*why), failure.message)
        }
        ItemEvent::StageStopped { stage, stop } => match stop {
            Stop::Rejected => format!("{stage} rejected it"),
            Stop::Undecided { failure: None } => format!("{stage} cannot tell"),
            Stop::Undecided { failure: Some(failure) } => format!("{stage} could not judge: {}", failure.message),
            Stop::Failed { failure } => format!("{stage} failed: {}", failure.message),
            Stop::Cancelled => format!("{stage} cancelled"),
        },
        ItemEvent::StageRetrying { stage, attempt, at, failure } => {
            format!("{stage} failed at try {attempt}, again at {}: {}", clock(&at.to_string()), failure.message)
        }
        ItemEvent::StageWaiting { stage, reason } => format!("{stage} waits: {reason}"),
        ItemEvent::Recovered { crashes } => format!("taken over after the process ended ({crashes} times so far)"),
        ItemEvent::Expanded { stage, children } => format!("{stage} makes {children} of it"),
        ItemEvent::Decided { decision, round } => match decision {
            Decision::Retry(_) => format!("a person wants it again: round {round}"),
            Decision::Approve => format!("a person approved it: round {round}"),
            Decision::Discard => "a person discarded it".to_owned(),
        },
        ItemEvent::Ended { status } => format!("ended: {status}"),
    }
}

/// Says why a stage was passed over.
pub(super) const fn skipped(why: Why) -> &'static str {
    why.words()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_three_decimals() {
        assert_eq!(clock("2026-11-23T05:27:00.5Z"), "2026-11-23 05:27:00.500Z");
        assert_eq!(clock("2026-11-23T05:27:00Z"), "2026-11-23 05:27:00.000Z");
        assert_eq!(clock("2026-11-23T05:27:00.123456Z"), "2026-11-23 05:27:00.123Z");
    }
}
