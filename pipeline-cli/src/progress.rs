//! How far a running job is: two bars on a terminal, plain lines elsewhere. Always on stderr.

use std::io::{self, IsTerminal};
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use pipeline_core::executor::StageState;
use pipeline_core::model::{Counts, ItemStatus};
use pipeline_core::pipeline::Plan;
use pipeline_core::stats::{EtaRange, StageRemaining, Tally, eta, progress};
use pipeline_core::storage::{ItemQuery, ItemRecord, JobRecord, StageTally};
use pipeline_core::time::Timestamp;
use pipeline_engine::Engine;

use crate::output::{Failure, clean, colors_allowed, duration, notice, short};

/// How often a line is printed where there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(10);

/// How often the time left is estimated anew: the store sums over everything recorded.
const ESTIMATE_EVERY: Duration = Duration::from_secs(2);

/// Shows how far a job is.
#[derive(Debug)]
pub(crate) struct Progress {
    shape: Shape,
    estimated: Option<Instant>,
    left: Option<EtaRange>,
}

#[derive(Debug)]
enum Shape {
    Quiet,
    Bars { all: MultiProgress, whole: ProgressBar, now: ProgressBar },
    Lines { last: Instant, told: u64 },
}

impl Progress {
    /// Begins; `plain` asks for lines even on a terminal, because something else prints there too.
    pub(crate) fn start(quiet: bool, plain: bool) -> Self {
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let shape = if quiet {
            Shape::Quiet
        } else if plain || dumb || !io::stderr().is_terminal() {
            Shape::Lines { last: Instant::now(), told: 0 }
        } else {
            let all = MultiProgress::with_draw_target(ProgressDrawTarget::stderr());
            let bar = if colors_allowed() { "{bar:28.cyan/blue}" } else { "{bar:28}" };
            let whole = all.add(ProgressBar::new(0)).with_style(style(&format!("{bar} {{wide_msg}}")));
            let now = all.add(ProgressBar::new_spinner()).with_style(style("{spinner} {wide_msg}"));
            now.enable_steady_tick(Duration::from_millis(120));
            Shape::Bars { all, whole, now }
        };
        Self { shape, estimated: None, left: None }
    }

    /// Prints a line without disturbing the bars.
    pub(crate) fn say(&self, line: &str) {
        match &self.shape {
            Shape::Bars { all, .. } => all.suspend(|| notice(line)),
            Shape::Quiet | Shape::Lines { .. } => notice(line),
        }
    }

    /// Tells whether single items are worth a line.
    pub(crate) const fn tells_items(&self) -> bool {
        matches!(self.shape, Shape::Lines { .. })
    }

    /// Shows how far the job is now.
    pub(crate) async fn update(&mut self, engine: &Engine, plan: &Plan, job: &JobRecord) -> Result<(), Failure> {
        if self.estimated.is_none_or(|last| last.elapsed() >= ESTIMATE_EVERY) {
            self.estimated = Some(Instant::now());
            let remaining = remaining(plan, &job.counts, &engine.store().tallies(job.id).await?);
            let parallelism = u32::try_from(job.counts.running).unwrap_or(u32::MAX).max(1);
            self.left = eta(&remaining, parallelism, Duration::ZERO).filter(|_| job.counts.open() > 0);
        }
        let left = self.left;
        match &mut self.shape {
            Shape::Quiet => {}
            Shape::Bars { whole, now, .. } => {
                whole.set_length(job.steps_planned);
                whole.set_position(job.steps_done);
                whole.set_message(status_line(job, left));
                let running = ItemQuery { statuses: vec![ItemStatus::Running], limit: 200, ..ItemQuery::of(job.id) };
                let items = engine.items(running).await?;
                now.set_message(clean(&what_runs(plan, &items)));
            }
            Shape::Lines { last, told } => {
                let done = percent(job);
                if last.elapsed() >= LINE_EVERY || done >= *told + 10 {
                    *last = Instant::now();
                    *told = done;
                    notice(&status_line(job, left));
                }
            }
        }
        Ok(())
    }

    /// Takes the bars away.
    pub(crate) fn finish(self) {
        if let Shape::Bars { all, whole, now } = self.shape {
            whole.finish_and_clear();
            now.finish_and_clear();
            // A terminal that is gone needs no clearing.
            let _ = all.clear();
        }
    }
}

fn style(template: &str) -> ProgressStyle {
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    style.progress_chars("━╸─").tick_chars("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏ ")
}

fn status_line(job: &JobRecord, left: Option<EtaRange>) -> String {
    let mut line = format!("{:>3}%  {}", percent(job), tally(&job.counts));
    if let Some(left) = left {
        line.push_str(&format!("  {} left", range(left.low, left.high)));
    }
    line
}

/// Says what has ended, for example `12 of 40 done, 1 failed`.
pub(crate) fn tally(counts: &Counts) -> String {
    let mut text = format!("{} of {} done", counts.ended(), counts.planned);
    for (count, name) in [
        (counts.filtered, "filtered"),
        (counts.rejected, "rejected"),
        (counts.undecided, "undecided"),
        (counts.failed, "failed"),
        (counts.cancelled, "cancelled"),
        (counts.waiting, "waiting"),
    ] {
        if count > 0 {
            text.push_str(&format!(", {count} {name}"));
        }
    }
    text
}

/// Says what runs now: how many items are in which stage.
fn what_runs(plan: &Plan, items: &[ItemRecord]) -> String {
    let mut stages = vec![0_u32; plan.stages.len()];
    for item in items {
        let place = item.machine.stages.iter().position(|state| !state.is_settled() && *state != StageState::Blocked);
        if let Some(count) = place.and_then(|place| stages.get_mut(place)) {
            *count += 1;
        }
    }
    let counted = plan.stages.iter().zip(&stages).filter(|(_, count)| **count > 0);
    let parts: Vec<String> = counted.map(|(stage, count)| format!("{} {count}", stage.name)).collect();
    if parts.is_empty() {
        return String::new();
    }
    let names: Vec<String> = items.iter().take(3).map(|item| short(&item.name, 24)).collect();
    let more = if items.len() > 3 { ", …" } else { "" };
    format!("{}  ({}{more})", parts.join(" · "), names.join(", "))
}

/// Returns how often each stage is still to be done, at most: every open leaf may still reach it. Before the expanding
/// stage a leaf is a part of an item.
fn remaining(plan: &Plan, counts: &Counts, tallies: &[StageTally]) -> Vec<StageRemaining> {
    let mut leaves_each = u64::from(plan.leaves_per_item());
    let mut stages = Vec::new();
    for stage in plan.stages.iter().filter(|stage| stage.enabled) {
        leaves_each /= u64::from(stage.expand.unwrap_or(1)).max(1);
        let leaves_each = leaves_each.max(1);
        let recorded = tallies.iter().find(|tally| tally.stage == stage.name);
        let tally = recorded.map_or_else(Tally::default, |recorded| Tally {
            count: recorded.count,
            total: recorded.total,
            sum_squares: recorded.sum_squares,
        });
        let planned = counts.planned.div_ceil(leaves_each);
        let left = planned.saturating_sub(tally.count).min(counts.open().div_ceil(leaves_each));
        stages.push(StageRemaining { stage: stage.name.clone(), left, tally });
    }
    stages
}

/// Returns how far a job is in whole percent; 100 only once everything has ended.
pub(crate) fn percent(job: &JobRecord) -> u64 {
    (progress(job.steps_done, job.steps_planned, &job.counts) * 100.0).floor() as u64
}

/// Prints a range of durations as shortly as it can, for example `2–4 min`.
fn range(low: Duration, high: Duration) -> String {
    let (low_seconds, high_seconds) = (low.as_secs(), high.as_secs() + 1);
    let (unit, name) = match high_seconds {
        0..100 => (1, "s"),
        100..6000 => (60, "min"),
        _ => (3600, "h"),
    };
    let (low, high) = (low_seconds / unit, high_seconds.div_ceil(unit));
    match (low, high) {
        (low, high) if low == high => format!("{high} {name}"),
        (0, high) => format!("up to {high} {name}"),
        (low, high) => format!("{low}–{high} {name}"),
    }
}

/// Prints what a job took, or takes so far.
pub(crate) fn took(job: &JobRecord, now: Timestamp) -> String {
    job.started_at.map_or_else(|| "-".to_owned(), |from| duration(job.ended_at.unwrap_or(now).since(from)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_print_in_one_unit() {
        let seconds = Duration::from_secs;
        assert_eq!(range(seconds(3), seconds(8)), "3–9 s");
        assert_eq!(range(seconds(0), seconds(8)), "up to 9 s");
        assert_eq!(range(seconds(130), seconds(200)), "2–4 min");
        assert_eq!(range(seconds(7200), seconds(9000)), "2–3 h");
    }

    #[test]
    fn a_tally_names_only_what_there_is() {
        let mut counts = Counts::default();
        counts.add(ItemStatus::Succeeded, 4);
        assert_eq!(tally(&counts), "4 of 4 done");
        counts.add(ItemStatus::Failed, 1);
        counts.add(ItemStatus::Pending, 5);
        assert_eq!(tally(&counts), "5 of 10 done, 1 failed");
    }
}
