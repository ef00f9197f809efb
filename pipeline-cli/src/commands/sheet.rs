//! `jobs sheet`: the pictures of a job on one page.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use serde_json::json;
use tokio::task::JoinSet;

use pipeline_core::id::ResultId;
use pipeline_core::model::ItemStatus;
use pipeline_core::pipeline::Plan;
use pipeline_core::query::Query;
use pipeline_core::storage::{ItemQuery, ItemRecord, JobRecord, ResultRecord};
use pipeline_engine::{Engine, Selected, Thumbnails};
use pipeline_providers::local::sheet::{Ink, Layout, Line, SheetWriter};

use crate::args::SheetArgs;
use crate::home::Home;
use crate::lookup::{self, short_id};
use crate::output::{Exit, Failure, Output, bytes, clean, notice, timestamp};
use crate::sheet::{Card, FreshFile, HtmlSheet};

use super::query;
use super::why::why;

/// How many items are asked for at once.
const PAGE: u32 = 200;

/// Writes the page, and the picture of it.
pub(crate) async fn sheet(
    engine: &Engine,
    home: &Home,
    args: &SheetArgs,
    output: &mut Output<'_>,
) -> Result<Exit, Failure> {
    let query = query::read(args.query.as_deref().unwrap_or_default(), &args.status)?;
    let job = lookup::job(engine, &args.job.job).await?;
    let usual = || PathBuf::from(format!("pipeline-sheet-{}.html", short_id(job.id)));
    let html = args.out.clone().or_else(|| args.png.is_none().then(usual));
    if let (Some(html), Some(png)) = (&html, &args.png)
        && std::path::absolute(html).ok() == std::path::absolute(png).ok()
    {
        return Err(Failure::wrong(format!("--out and --png: both are {}", png.display()))
            .hint("the page and the picture of it are two files"));
    }
    // Before the work: a place that is taken is told at once.
    let mut files = Files::default();
    for (option, path, file) in [("--out", &html, &mut files.html), ("--png", &args.png, &mut files.png)] {
        if let Some(path) = path {
            *file = Some((path.clone(), FreshFile::create(option, path, args.force)?));
        }
    }
    let cards = cards(engine, &job, &query).await?;
    let thumbnails = engine.thumbnails("image", home.thumbnails())?;
    let written = files.write(&job, &cards, &thumbnails, args).await?;
    if let Some((missing, why)) = &written.unread {
        notice(&format!("{missing} pictures cannot be shown; the first one: {why}"));
    }
    if output.is_table() {
        for (path, size) in &written.files {
            let pictures = written.pictures;
            let line = format!("{}: {} items, {pictures} pictures, {}", path.display(), cards.len(), bytes(*size));
            output.line(&line)?;
        }
    } else {
        let files = written.files.iter().map(|(path, size)| json!({"file": path.display().to_string(), "bytes": size}));
        output.value(&json!({
            "job": job.id, "items": cards.len(), "pictures": written.pictures, "files": files.collect::<Vec<_>>(),
        }))?;
    }
    Ok(Exit::Good)
}

/// Makes the cards of the items a query asks for; their pictures are only named.
async fn cards(engine: &Engine, job: &JobRecord, query: &Query) -> Result<Vec<Card>, Failure> {
    let plan = engine.store().plan(job.id).await?.plan;
    let mut cards = Vec::new();
    let mut after = None;
    loop {
        let page = ItemQuery { after, limit: PAGE, ..ItemQuery::of(job.id) };
        let Selected { items, next } = engine.select(query, page).await?;
        let ids: Vec<ResultId> = items.iter().flat_map(|item| item.machine.results().map(|(_, id)| id)).collect();
        let results = if ids.is_empty() { Vec::new() } else { engine.store().results(ids).await? };
        for item in &items {
            cards.push(card(engine, &plan, item, &results).await?);
        }
        match next {
            Some(place) => after = Some(place),
            None => return Ok(cards),
        }
    }
}

async fn card(engine: &Engine, plan: &Plan, item: &ItemRecord, results: &[ResultRecord]) -> Result<Card, Failure> {
    let reason = why(engine, plan, item).await?;
    let own: Vec<&ResultRecord> =
        item.machine.results().filter_map(|(_, id)| results.iter().find(|result| result.id == id)).collect();
    Ok(Card::of(plan, item, &own, &reason))
}

/// The files that are wanted.
#[derive(Debug, Default)]
struct Files {
    html: Option<(PathBuf, FreshFile)>,
    png: Option<(PathBuf, FreshFile)>,
}

/// What was written.
#[derive(Debug, Default)]
struct Written {
    files: Vec<(PathBuf, u64)>,
    pictures: usize,
    /// How many pictures could not be made small, and why the first could not.
    unread: Option<(usize, String)>,
}

impl Files {
    /// Writes all cards into each file, a few pictures at a time.
    async fn write(
        self,
        job: &JobRecord,
        cards: &[Card],
        thumbnails: &Thumbnails,
        args: &SheetArgs,
    ) -> Result<Written, Failure> {
        let title = clean(&job.label);
        let submitted = timestamp(job.created_at);
        let below = format!("{}, job {}, submitted {submitted}", clean(&job.pipeline), job.id);
        let counts = counted(cards);
        let broken = |option: &'static str, path: &Path| {
            let path = path.to_owned();
            move |error: std::io::Error| Failure::file(&format!("{option}: cannot write"), &path, &error)
        };
        let mut html = match self.html {
            Some((path, file)) => {
                let begun = HtmlSheet::begin(file, &title, &below, &counts).map_err(broken("--out", &path))?;
                Some((path, begun))
            }
            None => None,
        };
        let mut png: Option<(PathBuf, FreshFile, SheetWriter<File>)> = match self.png {
            Some((path, file)) => {
                let layout = Layout::new(cards.len(), args.size, args.columns);
                let layout = layout.map_err(|error| Failure::blame_request(&error))?;
                let below = format!("{below} · {}", counts.join(", "));
                let sheet = SheetWriter::new(file.handle()?, layout, &title, &below)?;
                Some((path, file, sheet))
            }
            None => None,
        };
        let mut written = Written::default();
        let together = std::thread::available_parallelism().map_or(1, usize::from);
        for some in cards.chunks(together) {
            let pictures = small(thumbnails, some, args.size).await;
            for (card, picture) in some.iter().zip(pictures) {
                let picture = match picture {
                    Some(Err(error)) => {
                        let (count, _) = written.unread.get_or_insert_with(|| (0, error.to_string()));
                        *count += 1;
                        None
                    }
                    Some(Ok(picture)) => Some(picture),
                    None => None,
                };
                written.pictures += usize::from(picture.is_some());
                if let Some((path, page)) = &mut html {
                    page.card(card, picture.as_deref()).map_err(broken("--out", path))?;
                }
                if let Some((.., sheet)) = &mut png {
                    sheet.push(picture.as_deref(), &lines(card))?;
                }
            }
        }
        if let Some((path, page)) = html {
            let mut file = page.end().map_err(broken("--out", &path))?;
            file.flush().map_err(broken("--out", &path))?;
            written.files.push((path, file.place()?));
        }
        if let Some((path, file, sheet)) = png {
            sheet.finish()?;
            written.files.push((path, file.place()?));
        }
        Ok(written)
    }
}

/// Makes the pictures of some cards small, all at once.
async fn small(thumbnails: &Thumbnails, cards: &[Card], side: u32) -> Vec<Option<Result<Bytes, pipeline_core::Error>>> {
    let mut tasks = JoinSet::new();
    for (place, picture) in cards.iter().enumerate().filter_map(|(place, card)| Some((place, card.picture?))) {
        let thumbnails = thumbnails.clone();
        tasks.spawn(async move { (place, thumbnails.of(picture, side).await) });
    }
    let mut made: Vec<_> = cards.iter().map(|_| None).collect();
    while let Some(ended) = tasks.join_next().await {
        if let Ok((place, picture)) = ended
            && let Some(slot) = made.get_mut(place)
        {
            *slot = Some(picture);
        }
    }
    made
}

/// How many cards there are in each state, in words.
fn counted(cards: &[Card]) -> Vec<String> {
    let of = |status: ItemStatus| cards.iter().filter(|card| card.status == status).count();
    let counts = ItemStatus::ALL.iter().map(|status| (of(*status), status)).filter(|(count, _)| *count > 0);
    let mut words: Vec<String> = counts.map(|(count, status)| format!("{count} {status}")).collect();
    words.insert(0, format!("{} items", cards.len()));
    words
}

/// What stands below the picture of a card in a PNG.
fn lines(card: &Card) -> Vec<Line> {
    let ink = match card.status {
        ItemStatus::Succeeded => Ink::Good,
        ItemStatus::Failed => Ink::Bad,
        ItemStatus::Rejected | ItemStatus::Undecided => Ink::Warning,
        _ => Ink::Faint,
    };
    let mut lines = vec![
        Line::new(format!("{} {}", card.place, card.name), Ink::Plain).bold(),
        Line::new(card.status.as_str(), ink),
    ];
    for text in [&card.why, &card.title, &card.scores()] {
        if !text.is_empty() {
            lines.push(Line::new(text.replace('…', ".."), Ink::Faint));
        }
    }
    lines
}
