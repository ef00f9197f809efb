//! Rows as records: the columns of each table and how they read.

use std::str::FromStr;

use pipeline_core::error::Error;
use pipeline_core::executor::MACHINE_FORMAT;
use pipeline_core::id::{EventSeq, ItemId, StageName, Token};
use pipeline_core::model::{Counts, JobStatus, Money};
use pipeline_core::storage::{Claimed, ItemRecord, JobKey, JobRecord, ResultRecord};
use pipeline_core::time::Timestamp;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;

use super::budgets;
use super::fault::Work;

/// The columns [`item`] and [`claimed`] read, in order.
macro_rules! item_columns {
    () => {
        "items.id, items.job, items.parent, items.ordinal, items.slot, items.name, items.input, \
         CASE WHEN items.session IS NULL THEN items.status ELSE 'running' END, items.machine, items.cost, \
         items.updated_at, items.token, items.unit"
    };
}
pub(super) use item_columns;

/// The columns [`job`] reads, in order, and where they come from.
macro_rules! job_rows {
    () => {
        "jobs.id, jobs.label, jobs.owner, jobs.priority, jobs.pipeline, jobs.control, jobs.status, jobs.stages, \
         jobs.cost, jobs.last_event, jobs.created_at, jobs.started_at, jobs.ended_at, jobs.out, jobs.parent, jobs.key, \
         jobs.key_limit, jobs.start_at, budgets.key, budgets.amount, budgets.spent, budgets.reserved, budgets.wanted \
         FROM jobs LEFT JOIN budgets ON budgets.key = 'job:' || jobs.id"
    };
}
pub(super) use job_rows;

/// The columns [`result`] reads, in order.
macro_rules! result_columns {
    () => {
        "results.id, results.item, results.stage, results.round, results.attempt, results.fields, results.files, \
         results.verdict, results.provider, results.cost, results.started_at, results.ended_at, \
         results.reused"
    };
}
pub(super) use result_columns;

/// Reads a column that holds a word or an id.
pub(super) fn word<T: FromStr>(row: &SqliteRow, column: usize) -> Work<T> {
    parse(row.try_get::<&str, _>(column)?)
}

/// Reads a column that may hold a word or an id.
pub(super) fn maybe_word<T: FromStr>(row: &SqliteRow, column: usize) -> Work<Option<T>> {
    row.try_get::<Option<&str>, _>(column)?.map(parse).transpose()
}

/// Reads a column that holds JSON.
pub(super) fn json<T: DeserializeOwned>(row: &SqliteRow, column: usize) -> Work<T> {
    decode(row.try_get::<&str, _>(column)?)
}

/// Reads a column that holds JSON, without copying its texts.
pub(super) fn borrowed<'r, T: Deserialize<'r>>(row: &'r SqliteRow, column: usize) -> Work<T> {
    serde_json::from_str(row.try_get::<&'r str, _>(column)?)
        .map_err(|error| Error::corrupt("a stored record is not valid JSON").because(error).into())
}

/// Reads a column that may hold JSON.
pub(super) fn maybe_json<T: DeserializeOwned>(row: &SqliteRow, column: usize) -> Work<Option<T>> {
    row.try_get::<Option<&str>, _>(column)?.map(decode).transpose()
}

/// Reads a column that holds a word known to serde.
pub(super) fn named<T: DeserializeOwned>(row: &SqliteRow, column: usize) -> Work<T> {
    let text = row.try_get::<String, _>(column)?;
    serde_json::from_value(serde_json::Value::String(text))
        .map_err(|error| Error::corrupt("a stored word is unknown").because(error).into())
}

/// Reads a column that holds a number of any integer type.
pub(super) fn number<T: TryFrom<i64>>(row: &SqliteRow, column: usize) -> Work<T> {
    let value = row.try_get::<i64, _>(column)?;
    T::try_from(value).map_err(|_| Error::corrupt("a stored number is out of range").with("value", value).into())
}

/// Reads a column that holds a time.
pub(super) fn time(row: &SqliteRow, column: usize) -> Work<Timestamp> {
    Ok(Timestamp::from_micros(row.try_get(column)?))
}

/// Reads a column that may hold a time.
pub(super) fn maybe_time(row: &SqliteRow, column: usize) -> Work<Option<Timestamp>> {
    Ok(row.try_get::<Option<i64>, _>(column)?.map(Timestamp::from_micros))
}

/// Reads a column that holds an amount.
pub(super) fn money(row: &SqliteRow, column: usize) -> Work<Money> {
    Ok(Money::from_micros(row.try_get(column)?))
}

/// Reads an item.
pub(super) fn item(row: &SqliteRow) -> Work<ItemRecord> {
    let record = ItemRecord {
        id: word(row, 0)?,
        job: word(row, 1)?,
        parent: maybe_word(row, 2)?,
        ordinal: number(row, 3)?,
        slot: number(row, 4)?,
        name: row.try_get(5)?,
        input: json(row, 6)?,
        status: word(row, 7)?,
        machine: json(row, 8)?,
        cost: money(row, 9)?,
        updated_at: time(row, 10)?,
    };
    if record.machine.format > MACHINE_FORMAT {
        let error = Error::conflict("the item was written by a newer version of this program; update the program");
        return Err(error.with("item", record.id).with("format", record.machine.format).into());
    }
    Ok(record)
}

/// Reads an item as handed out, with its unit.
pub(super) fn claimed(row: &SqliteRow) -> Work<(Claimed, Option<ItemId>)> {
    let token = Token(row.try_get(11)?);
    Ok((Claimed { item: item(row)?, token, first: token == Token(1) }, maybe_word(row, 12)?))
}

/// Reads a job; `counts` and `steps_done` come from its items.
pub(super) fn job(row: &SqliteRow, counts: Counts, steps_done: u64) -> Work<JobRecord> {
    let control = word(row, 5)?;
    let stages: u64 = number(row, 7)?;
    let started_at = maybe_time(row, 11)?;
    let status: Option<JobStatus> = maybe_word(row, 6)?;
    Ok(JobRecord {
        id: word(row, 0)?,
        label: row.try_get(1)?,
        owner: row.try_get(2)?,
        priority: number(row, 3)?,
        pipeline: row.try_get(4)?,
        control,
        status: status.unwrap_or_else(|| JobStatus::derive(control, started_at.is_some(), &counts)),
        counts,
        steps_done,
        steps_planned: stages.saturating_mul(counts.planned),
        cost: money(row, 8)?,
        created_at: time(row, 10)?,
        started_at,
        ended_at: maybe_time(row, 12)?,
        last_event: EventSeq(row.try_get(9)?),
        out: row.try_get(13)?,
        parent: maybe_word(row, 14)?,
        key: key(row, 15)?,
        start_at: maybe_time(row, 17)?,
        budget: budgets::maybe(row, 18)?,
    })
}

fn key(row: &SqliteRow, column: usize) -> Work<Option<JobKey>> {
    let name: Option<String> = row.try_get(column)?;
    name.map(|name| Ok(JobKey { name, limit: number(row, column + 1)? })).transpose()
}

/// Reads a result.
pub(super) fn result(row: &SqliteRow) -> Work<ResultRecord> {
    Ok(ResultRecord {
        id: word(row, 0)?,
        item: word(row, 1)?,
        stage: stage(row, 2)?,
        round: number(row, 3)?,
        attempt: number(row, 4)?,
        fields: json(row, 5)?,
        files: json(row, 6)?,
        verdict: maybe_json(row, 7)?,
        provider: row.try_get(8)?,
        cost: money(row, 9)?,
        started_at: time(row, 10)?,
        ended_at: time(row, 11)?,
        reused: maybe_word(row, 12)?,
    })
}

/// Reads a column that holds the name of a stage.
pub(super) fn stage(row: &SqliteRow, column: usize) -> Work<StageName> {
    let text = row.try_get::<&str, _>(column)?;
    StageName::new(text).map_err(|error| Error::corrupt("a stored stage name is invalid").because(error).into())
}

fn parse<T: FromStr>(text: &str) -> Work<T> {
    text.parse().map_err(|_| Error::corrupt("a stored word or id is unknown").with("value", text).into())
}

fn decode<T: DeserializeOwned>(text: &str) -> Work<T> {
    serde_json::from_str(text)
        .map_err(|error| Error::corrupt("a stored record is not valid JSON").because(error).into())
}

/// Writes words or ids as a JSON array, for `json_each`.
pub(super) fn list<T: ToString>(values: impl IntoIterator<Item = T>) -> Work<String> {
    let texts: Vec<String> = values.into_iter().map(|value| value.to_string()).collect();
    Ok(serde_json::to_string(&texts)?)
}
