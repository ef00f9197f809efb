//! Pages of jobs and of items: each asks for what its filters need, so that an index finds it.

use pipeline_core::model::{ItemStatus, JobStatus};
use pipeline_core::storage::{ItemQuery, JobKeyOf, JobQuery, JobSort};
use sqlx::{Postgres, QueryBuilder};
use uuid::Uuid;

use super::fault::Work;
use super::rows;

/// Returns the statement for a page of jobs whose ids are in a range.
pub(super) fn jobs(query: &JobQuery, (least, greatest): (Uuid, Uuid)) -> Work<QueryBuilder<Postgres>> {
    let mut sql = QueryBuilder::new(concat!(rows::jobs!(), " WHERE jobs.deleted IS NULL"));
    if query.id_prefix.is_some() {
        sql.push(" AND jobs.id BETWEEN ").push_bind(least).push(" AND ").push_bind(greatest);
    }
    if let Some(label) = &query.label {
        sql.push(" AND label = ").push_bind(label.clone());
    }
    if let Some((least, beyond)) = query.labels() {
        sql.push(" AND label COLLATE \"C\" >= ").push_bind(least.to_owned());
        if let Some(beyond) = beyond {
            sql.push(" AND label COLLATE \"C\" < ").push_bind(beyond);
        }
    }
    if let Some(owner) = &query.owner {
        sql.push(" AND owner = ").push_bind(owner.clone());
    }
    if let Some(pipeline) = &query.pipeline {
        sql.push(" AND pipeline = ").push_bind(pipeline.clone());
    }
    if let Some(since) = query.since {
        sql.push(" AND created_at >= ").push_bind(since.as_micros());
    }
    if let Some(until) = query.until {
        sql.push(" AND created_at < ").push_bind(until.as_micros());
    }
    if let Some(parent) = query.parent {
        sql.push(" AND jobs.parent = ").push_bind(parent.as_uuid());
    }
    if let Some(retried) = query.retried {
        sql.push(if retried { " AND " } else { " AND NOT " });
        sql.push(
            "EXISTS (SELECT 1 FROM reviews WHERE reviews.job = jobs.id \
             AND reviews.decision LIKE '{\"decision\":\"retry\"%')",
        );
    }
    states(&mut sql, &query.statuses);
    let by = match query.order.by {
        JobSort::Created => "created_at",
        JobSort::Ended => "coalesce(ended_at, 9223372036854775807)",
        JobSort::Priority => "jobs.priority",
        JobSort::Label => "label COLLATE \"C\"",
        JobSort::Cost => "jobs.cost",
    };
    let (comparison, direction) = if query.order.descending { ("<", "DESC") } else { (">", "ASC") };
    if let Some(cursor) = query.place()? {
        sql.push(format_args!(" AND ({by}, jobs.id) {comparison} ("));
        match &cursor.key {
            JobKeyOf::Number(number) => sql.push_bind(*number),
            JobKeyOf::Text(text) => sql.push_bind(text.clone()),
        };
        sql.push(", ").push_bind(cursor.id.as_uuid()).push(")");
    }
    sql.push(format_args!(" ORDER BY {by} {direction}, jobs.id {direction} LIMIT "));
    sql.push_bind(limit(query.limit));
    Ok(sql)
}

fn limit(asked: u32) -> i64 {
    if asked == 0 { 100 } else { i64::from(asked) }
}

/// Asks for some states. Only those of jobs that have ended are stored; the others are derived as in [`JobStatus::derive`].
fn states(sql: &mut QueryBuilder<Postgres>, wanted: &[JobStatus]) {
    let derived = |status: JobStatus| match status {
        JobStatus::Queued => Some("control = 'run' AND turns.started_at IS NULL"),
        JobStatus::Running => Some("control = 'run' AND turns.started_at IS NOT NULL"),
        JobStatus::Paused => Some("control = 'pause'"),
        JobStatus::Cancelling => Some("control = 'cancel'"),
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

/// Returns the statement for a page of items whose ids are in a range. Filters that few items pass go by an index of the
/// items themselves, everything else by that of what never changes of them.
pub(super) fn items(query: &ItemQuery, (least, greatest): (Uuid, Uuid)) -> QueryBuilder<Postgres> {
    let ended = !query.statuses.is_empty() && query.statuses.iter().all(|status| status.is_terminal());
    let rare = ended || query.code.is_some() || query.stage.is_some() || query.round.is_some_and(|round| round > 1);
    let place = if rare { "items" } else { "item_inputs" };
    let mut sql = QueryBuilder::new(concat!(
        "SELECT ",
        rows::item_columns!(),
        " FROM item_inputs JOIN items ON items.id = item_inputs.item WHERE NOT replaced AND "
    ));
    sql.push(place).push(".job = ").push_bind(query.job.as_uuid());
    if let Some(code) = query.code {
        sql.push(" AND code = ").push_bind(code.as_str());
    }
    if let Some(stage) = query.stage {
        sql.push(" AND stage = ").push_bind(stage as i64);
    }
    if let Some(round) = query.round {
        sql.push(if round > 1 { " AND round > 1 AND round = " } else { " AND round = " }).push_bind(i64::from(round));
    }
    if !query.statuses.is_empty() {
        let words: Vec<&str> = query.statuses.iter().map(|status| status.as_str()).collect();
        let free = format!("session IS NULL AND status IN ('{}')", words.join("', '"));
        let held = query.statuses.contains(&ItemStatus::Running);
        // Nothing of what has ended is open; the index of those says so.
        let over = if ended { " AND NOT open" } else { "" };
        sql.push(format_args!(" AND ({free}{})", if held { " OR session IS NOT NULL" } else { over }));
    }
    if query.id_prefix.is_some() {
        sql.push(" AND items.id BETWEEN ").push_bind(least).push(" AND ").push_bind(greatest);
    }
    if let Some((ordinal, slot)) = query.after {
        sql.push(format_args!(" AND ({place}.ordinal, {place}.slot) > ("));
        sql.push_bind(i64::from(ordinal)).push(", ").push_bind(i64::from(slot)).push(")");
    }
    sql.push(format_args!(" ORDER BY {place}.ordinal, {place}.slot LIMIT ")).push_bind(limit(query.limit));
    sql
}
