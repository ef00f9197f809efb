//! `logs`: what happened step by step.

use std::fs::File;
use std::io::{BufWriter, ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use pipeline_core::id::{JobId, StageName};
use pipeline_core::model::LogLevel;
use pipeline_core::storage::{JobRecord, LogEntry, LogKeeper, LogQuery};
use pipeline_core::time::{Clock as _, Timestamp};
use pipeline_engine::{Engine, SystemClock};

use crate::args::LogsArgs;
use crate::lookup::{self, short_id};
use crate::output::{Exit, Failure, Format, Output, Stream, clean, duration, notice, short};
use crate::when;

use super::confirm::counted;
use super::history::clock;
use super::names::Names;

/// How many entries are asked for at once.
const PAGE: u32 = 1_000;
/// How often a follower looks.
const LOOK: Duration = Duration::from_millis(300);
/// So often a follower finds nothing new after the end of the job before it ends: the last entries come after it.
const QUIET: u32 = 3;
/// The fields of an entry as CSV.
const COLUMNS: [&str; 12] =
    ["seq", "at", "level", "job", "item", "name", "stage", "step", "attempt", "code", "seconds", "message"];

/// Prints the entries asked for, or writes them into a file.
pub(crate) async fn logs(engine: &Engine, args: &LogsArgs, output: &mut Output<'_>) -> Result<Exit, Failure> {
    let job = match &args.job {
        Some(text) => Some(lookup::job(engine, text).await?),
        None => None,
    };
    let query = query(engine, args, job.as_ref()).await?;
    let Some(keeper) = engine.logs().cloned() else {
        return Err(Failure::unexpected("this engine keeps no logs"));
    };
    let whole = args.debug || job.is_none();
    let mut printer = Printer { engine, keeper, names: Names::of(engine), query, whole, count: 0 };
    if let Some(path) = &args.export {
        let written = printer.export(path, args.force).await?;
        let file = path.display().to_string();
        if output.is_table() {
            output.line(&format!("{} written to {file}", counted(written, "line")))?;
        } else {
            output.value(&json!({"file": file, "entries": written}))?;
        }
        return Ok(Exit::Good);
    }
    let people = output.is_table();
    let mut stream = output.stream();
    printer.print(&mut stream).await?;
    if args.follow {
        let job = printer.query.job;
        printer.follow(job, &mut stream).await?;
    }
    stream.end()?;
    if people && printer.count == 0 {
        notice("no such lines; `pipeline jobs watch JOB` shows the events of a job, --keep-logs what is kept");
    }
    Ok(Exit::Good)
}

/// Says in the words of the keeper what is asked for.
async fn query(engine: &Engine, args: &LogsArgs, job: Option<&JobRecord>) -> Result<LogQuery, Failure> {
    let mut items = Vec::new();
    let mut of = job.map(|job| job.id);
    if let Some(text) = &args.item {
        let id = lookup::item(engine, text).await?;
        let found = engine.store().item(id).await.map_err(|error| match error.kind() {
            pipeline_core::ErrorKind::NotFound => lookup::no_item(text),
            _ => error.into(),
        })?;
        if let Some(job) = job.filter(|job| job.id != found.job) {
            return Err(Failure::wrong(format!("item {id} is none of job {}", job.id))
                .hint(format!("it is one of job {}", found.job)));
        }
        // Lines are found by their job; without one all there are would be read.
        of = Some(found.job);
        items.push(id);
        // What siblings share in one call is told of their parent.
        items.extend(found.parent);
    }
    let stage = match &args.stage {
        Some(name) => Some(stage(engine, name, job).await?),
        None => None,
    };
    let since = args.since.as_deref().map(since).transpose()?;
    let narrow = args.step.is_some() || args.code.is_some();
    let level = match args.level {
        Some(level) => level,
        None if args.errors => LogLevel::Warn,
        None if args.debug || narrow => LogLevel::Debug,
        None => LogLevel::Info,
    };
    let (step, code) = (args.step.clone(), args.code.clone());
    Ok(LogQuery { job: of, items, stage, step, level, code, since, limit: PAGE, ..LogQuery::default() })
}

/// Reads the name of a stage, which has to be one of the job's where there is one.
async fn stage(engine: &Engine, name: &str, job: Option<&JobRecord>) -> Result<StageName, Failure> {
    let stage = StageName::new(name).map_err(|error| Failure::wrong(format!("--stage: {error}")))?;
    if let Some(job) = job {
        let plan = engine.store().plan(job.id).await?.plan;
        if !plan.stages.iter().any(|planned| planned.name == stage) {
            let names: Vec<&str> = plan.stages.iter().map(|planned| planned.name.as_str()).collect();
            return Err(Failure::wrong(format!("--stage: the job has no stage `{name}`"))
                .hint(format!("accepted: {}", names.join(", "))));
        }
    }
    Ok(stage)
}

/// Reads `--since`: a span back from now, or a moment.
fn since(text: &str) -> Result<Timestamp, Failure> {
    if let Ok(span) = when::span("--since", text) {
        let back = i64::try_from(span.as_micros()).unwrap_or(i64::MAX);
        return Ok(Timestamp::from_micros(SystemClock.now().as_micros().saturating_sub(back)));
    }
    when::moment("--since", text).map_err(|_| {
        Failure::wrong(format!("--since `{}` is no time", clean(text)))
            .hint("expected a time such as 2026-11-23T05:27:00Z, a day such as 2026-11-23 (UTC), or how long ago, such as 10m")
    })
}

/// Prints entries with the names of their items, page by page.
struct Printer<'e> {
    engine: &'e Engine,
    keeper: Arc<dyn LogKeeper>,
    names: Names<'e>,
    query: LogQuery,
    /// Whether people see every column.
    whole: bool,
    count: u64,
}

impl Printer<'_> {
    /// Prints what is there; returns how many.
    async fn print(&mut self, stream: &mut Stream<'_, '_>) -> Result<u64, Failure> {
        let before = self.count;
        loop {
            let page = self.keeper.entries(self.query.clone()).await?;
            let Some(last) = page.last() else { break };
            self.query.after = last.seq;
            for entry in &page {
                self.one(entry, stream).await?;
            }
            if stream.is_closed() || page.len() < PAGE as usize {
                break;
            }
        }
        Ok(self.count - before)
    }

    /// Goes on until the job has ended and nothing comes any more.
    async fn follow(&mut self, job: Option<JobId>, stream: &mut Stream<'_, '_>) -> Result<(), Failure> {
        let mut quiet = 0;
        while !stream.is_closed() && quiet < QUIET {
            let ended = match job {
                Some(job) => self.engine.job(job).await?.status.is_terminal(),
                None => false,
            };
            let new = self.print(stream).await?;
            quiet = if ended && new == 0 { quiet + 1 } else { 0 };
            tokio::time::sleep(LOOK).await;
        }
        Ok(())
    }

    /// Writes all into a file, which appears whole.
    async fn export(&mut self, path: &Path, force: bool) -> Result<u64, Failure> {
        let format = match path.extension().and_then(|extension| extension.to_str()) {
            Some("ndjson") => Format::Ndjson,
            Some("csv") => Format::Csv,
            _ => {
                return Err(Failure::wrong(format!("--export: {} is no kind of file to write", path.display()))
                    .hint("accepted: a name that ends with .ndjson or .csv"));
            }
        };
        let there = || {
            Failure::wrong(format!("--export: {} is there already", path.display())).hint("--force replaces the file")
        };
        if !force && path.symlink_metadata().is_ok() {
            return Err(there());
        }
        let mut part = path.as_os_str().to_owned();
        part.push(format!(".{}.part", std::process::id()));
        let part = PathBuf::from(part);
        let unwritten = |error: &std::io::Error| Failure::file("--export: cannot write", path, error);
        let mut file = BufWriter::new(File::create(&part).map_err(|error| unwritten(&error))?);
        let written = {
            let mut output = Output::new(&mut file, format);
            let mut stream = output.stream();
            let printed = self.print(&mut stream).await;
            match printed {
                Ok(count) => stream.end().map(|()| count),
                Err(failure) => Err(failure),
            }
        };
        let placed = written.and_then(|count| {
            file.flush().map_err(|error| unwritten(&error))?;
            // Unlike a rename, a link never replaces what has appeared meanwhile.
            let placed = if force { std::fs::rename(&part, path) } else { std::fs::hard_link(&part, path) };
            placed
                .map_err(|error| if error.kind() == ErrorKind::AlreadyExists { there() } else { unwritten(&error) })?;
            Ok(count)
        });
        std::fs::remove_file(&part).ok();
        placed
    }

    async fn one(&mut self, LogEntry { seq, entry }: &LogEntry, stream: &mut Stream<'_, '_>) -> Result<(), Failure> {
        self.count += 1;
        let name = match entry.item {
            Some(item) => self.names.name(item).await?,
            None => String::new(),
        };
        let at = entry.at.to_string();
        let known = entry.item.map(|_| name.clone());
        let name = short(&name, 28);
        let value = json!({
            "seq": seq,
            "at": at,
            "level": entry.level,
            "job": entry.job,
            "item": entry.item,
            "name": known,
            "stage": entry.stage,
            "step": entry.step,
            "attempt": entry.attempt,
            "code": entry.code,
            "seconds": entry.duration.map(|duration| duration.as_secs_f64()),
            "message": entry.message,
        });
        let stage = entry.stage.as_ref().map_or("", StageName::as_str);
        let code = entry.code.as_ref().map_or_else(String::new, |code| format!(" [{code}]"));
        let took = entry.duration.map_or_else(String::new, |took| format!(" ({})", spent(took)));
        let message = if entry.message.is_empty() { String::new() } else { format!(" {}", entry.message) };
        let line = if self.whole {
            let attempt = entry.attempt.map_or_else(|| "-".to_owned(), |attempt| attempt.to_string());
            let job = short_id(entry.job);
            let (time, level, step) = (clock(&at), entry.level, &entry.step);
            format!("{time}  {level:<5}  {job}  {name:<28}  {stage:<10}  {attempt:>2}  {step:<11}{code}{message}{took}")
        } else {
            let (time, level, step) = (clock(&at), entry.level, &entry.step);
            format!("{time}  {level:<5}  {name:<28}  {stage:<10}  {step:<11}{code}{message}{took}")
        };
        stream.push(line.trim_end(), &value, &COLUMNS)
    }
}

/// Says how long a step took, shorter than a millisecond as well.
fn spent(took: Duration) -> String {
    if took < Duration::from_millis(1) { format!("{} µs", took.as_micros()) } else { duration(took) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_a_moment_or_counted_back_from_now() {
        assert_eq!(since("2026-11-23T05:27:00Z").unwrap().to_string(), "2026-11-23T05:27:00Z");
        assert_eq!(since("2026-11-23").unwrap().to_string(), "2026-11-23T00:00:00Z");
        let back = SystemClock.now().since(since("10m").unwrap());
        assert!((Duration::from_secs(599)..Duration::from_secs(700)).contains(&back), "{back:?}");
        for wrong in ["", "soon", "0s", "-5m", "25:00"] {
            let text = since(wrong).unwrap_err().lines().join("\n");
            assert!(text.contains("--since") && text.contains("10m"), "{text}");
        }
    }

    #[test]
    fn short_steps_are_not_nothing() {
        assert_eq!(
            (spent(Duration::from_micros(250)), spent(Duration::from_millis(12))),
            ("250 µs".to_owned(), "12 ms".to_owned())
        );
    }
}
