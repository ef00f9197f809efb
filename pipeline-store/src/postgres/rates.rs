//! How fast the queue moves, told by the ends of the event logs.

use pipeline_core::storage::Rates;
use pipeline_core::time::Timestamp;
use sqlx::{PgConnection, Row as _};
use uuid::Uuid;

use super::fault::Work;
use super::rows;

/// The first young event of each job that has one, and its last event. Nothing says where the young ones begin, but
/// events are in the order of time: halving finds it in a few looks, however long the log is.
pub(super) const YOUNG: &str = "WITH RECURSIVE known (job) AS (SELECT job FROM turns WHERE open \
     UNION ALL SELECT id FROM jobs WHERE ended_at > $1), \
     search (job, old, young, last) AS (SELECT jobs.id, 0::bigint, jobs.last_event, jobs.last_event FROM known \
     JOIN jobs ON jobs.id = known.job \
     JOIN events ON events.job = jobs.id AND events.seq = jobs.last_event WHERE events.at > $1 \
     UNION ALL SELECT search.job, CASE WHEN events.at > $1 THEN old ELSE events.seq END, \
     CASE WHEN events.at > $1 THEN events.seq ELSE young END, last \
     FROM search JOIN events ON events.job = search.job AND events.seq = (old + young) / 2 WHERE young - old > 1) \
     SELECT job, young, last FROM search WHERE young - old = 1";

/// Counts the young events of some jobs by what they tell.
pub(super) const COUNT: &str = "SELECT count(*) FILTER (WHERE kind = 'ended'), count(*) FILTER (WHERE kind = 'stage_done') \
     FROM (SELECT events.body::json #>> '{what,kind}' AS kind FROM unnest($1::uuid[], $2::bigint[]) AS busy (job, young) \
     JOIN events ON events.job = busy.job AND events.seq >= busy.young) AS told";

/// Says how fast the queue moves.
pub(super) async fn rates(connection: &mut PgConnection, now: Timestamp) -> Work<Rates> {
    let mut rates = Rates::default();
    let (mut jobs, mut places): (Vec<Uuid>, Vec<i64>) = (Vec::new(), Vec::new());
    for window in Rates::WINDOWS {
        let since = now.as_micros().saturating_sub(i64::try_from(window.as_micros()).unwrap_or(i64::MAX));
        let found = sqlx::query(YOUNG).bind(since).fetch_all(&mut *connection).await?;
        let mut events = 0;
        (jobs, places) = (Vec::new(), Vec::new());
        for row in &found {
            let (young, last): (i64, i64) = (row.try_get(1)?, row.try_get(2)?);
            events += u64::try_from(last - young + 1).unwrap_or_default();
            jobs.push(row.try_get(0)?);
            places.push(young);
        }
        rates.window = window;
        if events <= Rates::ENOUGH {
            break;
        }
    }
    let counted = sqlx::query(COUNT).bind(jobs).bind(places).fetch_one(connection).await?;
    (rates.items, rates.stages) = (rows::number(&counted, 0)?, rows::number(&counted, 1)?);
    Ok(rates)
}
