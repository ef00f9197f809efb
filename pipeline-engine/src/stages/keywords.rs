//! `source.keywords`: one item a picture to be made; keywords come from settings, a text file (one a line) or a CSV file.

use std::path::Path;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use pipeline_core::id::Digest;
use pipeline_core::pipeline::{PortSpec, StageSpec};
use pipeline_core::settings::{Inert, SettingsSchema, StageSettings};
use pipeline_core::stage::{Output, PlannedItem, Source, SourceRequest, Stage, StageContext, StageEnd, Task};
use pipeline_core::{Error, ErrorKind, Result};

/// The most generations one job may have.
const MAX_COUNT: u32 = 2500;

/// In which order keywords are taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum KeywordOrder {
    /// As they stand, from the start again when there are more items than keywords.
    #[default]
    Sequential,
    /// Drawn at random, following the job's seed.
    Random,
}

/// Settings of `source.keywords`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct KeywordsSettings {
    /// Keywords given here instead of in a file.
    pub list: Vec<String>,
    /// In which order keywords are taken.
    pub order: KeywordOrder,
    /// How many items (generations) to make; one a keyword when absent.
    #[schemars(range(min = 1, max = 2500))]
    pub count: Option<u32>,
    /// The CSV column that holds the keyword; the first one when absent.
    pub column: Option<String>,
}

impl StageSettings for KeywordsSettings {
    fn inert(&self) -> Vec<Inert> {
        if !self.list.is_empty() && self.column.is_some() {
            return vec![Inert::new("column", "keywords come from `list`, not from a CSV file")];
        }
        Vec::new()
    }
}

/// The stage kind `source.keywords`.
#[derive(Clone, Copy, Debug)]
pub struct SourceKeywords;

#[async_trait]
impl Stage for SourceKeywords {
    fn spec(&self) -> StageSpec {
        StageSpec::new(
            "source.keywords",
            "One item a picture to be made, each with a keyword from a list, a .txt or a .csv file",
            SettingsSchema::of::<KeywordsSettings>(),
        )
        .source()
        .self_contained()
        .open_outputs()
        .output(PortSpec::field("keyword", json!({"type": "string"})))
    }

    async fn run(&self, _: &dyn StageContext, task: Task) -> Result<StageEnd> {
        Ok(Output { fields: task.input, ..Output::new() }.into())
    }
}

#[async_trait]
impl Source for SourceKeywords {
    async fn plan(&self, request: SourceRequest) -> Result<Vec<PlannedItem>> {
        let settings: KeywordsSettings = serde_json::from_value(request.settings.clone())
            .map_err(|error| Error::invalid("the settings of source.keywords do not fit").because(error))?;
        let mut rows: Vec<Map<String, Value>> = settings.list.iter().map(|keyword| row(keyword)).collect();
        if rows.is_empty() {
            if request.inputs.is_empty() {
                return Err(Error::invalid("no keywords given")
                    .with("field", "input")
                    .with("accepted", "an input file (.txt, one keyword a line, or .csv), or the setting `list`"));
            }
            for input in &request.inputs {
                rows.extend(read(input, &settings).await?);
            }
        }
        rows.retain(|row| row.get("keyword").and_then(Value::as_str).is_some_and(|keyword| !keyword.trim().is_empty()));
        if rows.is_empty() {
            let input = request.inputs.first().map_or("list", String::as_str);
            return Err(Error::invalid("there are no keywords in it")
                .with("input", input)
                .with("accepted", "at least one line that is not empty"));
        }
        let count = request.count.or(settings.count).unwrap_or(u32::try_from(rows.len()).unwrap_or(u32::MAX));
        if count == 0 || count > MAX_COUNT {
            return Err(Error::invalid("too many or too few generations for one job")
                .with("count", count)
                .with("accepted", format!("1 to {MAX_COUNT}")));
        }
        if u64::from(count) * u64::from(request.leaves_per_item) > request.max_items {
            return Err(Error::invalid("too many images for one job")
                .with("images", u64::from(count) * u64::from(request.leaves_per_item))
                .with("accepted", format!("1 to {} (job.max_items)", request.max_items)));
        }
        Ok((0..count)
            .filter_map(|index| {
                let place = match settings.order {
                    KeywordOrder::Sequential => u64::from(index),
                    KeywordOrder::Random => Digest::of(format!("{}/keyword/{index}", request.seed).as_bytes()).to_u64(),
                };
                let input = rows.get(usize::try_from(place % rows.len() as u64).ok()?)?.clone();
                let name = input.get("keyword").and_then(Value::as_str).unwrap_or_default().to_owned();
                Some(PlannedItem { name, input })
            })
            .collect())
    }
}

fn row(keyword: &str) -> Map<String, Value> {
    Map::from_iter([("keyword".to_owned(), Value::from(keyword.trim()))])
}

async fn read(path: &str, settings: &KeywordsSettings) -> Result<Vec<Map<String, Value>>> {
    let bytes = tokio::fs::read(path).await.map_err(|error| {
        let kind =
            if error.kind() == std::io::ErrorKind::NotFound { ErrorKind::NotFound } else { ErrorKind::Unavailable };
        let accepted = "a .txt file, one keyword a line, or a .csv file, that this user may read";
        Error::new(kind, "cannot read keywords").with("input", path).with("accepted", accepted).because(error)
    })?;
    let text = String::from_utf8(bytes).map_err(|_| {
        Error::invalid("the keyword file is not text").with("input", path).with("accepted", "UTF-8 .txt or .csv")
    })?;
    let text = text.trim_start_matches('\u{feff}');
    let extension = Path::new(path).extension().map(|extension| extension.to_string_lossy().to_lowercase());
    match extension.as_deref() {
        Some("csv") => table(path, text, settings),
        Some("tsv") => Err(Error::new(ErrorKind::Unsupported, "cannot read this kind of keyword file")
            .with("input", path)
            .with("accepted", ".txt, .csv")),
        _ if settings.column.is_some() => Err(Error::invalid("`column` needs a .csv file")
            .with("column", settings.column.as_deref().unwrap_or_default())
            .with("input", path)),
        _ => {
            Ok(text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')).map(row).collect())
        }
    }
}

fn table(path: &str, text: &str, settings: &KeywordsSettings) -> Result<Vec<Map<String, Value>>> {
    let wrong = |error: csv::Error| Error::invalid("the CSV file is damaged").with("input", path).because(error);
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(text.as_bytes());
    let headers: Vec<String> = reader.headers().map_err(wrong)?.iter().map(str::to_owned).collect();
    let column = match &settings.column {
        None => 0,
        Some(wanted) => headers.iter().position(|header| header == wanted).ok_or_else(|| {
            Error::invalid("the CSV file has no such column")
                .with("column", wanted)
                .with("input", path)
                .with("accepted", headers.join(", "))
        })?,
    };
    let mut rows = Vec::new();
    for record in reader.records() {
        let record = record.map_err(wrong)?;
        let mut fields = row(record.get(column).unwrap_or_default());
        for (header, value) in headers.iter().zip(record.iter()) {
            if header != "keyword" || column == 0 {
                fields.entry(header.clone()).or_insert_with(|| Value::from(value));
            }
        }
        rows.push(fields);
    }
    Ok(rows)
}
