//! Pages of jobs and of items: each asks for what its filters need, so that an index finds it.

use std::collections::HashSet;

use pipeline_core::model::{Counts, ItemStatus, JobStatus};
use pipeline_core::storage::{ItemQuery, ItemRecord, JobKeyOf, JobQuery, JobRecord, JobSort};
use sqlx::{QueryBuilder, Sqlite, SqliteConnection};

use super::fault::Work;
use super::{finish, rows};

/// Lists jobs.
pub(super) async fn jobs(connection: &mut SqliteConnection, query: &JobQuery) -> Work<Vec<JobRecord>> {
    let found = jobs_statement(query)?.build().fetch_all(&mut *connection).await?;
    let mut jobs = Vec::with_capacity(found.len());
    for row in &found {
        let (counts, steps): (Counts, u64) = finish::count(connection, rows::word(row, 0)?).await?;
        jobs.push(rows::job(row, counts, steps)?);
    }
    Ok(jobs)
}

/// Returns the statement for a page of jobs.
pub(super) fn jobs_statement(query: &JobQuery) -> Work<QueryBuilder<Sqlite>> {
    let mut sql = QueryBuilder::new(concat!("SELECT ", rows::job_rows!(), " WHERE jobs.deleted IS NULL"));
    if let Some(prefix) = &query.id_prefix {
        let prefix = prefix.to_ascii_lowercase();
        sql.push(" AND jobs.id >= ").push_bind(prefix.clone());
        sql.push(" AND jobs.id < ").push_bind(format!("{prefix}~"));
    }
    if let Some(label) = &query.label {
        sql.push(" AND jobs.label = ").push_bind(label.clone());
    }
    if let Some((least, beyond)) = query.labels() {
        sql.push(" AND jobs.label >= ").push_bind(least.to_owned());
        if let Some(beyond) = beyond {
            sql.push(" AND jobs.label < ").push_bind(beyond);
        }
    }
    if let Some(owner) = &query.owner {
        sql.push(" AND jobs.owner = ").push_bind(owner.clone());
    }
    if let Some(pipeline) = &query.pipeline {
        sql.push(" AND jobs.pipeline = ").push_bind(pipeline.clone());
    }
    if let Some(since) = query.since {
        sql.push(" AND jobs.created_at >= ").push_bind(since.as_micros());
    }
    if let Some(until) = query.until {
        sql.push(" AND jobs.created_at < ").push_bind(until.as_micros());
    }
    if let Some(parent) = query.parent {
        sql.push(" AND jobs.parent = ").push_bind(parent.to_string());
    }
    if let Some(retried) = query.retried {
        sql.push(if retried { " AND " } else { " AND NOT " });
        sql.push(
            "EXISTS (SELECT 1 FROM reviews WHERE reviews.job = jobs.id \
             AND json_extract(reviews.decision, '$.decision') = 'retry')",
        );
    }
    states(&mut sql, &query.statuses);
    let by = match query.order.by {
        JobSort::Created => "jobs.created_at",
        JobSort::Ended => "ifnull(jobs.ended_at, 9223372036854775807)",
        JobSort::Priority => "jobs.priority",
        JobSort::Label => "jobs.label",
        JobSort::Cost => "jobs.cost",
    };
    let (comparison, direction) = if query.order.descending { ("<", "DESC") } else { (">", "ASC") };
    if let Some(cursor) = query.place()? {
        if let (JobSort::Ended, JobKeyOf::Number(number)) = (query.order.by, &cursor.key) {
            // Of an expression alone SQLite makes a range, of one beside a column it does not.
            sql.push(format_args!(" AND {by} {comparison}= ")).push_bind(*number);
        }
        sql.push(format_args!(" AND ({by}, jobs.id) {comparison} ("));
        match &cursor.key {
            JobKeyOf::Number(number) => sql.push_bind(*number),
            JobKeyOf::Text(text) => sql.push_bind(text.clone()),
        };
        sql.push(", ").push_bind(cursor.id.to_string()).push(")");
    }
    sql.push(format_args!(" ORDER BY {by} {direction}, jobs.id {direction} LIMIT "));
    sql.push_bind(limit(query.limit));
    Ok(sql)
}

fn limit(asked: u32) -> u32 {
    if asked == 0 { 100 } else { asked }
}

/// Asks for some states. Only those of jobs that have ended are stored; the others are derived as in [`JobStatus::derive`].
fn states(sql: &mut QueryBuilder<Sqlite>, wanted: &[JobStatus]) {
    let derived = |status: JobStatus| match status {
        JobStatus::Queued => Some("jobs.control = 'run' AND jobs.started_at IS NULL"),
        JobStatus::Running => Some("jobs.control = 'run' AND jobs.started_at IS NOT NULL"),
        JobStatus::Paused => Some("jobs.control = 'pause'"),
        JobStatus::Cancelling => Some("jobs.control = 'cancel'"),
        JobStatus::Completed
        | JobStatus::CompletedWithFailures
        | JobStatus::Failed
        | JobStatus::Cancelled
        | JobStatus::Empty => None,
    };
    let open: Vec<&str> = wanted.iter().filter_map(|status| derived(*status)).collect();
    let ended: Vec<&str> =
        wanted.iter().filter(|status| derived(**status).is_none()).map(|status| status.as_str()).collect();
    if wanted.is_empty() {
        return;
    }
    sql.push(" AND (");
    if !ended.is_empty() {
        // The words are our own.
        sql.push(format_args!("jobs.status IN ('{}')", ended.join("', '")));
    }
    if !open.is_empty() {
        sql.push(if ended.is_empty() { "" } else { " OR " });
        sql.push(format_args!("jobs.status IS NULL AND ({})", open.join(" OR ")));
    }
    sql.push(")");
}

/// Lists items. Each state is a range of an index in the order of the list, so several are read apart and merged.
pub(super) async fn items(connection: &mut SqliteConnection, query: &ItemQuery) -> Work<Vec<ItemRecord>> {
    let mut wanted: Vec<Option<Kept>> = Vec::new();
    for status in &query.statuses {
        match status {
            ItemStatus::Running => wanted.extend([Some(Kept::Free(*status)), Some(Kept::Held)]),
            other => wanted.push(Some(Kept::Free(*other))),
        }
    }
    if query.statuses.is_empty() {
        wanted.push(None);
    }
    let many = wanted.len() > 1;
    let mut items = Vec::new();
    for kept in wanted {
        let rows = items_statement(query, kept).build().fetch_all(&mut *connection).await?;
        for row in &rows {
            items.push(rows::item(row)?);
        }
    }
    if many {
        let mut seen = HashSet::new();
        items.retain(|item| seen.insert(item.id));
        items.sort_by_key(|item| (item.ordinal, item.slot));
        items.truncate(limit(query.limit) as usize);
    }
    Ok(items)
}

/// Items by what their rows say.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kept {
    /// With this status, and no session holds them.
    Free(ItemStatus),
    /// Some session holds them.
    Held,
}

/// Returns the statement for a page of items. A `+` keeps an index out that would not give their order.
pub(super) fn items_statement(query: &ItemQuery, kept: Option<Kept>) -> QueryBuilder<Sqlite> {
    let mut sql = QueryBuilder::new(concat!("SELECT ", rows::item_columns!(), " FROM items"));
    // What few rows have comes first.
    let rare = query.code.is_some() || query.stage.is_some() || query.round.is_some_and(|round| round > 1);
    let by = match (query.code, query.stage, query.round, kept) {
        (Some(_), ..) => " INDEXED BY items_code",
        (None, Some(_), ..) => " INDEXED BY items_stage",
        (None, None, Some(round), _) if round > 1 => " INDEXED BY items_round",
        (.., Some(Kept::Held)) => " INDEXED BY items_held",
        (.., Some(Kept::Free(_))) => " INDEXED BY items_listed",
        (.., None) => " INDEXED BY items_place",
    };
    sql.push(by).push(" WHERE job = ").push_bind(query.job.to_string()).push(" AND replaced = 0");
    match kept {
        Some(Kept::Free(status)) if rare => {
            sql.push(format_args!(" AND +status = '{}' AND session IS NULL", status.as_str()));
        }
        Some(Kept::Free(status)) => {
            sql.push(format_args!(" AND status = '{}' AND session IS NULL", status.as_str()));
        }
        Some(Kept::Held) => {
            sql.push(" AND session IN (SELECT id FROM sessions)");
        }
        None => {}
    }
    if let Some(code) = query.code {
        sql.push(" AND code = ").push_bind(code.as_str());
    }
    if let Some(stage) = query.stage {
        sql.push(" AND stage = ").push_bind(stage as i64);
    }
    if let Some(round) = query.round {
        // The partial index is used only where the statement says what it holds.
        sql.push(if round > 1 { " AND round > 1 AND round = " } else { " AND round = " }).push_bind(round);
    }
    if let Some(prefix) = &query.id_prefix {
        let prefix = prefix.to_ascii_lowercase();
        sql.push(" AND +id >= ").push_bind(prefix.clone());
        sql.push(" AND +id < ").push_bind(format!("{prefix}~"));
    }
    if let Some((ordinal, slot)) = query.after {
        sql.push(" AND (ordinal, slot) > (").push_bind(ordinal).push(", ").push_bind(slot).push(")");
    }
    sql.push(" ORDER BY ordinal, slot LIMIT ").push_bind(limit(query.limit));
    sql
}
