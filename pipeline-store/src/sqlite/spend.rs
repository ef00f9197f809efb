//! Adding up what calls have cost.

use pipeline_core::storage::{Spend, SpendBy, SpendQuery};
use pipeline_core::time::Timestamp;
use sqlx::{Row as _, SqliteConnection};

use super::fault::Work;
use super::rows;

/// Adds up by an expression over a call and the owner of its job.
macro_rules! by {
    ($key:literal, $of:literal) => {
        concat!(
            "SELECT ",
            $key,
            ", count(*) FILTER (WHERE told.settled), coalesce(sum(CASE WHEN told.settled THEN told.cost END), 0), \
             count(*) FILTER (WHERE NOT told.settled), coalesce(sum(CASE WHEN NOT told.settled THEN told.reserved END), 0) \
             FROM (SELECT calls.job, calls.stage, calls.provider, calls.model, calls.prompt, jobs.owner, calls.cost, \
             calls.reserved, calls.state IN ('succeeded', 'failed') AS settled, CASE WHEN calls.state IN ('succeeded', 'failed') THEN coalesce(calls.settled_at, calls.opened_at) ELSE calls.opened_at END AS at \
             FROM calls JOIN jobs ON jobs.id = calls.job \
             WHERE ",
            $of,
            " AND (?2 IS NULL OR jobs.owner = ?2)) AS told \
             WHERE (?3 IS NULL OR told.at >= ?3) AND (?4 IS NULL OR told.at < ?4) \
             GROUP BY 1"
        )
    };
}

/// Those of one job by its index, or all.
macro_rules! sums {
    ($of:literal, $by:expr) => {
        match $by {
            SpendBy::Job => by!("told.job", $of),
            SpendBy::Stage => by!("told.stage", $of),
            SpendBy::Provider => by!("told.provider", $of),
            SpendBy::Model => by!("coalesce(told.model, '')", $of),
            SpendBy::Prompt => by!("coalesce(told.prompt, '')", $of),
            SpendBy::Owner => by!("told.owner", $of),
            SpendBy::Day => by!("strftime('%Y-%m-%d', told.at / 1000000, 'unixepoch')", $of),
        }
    };
}

/// Returns the sums a query asks for.
pub(super) async fn spend(connection: &mut SqliteConnection, query: &SpendQuery) -> Work<Vec<Spend>> {
    let sql = match query.job {
        Some(_) => sums!("calls.job = ?1", query.by),
        None => sums!("?1 IS NULL", query.by),
    };
    let rows = sqlx::query(sql)
        .bind(query.job.map(|job| job.to_string()))
        .bind(query.owner.as_deref())
        .bind(query.since.map(Timestamp::as_micros))
        .bind(query.until.map(Timestamp::as_micros))
        .fetch_all(connection)
        .await?;
    let sums = rows.iter().map(|row| {
        Ok(Spend {
            key: row.try_get(0)?,
            calls: rows::number(row, 1)?,
            spent: rows::money(row, 2)?,
            unsettled: rows::number(row, 3)?,
            reserved: rows::money(row, 4)?,
        })
    });
    let mut sums = sums.collect::<Work<Vec<_>>>()?;
    sums.sort_by(|one, two| one.key.cmp(&two.key));
    Ok(sums)
}
