//! How fast the queue moves, told by the ends of the event logs.

use pipeline_core::storage::Rates;
use pipeline_core::time::Timestamp;
use sqlx::{Row as _, SqliteConnection};

use super::fault::Work;
use super::rows;

/// The first young event of each job that has one, and its last event. Nothing says where the young ones begin, but
/// events are in the order of time: halving finds it in a few looks, however long the log is.
pub(super) const YOUNG: &str = "WITH RECURSIVE known (job) AS (SELECT value FROM json_each(?2) \
     UNION ALL SELECT id FROM jobs WHERE ended_at > ?1), \
     search (job, old, young, last) AS (SELECT jobs.id, 0, jobs.last_event, jobs.last_event FROM known \
     CROSS JOIN jobs ON jobs.id = known.job \
     CROSS JOIN events ON events.job = jobs.id AND events.seq = jobs.last_event WHERE events.at > ?1 \
     UNION ALL SELECT search.job, iif(events.at > ?1, old, events.seq), iif(events.at > ?1, events.seq, young), last \
     FROM search CROSS JOIN events ON events.job = search.job AND events.seq = (old + young) / 2 WHERE young - old > 1) \
     SELECT job, young, last FROM search WHERE young - old = 1";

/// Counts the young events of some jobs by what they tell.
pub(super) const COUNT: &str = "SELECT count(*) FILTER (WHERE kind = 'ended'), count(*) FILTER (WHERE kind = 'stage_done') \
     FROM (SELECT events.body ->> '$.what.kind' AS kind FROM json_each(?1) AS busy \
     CROSS JOIN events ON events.job = busy.value ->> 0 AND events.seq >= busy.value ->> 1)";

/// Says how fast the queue moves; `open` are the jobs that have not ended.
pub(super) async fn rates(connection: &mut SqliteConnection, open: Vec<String>, now: Timestamp) -> Work<Rates> {
    let open = rows::list(open)?;
    let mut rates = Rates::default();
    let mut busy: Vec<(String, i64)> = Vec::new();
    for window in Rates::WINDOWS {
        let since = now.as_micros().saturating_sub(i64::try_from(window.as_micros()).unwrap_or(i64::MAX));
        let found = sqlx::query(YOUNG).bind(since).bind(&open).fetch_all(&mut *connection).await?;
        let mut events = 0;
        busy.clear();
        for row in &found {
            let (job, young, last): (String, i64, i64) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
            events += u64::try_from(last - young + 1).unwrap_or_default();
            busy.push((job, young));
        }
        rates.window = window;
        if events <= Rates::ENOUGH {
            break;
        }
    }
    let counted = sqlx::query(COUNT).bind(serde_json::to_string(&busy)?).fetch_one(connection).await?;
    (rates.items, rates.stages) = (rows::number(&counted, 0)?, rows::number(&counted, 1)?);
    Ok(rates)
}
