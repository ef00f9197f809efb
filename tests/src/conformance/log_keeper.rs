//! The clauses of `LogKeeper`.
#![expect(clippy::unwrap_used, clippy::missing_panics_doc, reason = "test code: a failed step is a failed test")]

use std::any::Any;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use pipeline_core::id::{ItemId, JobId, StageName};
use pipeline_core::model::{LogLevel, Step};
use pipeline_core::storage::{LogEntry, LogKeeper, LogQuery, LogSeq, NewLogEntry, Outdated};
use pipeline_core::time::Timestamp;
use uuid::Uuid;

/// A fresh keeper of logs under test.
pub struct LogBook {
    /// The keeper under test.
    pub keeper: Arc<dyn LogKeeper>,
    again: Arc<dyn LogKeeper>,
    _guard: Box<dyn Any + Send + Sync>,
}

impl LogBook {
    /// Makes a book of a keeper, and another one on the same data; `guard` is dropped with them.
    pub fn new(keeper: impl LogKeeper, again: impl LogKeeper, guard: impl Any + Send + Sync) -> Self {
        Self { keeper: Arc::new(keeper), again: Arc::new(again), _guard: Box::new(guard) }
    }

    async fn all(&self) -> Vec<LogEntry> {
        self.again.entries(LogQuery { limit: 100_000, ..LogQuery::default() }).await.unwrap()
    }

    async fn messages(&self, query: LogQuery) -> Vec<String> {
        let entries = self.keeper.entries(query).await.unwrap();
        entries.into_iter().map(|entry| entry.entry.message.into_owned()).collect()
    }
}

impl fmt::Debug for LogBook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogBook").field("keeper", &self.keeper).finish_non_exhaustive()
    }
}

fn job(number: u128) -> JobId {
    JobId::from_uuid(Uuid::from_u128(number))
}

fn item(number: u128) -> ItemId {
    ItemId::from_uuid(Uuid::from_u128(number))
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros(seconds * 1_000_000)
}

fn entry(job: JobId, seconds: i64, message: &str) -> NewLogEntry {
    NewLogEntry {
        at: at(seconds),
        level: LogLevel::Info,
        job,
        item: None,
        stage: None,
        step: Step::Done,
        attempt: None,
        code: None,
        duration: None,
        message: message.to_owned().into(),
    }
}

fn entries(job: JobId, count: i64) -> Vec<NewLogEntry> {
    (0..count).map(|number| entry(job, number, &number.to_string())).collect()
}

/// When `append` returns, the entries are there for everyone, each as it was given.
pub async fn log_1_kept(book: &LogBook) {
    assert_eq!(book.all().await, []);
    let full = NewLogEntry {
        at: Timestamp::from_micros(1_795_700_000_123_456),
        level: LogLevel::Error,
        item: Some(item(7)),
        stage: Some(StageName::new("qc_2").unwrap()),
        step: Step::own("acme.look").unwrap(),
        attempt: Some(3),
        code: Some("rate_limited".into()),
        duration: Some(Duration::from_micros(1_234_567)),
        message: "„two\nlines\" \u{1f98a}".into(),
        ..entry(job(1), 0, "")
    };
    let mut given = vec![full.clone(), entry(job(2), 1, "")];
    given.extend(LogLevel::ALL.iter().map(|level| NewLogEntry { level: *level, ..full.clone() }));
    given.extend(Step::KNOWN.iter().map(|step| NewLogEntry { step: step.clone(), ..entry(job(2), 2, "x") }));
    book.keeper.append(given.clone()).await.unwrap();
    let kept: Vec<NewLogEntry> = book.all().await.into_iter().map(|entry| entry.entry).collect();
    assert_eq!(kept, given);
    book.keeper.append(Vec::new()).await.unwrap();
}

/// Entries get growing numbers in the order they are given; `entries` returns them in that order, those after `after`, at
/// most `limit`.
pub async fn log_2_in_order(book: &LogBook) {
    book.keeper.append(entries(job(1), 300)).await.unwrap();
    // Their times say something else.
    book.again
        .append((300..340).map(|number| entry(job(2), 1_000 - number, &number.to_string())).collect())
        .await
        .unwrap();
    let all = book.all().await;
    assert!(all.first().unwrap().seq > LogSeq::START);
    assert!(all.windows(2).all(|pair| pair[0].seq < pair[1].seq), "{all:?}");
    let messages: Vec<String> = all.iter().map(|entry| entry.entry.message.to_string()).collect();
    assert_eq!(messages, (0..340).map(|number| number.to_string()).collect::<Vec<_>>());
    let (mut paged, mut after) = (Vec::new(), LogSeq::START);
    loop {
        let page = book.keeper.entries(LogQuery { after, limit: 49, ..LogQuery::default() }).await.unwrap();
        assert!(page.len() <= 49, "{} entries", page.len());
        let Some(last) = page.last() else { break };
        assert!(last.seq > after, "the page after {after:?} ends with it");
        after = last.seq;
        paged.extend(page);
    }
    assert_eq!(paged, all);
}

/// Everything that is set in a query must apply.
pub async fn log_3_chosen(book: &LogBook) {
    let (qc, generate) = (StageName::new("qc").unwrap(), StageName::new("generate").unwrap());
    let mut given = Vec::new();
    for (number, level) in LogLevel::ALL.iter().cycle().take(48).enumerate() {
        let seconds = i64::try_from(number).unwrap();
        given.push(NewLogEntry {
            level: *level,
            item: (number % 5 > 0).then(|| item(number as u128 % 5)),
            stage: [None, Some(qc.clone()), Some(generate.clone())][number % 3].clone(),
            step: [Step::Put, Step::PromptSend][number / 2 % 2].clone(),
            code: [None, Some("timeout".into()), Some("refused".into())][number / 4 % 3].clone(),
            ..entry(job(number as u128 % 2), seconds, &number.to_string())
        });
    }
    book.keeper.append(given).await.unwrap();
    let all = book.all().await;
    let any = LogQuery::default;
    let mut queries = vec![
        LogQuery { job: Some(job(1)), ..any() },
        LogQuery { items: vec![item(3)], ..any() },
        LogQuery { items: vec![item(1), item(4)], ..any() },
        LogQuery { stage: Some(qc.clone()), ..any() },
        LogQuery { step: Some(Step::PromptSend), ..any() },
        LogQuery { code: Some("timeout".to_owned()), ..any() },
        LogQuery { since: Some(at(20)), ..any() },
        LogQuery { after: all[10].seq, ..any() },
        LogQuery { job: Some(job(1)), stage: Some(qc), level: LogLevel::Info, since: Some(at(5)), ..any() },
        LogQuery { job: Some(job(9)), ..any() },
    ];
    queries.extend(LogLevel::ALL.iter().map(|level| LogQuery { level: *level, ..any() }));
    let mut sizes = Vec::new();
    for query in queries {
        let found = book.keeper.entries(query.clone()).await.unwrap();
        let expected: Vec<LogEntry> = all.iter().filter(|entry| query.matches(entry)).cloned().collect();
        assert_eq!(found, expected, "{query:?}");
        sizes.push(found.len());
    }
    // The rule that all are compared with has to mean something itself.
    assert_eq!(sizes, [24, 9, 19, 16, 24, 16, 28, 37, 7, 0, 48, 36, 24, 12]);
}

/// Who goes on after the last number has missed nothing, whoever appends at the same time.
pub async fn log_4_nothing_is_missed(book: &LogBook) {
    const WRITERS: i64 = 4;
    const BATCHES: i64 = 25;
    let write = |writer: i64| async move {
        let keeper = if writer % 2 == 0 { &book.keeper } else { &book.again };
        for batch in 0..BATCHES {
            let few = (0..=writer).map(|number| entry(job(1), batch, &format!("{writer}/{batch}/{number}")));
            keeper.append(few.collect()).await.unwrap();
        }
    };
    let expected = usize::try_from((1..=WRITERS).sum::<i64>() * BATCHES).unwrap();
    let written = std::sync::atomic::AtomicBool::new(false);
    let follow = async {
        let (mut seen, mut after, mut still) = (Vec::new(), LogSeq::START, 0);
        // Once everything was written, a follower that lacks some would look for ever.
        while seen.len() < expected && still < 2 {
            let all = written.load(std::sync::atomic::Ordering::SeqCst);
            let page = book.again.entries(LogQuery { after, ..LogQuery::default() }).await.unwrap();
            after = page.last().map_or(after, |last| last.seq);
            still = if page.is_empty() && all { still + 1 } else { 0 };
            seen.extend(page.into_iter().map(|entry| entry.entry.message.into_owned()));
            tokio::task::yield_now().await;
        }
        seen
    };
    let writers = async {
        futures::future::join_all((0..WRITERS).map(write)).await;
        written.store(true, std::sync::atomic::Ordering::SeqCst);
    };
    let (mut seen, ()) = tokio::join!(follow, writers);
    // What came after the follower had given up.
    let mut all = book.messages(LogQuery { limit: 10_000, ..LogQuery::default() }).await;
    assert_eq!(all.len(), expected);
    seen.sort();
    all.sort();
    assert_eq!(seen, all, "a follower has missed some");
}

/// `remove` takes away those asked for and no others, at most `limit` at once, and returns how many; a number is never given
/// again.
pub async fn log_5_removed(book: &LogBook) {
    assert_eq!(book.keeper.remove(Outdated::Job(job(1)), 10).await.unwrap(), 0, "there is nothing yet");
    book.keeper.append(entries(job(1), 30)).await.unwrap();
    book.keeper.append(entries(job(2), 30)).await.unwrap();
    let last = book.all().await.last().unwrap().seq;
    assert_eq!(book.keeper.remove(Outdated::Job(job(1)), 20).await.unwrap(), 20);
    assert_eq!(book.keeper.remove(Outdated::Job(job(1)), 20).await.unwrap(), 10);
    assert_eq!(book.keeper.remove(Outdated::Job(job(1)), 20).await.unwrap(), 0);
    let left = book.all().await;
    assert!(left.len() == 30 && left.iter().all(|entry| entry.entry.job == job(2)), "{left:?}");
    assert_eq!(book.keeper.remove(Outdated::Before(at(12)), 100).await.unwrap(), 12);
    let left = book.messages(LogQuery::default()).await;
    assert_eq!(left, (12..30).map(|number| number.to_string()).collect::<Vec<_>>());
    assert_eq!(book.keeper.remove(Outdated::Before(at(1_000)), 100).await.unwrap(), 18);
    book.again.append(vec![entry(job(2), 5, "new")]).await.unwrap();
    let new = book.all().await;
    assert!(new.len() == 1 && new[0].seq > last, "{new:?} after {last:?}");
}

/// `volume` counts every entry once.
pub async fn log_6_counted(book: &LogBook) {
    assert_eq!(book.keeper.volume(None).await.unwrap().entries, 0);
    book.keeper.append(entries(job(1), 70)).await.unwrap();
    book.keeper.append(entries(job(2), 7)).await.unwrap();
    let volume = book.again.volume(None).await.unwrap();
    assert_eq!(volume.entries, 77);
    assert!(!volume.location.is_empty());
    assert_eq!(book.again.volume(Some(at(5))).await.unwrap().entries, 10);
    book.keeper.remove(Outdated::Job(job(2)), 100).await.unwrap();
    assert_eq!(book.keeper.volume(None).await.unwrap().entries, 70);
}
