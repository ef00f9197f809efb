//! Rows as records: the columns of each table and how they read.

use std::str::FromStr;

use pipeline_core::error::Error;
use pipeline_core::executor::MACHINE_FORMAT;
use pipeline_core::id::{CallId, EventSeq, ItemId, JobId, ResultId, StageName, Token};
use pipeline_core::model::{Counts, ItemStatus, JobStatus, Money};
use pipeline_core::storage::{Claimed, ItemRecord, JobKey, JobRecord, ResultRecord};
use pipeline_core::time::Timestamp;
use serde::de::DeserializeOwned;
use sqlx::Row as _;
use sqlx::postgres::PgRow;
use uuid::Uuid;

use super::budgets;
use super::fault::Work;

/// The columns [`item`] and [`claimed`] read, in order; the second also reads whether the claim is the first.
macro_rules! item_columns {
    () => {
        "items.id, items.job, item_inputs.parent, items.ordinal, items.slot, item_inputs.name, item_inputs.input, \
         CASE WHEN items.session IS NULL THEN items.status ELSE 'running' END, items.machine, items.cost, \
         items.updated_at, items.token, items.unit"
    };
}
pub(super) use item_columns;

/// The columns [`job`] reads, in order, and where they come from. Whoever holds an item has a row in `sessions`, and by
/// that the held ones are found without reading the others.
macro_rules! jobs {
    () => {
        "SELECT jobs.id, label, owner, jobs.priority, pipeline, control, jobs.status, stages, jobs.cost, last_event, \
         created_at, turns.started_at, ended_at, out, jobs.parent, jobs.steps, held.pending, held.running, held.waiting, \
         jobs.pending, jobs.running, jobs.waiting, succeeded, filtered, rejected, undecided, failed, cancelled, \
         turns.key, turns.key_limit, turns.start_at, \
         budgets.key, budgets.amount, budgets.spent, budgets.reserved, budgets.wanted \
         FROM jobs JOIN turns ON turns.job = jobs.id CROSS JOIN LATERAL (\
         SELECT coalesce(sum(leaves) FILTER (WHERE items.status = 'pending'), 0)::bigint AS pending, \
         coalesce(sum(leaves) FILTER (WHERE items.status = 'running'), 0)::bigint AS running, \
         coalesce(sum(leaves) FILTER (WHERE items.status = 'waiting'), 0)::bigint AS waiting FROM items \
         WHERE session IN (SELECT id FROM sessions) AND items.job = jobs.id AND jobs.status IS NULL) AS held \
         LEFT JOIN budgets ON budgets.key = 'job:' || jobs.id::text"
    };
}
pub(super) use jobs;

/// The columns [`result`] reads, in order.
macro_rules! result_columns {
    () => {
        "results.id, results.item, results.stage, results.round, results.attempt, results.fields, results.files, \
         results.verdict, results.provider, results.cost, results.started_at, results.ended_at, \
         results.reused"
    };
}
pub(super) use result_columns;

/// Reads a column that holds an id.
pub(super) fn uuid(row: &PgRow, column: usize) -> Work<Uuid> {
    Ok(row.try_get(column)?)
}

/// Reads a column that holds a job's id.
pub(super) fn job_id(row: &PgRow, column: usize) -> Work<JobId> {
    uuid(row, column).map(JobId::from_uuid)
}

/// Reads a column that holds an item's id.
pub(super) fn item_id(row: &PgRow, column: usize) -> Work<ItemId> {
    uuid(row, column).map(ItemId::from_uuid)
}

/// Reads a column that may hold an id.
pub(super) fn maybe_uuid(row: &PgRow, column: usize) -> Work<Option<Uuid>> {
    Ok(row.try_get(column)?)
}

/// Reads a column that holds a word.
pub(super) fn word<T: FromStr>(row: &PgRow, column: usize) -> Work<T> {
    parse(row.try_get::<&str, _>(column)?)
}

/// Reads a column that may hold a word.
pub(super) fn maybe_word<T: FromStr>(row: &PgRow, column: usize) -> Work<Option<T>> {
    row.try_get::<Option<&str>, _>(column)?.map(parse).transpose()
}

/// Reads a column that holds JSON.
pub(super) fn json<T: DeserializeOwned>(row: &PgRow, column: usize) -> Work<T> {
    decode(row.try_get::<&str, _>(column)?)
}

/// Reads a column that may hold JSON.
pub(super) fn maybe_json<T: DeserializeOwned>(row: &PgRow, column: usize) -> Work<Option<T>> {
    row.try_get::<Option<&str>, _>(column)?.map(decode).transpose()
}

/// Reads a column that holds a word known to serde.
pub(super) fn named<T: DeserializeOwned>(row: &PgRow, column: usize) -> Work<T> {
    let text = row.try_get::<String, _>(column)?;
    serde_json::from_value(serde_json::Value::String(text))
        .map_err(|error| Error::corrupt("a stored word is unknown").because(error).into())
}

/// Reads a column that holds a number.
pub(super) fn number<T: TryFrom<i64>>(row: &PgRow, column: usize) -> Work<T> {
    let value = row.try_get::<i64, _>(column)?;
    T::try_from(value).map_err(|_| Error::corrupt("a stored number is out of range").with("value", value).into())
}

/// Reads a column that holds a time.
pub(super) fn time(row: &PgRow, column: usize) -> Work<Timestamp> {
    Ok(Timestamp::from_micros(row.try_get(column)?))
}

/// Reads a column that may hold a time.
pub(super) fn maybe_time(row: &PgRow, column: usize) -> Work<Option<Timestamp>> {
    Ok(row.try_get::<Option<i64>, _>(column)?.map(Timestamp::from_micros))
}

/// Reads a column that holds an amount.
pub(super) fn money(row: &PgRow, column: usize) -> Work<Money> {
    Ok(Money::from_micros(row.try_get(column)?))
}

/// Reads a column that holds the name of a stage.
pub(super) fn stage(row: &PgRow, column: usize) -> Work<StageName> {
    let text = row.try_get::<&str, _>(column)?;
    StageName::new(text).map_err(|error| Error::corrupt("a stored stage name is invalid").because(error).into())
}

/// Reads the leaves by status, in the order of [`ItemStatus::ALL`], from a column on.
pub(super) fn counts(row: &PgRow, column: usize) -> Work<Counts> {
    let mut counts = Counts::default();
    for (index, status) in ItemStatus::ALL.iter().enumerate() {
        counts.add(*status, number(row, column + index)?);
    }
    Ok(counts)
}

/// Reads an item.
pub(super) fn item(row: &PgRow) -> Work<ItemRecord> {
    let record = ItemRecord {
        id: item_id(row, 0)?,
        job: job_id(row, 1)?,
        parent: maybe_uuid(row, 2)?.map(ItemId::from_uuid),
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
pub(super) fn claimed(row: &PgRow) -> Work<(Claimed, Option<ItemId>)> {
    let claimed = Claimed { item: item(row)?, token: Token(row.try_get(11)?), first: row.try_get(13)? };
    Ok((claimed, maybe_uuid(row, 12)?.map(ItemId::from_uuid)))
}

/// Reads a job; what sessions hold of it is running, whatever its own status says.
pub(super) fn job(row: &PgRow) -> Work<JobRecord> {
    let mut counts = counts(row, 19)?;
    let (pending, running, waiting): (u64, u64, u64) = (number(row, 16)?, number(row, 17)?, number(row, 18)?);
    counts.pending = counts.pending.saturating_sub(pending);
    counts.waiting = counts.waiting.saturating_sub(waiting);
    counts.running = counts.running.saturating_sub(running) + pending + running + waiting;
    let control = word(row, 5)?;
    let stages: u64 = number(row, 7)?;
    let started_at = maybe_time(row, 11)?;
    let status: Option<JobStatus> = maybe_word(row, 6)?;
    Ok(JobRecord {
        id: job_id(row, 0)?,
        label: row.try_get(1)?,
        owner: row.try_get(2)?,
        priority: row.try_get(3)?,
        pipeline: row.try_get(4)?,
        control,
        status: status.unwrap_or_else(|| JobStatus::derive(control, started_at.is_some(), &counts)),
        counts,
        steps_done: number(row, 15)?,
        steps_planned: stages.saturating_mul(counts.planned),
        cost: money(row, 8)?,
        created_at: time(row, 10)?,
        started_at,
        ended_at: maybe_time(row, 12)?,
        last_event: EventSeq(row.try_get(9)?),
        out: row.try_get(13)?,
        parent: maybe_uuid(row, 14)?.map(JobId::from_uuid),
        key: key(row, 28)?,
        start_at: maybe_time(row, 30)?,
        budget: budgets::maybe(row, 31)?,
    })
}

fn key(row: &PgRow, column: usize) -> Work<Option<JobKey>> {
    let name: Option<String> = row.try_get(column)?;
    name.map(|name| Ok(JobKey { name, limit: number(row, column + 1)? })).transpose()
}

/// Reads a result.
pub(super) fn result(row: &PgRow) -> Work<ResultRecord> {
    Ok(ResultRecord {
        id: ResultId::from_uuid(uuid(row, 0)?),
        item: item_id(row, 1)?,
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
        reused: maybe_uuid(row, 12)?.map(CallId::from_uuid),
    })
}

/// Returns the least and the greatest id that begin with a text, as ids are printed; `None` when no id can.
pub(super) fn beginning_with(prefix: &str) -> Option<(Uuid, Uuid)> {
    const DASHES: [usize; 4] = [8, 13, 18, 23];
    let fits = prefix.len() <= 36
        && prefix.bytes().enumerate().all(
            |(at, byte)| {
                if DASHES.contains(&at) { byte == b'-' } else { byte.is_ascii_hexdigit() }
            },
        );
    let padded = |with: char| {
        let digits: String = prefix.chars().filter(|c| *c != '-').chain(std::iter::repeat(with)).take(32).collect();
        Uuid::try_parse(&digits).ok()
    };
    if fits { padded('0').zip(padded('f')) } else { None }
}

fn parse<T: FromStr>(text: &str) -> Work<T> {
    text.parse().map_err(|_| Error::corrupt("a stored word is unknown").with("value", text).into())
}

fn decode<T: DeserializeOwned>(text: &str) -> Work<T> {
    serde_json::from_str(text)
        .map_err(|error| Error::corrupt("a stored record is not valid JSON").because(error).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_is_a_range_of_ids() {
        let range = |prefix| beginning_with(prefix).map(|(least, greatest)| (least.to_string(), greatest.to_string()));
        let least = |text: &str| format!("{text}{}", &"00000000-0000-0000-0000-000000000000"[text.len()..]);
        let greatest = |text: &str| format!("{text}{}", &"ffffffff-ffff-ffff-ffff-ffffffffffff"[text.len()..]);
        for prefix in ["", "0", "0198c1a2", "0198c1a2-", "0198c1a2-7c3e-7000-8000-00000000000"] {
            assert_eq!(range(prefix), Some((least(prefix), greatest(prefix))));
        }
        assert_eq!(range("ABC").unwrap().0, least("abc"));
        for prefix in ["zz", "%", "0198c1a27", "0198c1a2-7c3e-7000-8000-0000000000000", "é"] {
            assert_eq!(range(prefix), None, "{prefix}");
        }
    }
}
