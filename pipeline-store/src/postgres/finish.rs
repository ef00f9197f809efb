//! What a transaction changes in the rows of its jobs, and the end of those whose last leaf has ended.

use std::collections::BTreeMap;
use std::time::Duration;

use pipeline_core::id::JobId;
use pipeline_core::model::{Control, Counts, ItemStatus, JobStatus, Money};
use pipeline_core::storage::{EventBody, ResultRecord};
use pipeline_core::time::Timestamp;
use sqlx::{PgConnection, Row as _};
use uuid::Uuid;

use super::fault::Work;
use super::rows;

const STATUSES: usize = ItemStatus::ALL.len();

/// Adds changes to the rows of jobs, which are locked by that until the end of the transaction, in the order of their
/// ids. The lock makes the sequence of events gapless, and lets exactly one transaction see the last leaf end.
pub(super) const CHANGE: &str = "WITH change AS MATERIALIZED (SELECT given.* FROM \
     unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[], \
     $8::bigint[], $9::bigint[], $10::bigint[], $11::bigint[], $12::bigint[], $13::bigint[]) AS given \
     (job, told, cost, steps, pending, running, waiting, succeeded, filtered, rejected, undecided, failed, cancelled) \
     JOIN jobs ON jobs.id = given.job ORDER BY jobs.id FOR NO KEY UPDATE OF jobs), \
     changed AS (UPDATE jobs SET last_event = jobs.last_event + change.told, cost = jobs.cost + change.cost, \
     steps = jobs.steps + change.steps, pending = jobs.pending + change.pending, \
     running = jobs.running + change.running, waiting = jobs.waiting + change.waiting, \
     succeeded = jobs.succeeded + change.succeeded, filtered = jobs.filtered + change.filtered, \
     rejected = jobs.rejected + change.rejected, undecided = jobs.undecided + change.undecided, \
     failed = jobs.failed + change.failed, cancelled = jobs.cancelled + change.cancelled \
     FROM change WHERE jobs.id = change.job RETURNING jobs.id, jobs.control, jobs.status IS NULL AS going, \
     jobs.last_event - change.told AS before, jobs.pending, jobs.running, jobs.waiting, jobs.succeeded, jobs.filtered, \
     jobs.rejected, jobs.undecided, jobs.failed, jobs.cancelled), \
     told AS (INSERT INTO events (job, seq, at, body) SELECT changed.id, changed.before + given.place, $14, given.body \
     FROM unnest($15::uuid[], $16::bigint[], $17::text[]) AS given (job, place, body) \
     JOIN changed ON changed.id = given.job), \
     tallied AS (INSERT INTO tallies (job, stage, count, micros, sum_squares, cost) SELECT given.* FROM \
     unnest($18::uuid[], $19::text[], $20::bigint[], $21::bigint[], $22::float8[], $23::bigint[]) AS given \
     (job, stage, count, micros, sum_squares, cost) JOIN changed ON changed.id = given.job \
     ON CONFLICT (job, stage) DO UPDATE SET count = tallies.count + excluded.count, \
     micros = tallies.micros + excluded.micros, sum_squares = tallies.sum_squares + excluded.sum_squares, \
     cost = tallies.cost + excluded.cost) \
     SELECT id, control, going, pending, running, waiting, succeeded, filtered, rejected, undecided, failed, cancelled \
     FROM changed";

/// Ends every open item of some jobs that no session holds. Its machine is left as it is.
pub(super) const CANCEL: &str = "WITH free AS MATERIALIZED (SELECT id, status FROM items \
     WHERE job = ANY ($1) AND session IS NULL AND open ORDER BY id FOR UPDATE), \
     ended AS (UPDATE items SET status = 'cancelled', open = false, claimable_at = NULL, updated_at = $2 \
     FROM free WHERE items.id = free.id RETURNING items.job, free.status, items.leaves) \
     SELECT job, status, sum(leaves)::bigint FROM ended GROUP BY job, status";

/// Ends jobs: status, time, the event `Finished`, and their turn.
pub(super) const END: &str = "WITH ended AS (UPDATE jobs SET status = given.status, ended_at = $4, \
     last_event = last_event + 1 FROM unnest($1::uuid[], $2::text[], $3::text[]) AS given (job, status, body) \
     WHERE jobs.id = given.job RETURNING jobs.id, jobs.last_event, given.body), \
     passed AS (UPDATE turns SET eligible = false, open = false WHERE job = ANY ($1)) \
     INSERT INTO events (job, seq, at, body) SELECT id, last_event, $4, body FROM ended";

/// The sums of a stage.
#[derive(Debug, Default)]
struct Tally {
    count: i64,
    micros: i64,
    sum_squares: f64,
    cost: i64,
}

/// What a transaction changes in the row of one job.
#[derive(Debug, Default)]
pub(super) struct Change {
    leaves: [i64; STATUSES],
    steps: i64,
    cost: Money,
    told: Vec<EventBody>,
    tallies: BTreeMap<String, Tally>,
    freed: bool,
}

impl Change {
    /// Adds leaves in a status, each with its settled stages.
    pub(super) fn add(&mut self, status: ItemStatus, leaves: i64, steps: i64) {
        if let Some(sum) = self.leaves.get_mut(status as usize) {
            *sum += leaves;
        }
        self.steps += leaves * steps;
    }

    /// Appends what there is to tell.
    pub(super) fn tell(&mut self, told: impl IntoIterator<Item = EventBody>) {
        self.told.extend(told);
    }

    /// Adds a result to the job's cost and to the sums of its stage.
    pub(super) fn tally(&mut self, result: &ResultRecord) {
        let took: Duration = result.ended_at.since(result.started_at);
        self.cost += result.cost;
        let tally = self.tallies.entry(result.stage.as_str().to_owned()).or_default();
        tally.count += 1;
        tally.micros += i64::try_from(took.as_micros()).unwrap_or(i64::MAX);
        tally.sum_squares += took.as_secs_f64() * took.as_secs_f64();
        tally.cost += result.cost.as_micros();
    }

    /// Says that open items are left which no session holds: they end with a job that is cancelled.
    pub(super) fn free(&mut self) {
        self.freed = true;
    }
}

/// What a transaction changes in the rows of its jobs.
pub(super) type Changes = BTreeMap<JobId, Change>;

/// A job as it is after a change, locked.
struct Changed {
    job: JobId,
    control: Control,
    going: bool,
    counts: Counts,
}

/// Writes changes. In jobs that are cancelled, ends the items that were left to nobody. Ends the jobs that have no open
/// leaf left. The last step of a transaction.
pub(super) async fn finish(connection: &mut PgConnection, changes: &Changes, now: Timestamp) -> Work<()> {
    if changes.is_empty() {
        return Ok(());
    }
    let mut jobs = change(connection, changes, now).await?;
    let freed = |job: &JobId| changes.get(job).is_some_and(|change| change.freed);
    let cancelled: Vec<Uuid> = jobs
        .iter()
        .filter(|changed| changed.control == Control::Cancel && changed.going && freed(&changed.job))
        .map(|changed| changed.job.as_uuid())
        .collect();
    if !cancelled.is_empty() {
        let more = cancel(connection, &cancelled, now).await?;
        if !more.is_empty() {
            let again = change(connection, &more, now).await?;
            jobs.retain(|changed| !more.contains_key(&changed.job));
            jobs.extend(again);
        }
    }
    jobs.retain(|changed| changed.going && changed.counts.open() == 0);
    end(connection, &jobs, now).await
}

async fn change(connection: &mut PgConnection, changes: &Changes, now: Timestamp) -> Work<Vec<Changed>> {
    let column = |of: fn(&Change) -> i64| changes.values().map(of).collect::<Vec<_>>();
    let mut query = sqlx::query(CHANGE)
        .bind(changes.keys().map(JobId::as_uuid).collect::<Vec<_>>())
        .bind(column(|change| change.told.len() as i64))
        .bind(column(|change| change.cost.as_micros()))
        .bind(column(|change| change.steps));
    for status in 0..STATUSES {
        let sums = changes.values().map(|change| change.leaves.get(status).copied().unwrap_or(0));
        query = query.bind(sums.collect::<Vec<_>>());
    }
    let (mut jobs, mut places, mut bodies) = (Vec::new(), Vec::new(), Vec::new());
    for (job, change) in changes {
        for (index, body) in change.told.iter().enumerate() {
            jobs.push(job.as_uuid());
            places.push(index as i64 + 1);
            bodies.push(serde_json::to_string(body)?);
        }
    }
    let tallies: Vec<_> = changes
        .iter()
        .flat_map(|(job, change)| change.tallies.iter().map(|(stage, tally)| (job.as_uuid(), stage.as_str(), tally)))
        .collect();
    let rows = query
        .bind(now.as_micros())
        .bind(jobs)
        .bind(places)
        .bind(bodies)
        .bind(tallies.iter().map(|(job, _, _)| *job).collect::<Vec<_>>())
        .bind(tallies.iter().map(|(_, stage, _)| *stage).collect::<Vec<_>>())
        .bind(tallies.iter().map(|(_, _, tally)| tally.count).collect::<Vec<_>>())
        .bind(tallies.iter().map(|(_, _, tally)| tally.micros).collect::<Vec<_>>())
        .bind(tallies.iter().map(|(_, _, tally)| tally.sum_squares).collect::<Vec<_>>())
        .bind(tallies.iter().map(|(_, _, tally)| tally.cost).collect::<Vec<_>>())
        .fetch_all(connection)
        .await?;
    rows.iter()
        .map(|row| {
            Ok(Changed {
                job: rows::job_id(row, 0)?,
                control: rows::word(row, 1)?,
                going: row.try_get(2)?,
                counts: rows::counts(row, 3)?,
            })
        })
        .collect()
}

async fn cancel(connection: &mut PgConnection, jobs: &[Uuid], now: Timestamp) -> Work<Changes> {
    let rows = sqlx::query(CANCEL).bind(jobs).bind(now.as_micros()).fetch_all(connection).await?;
    let mut changes = Changes::new();
    for row in &rows {
        let change = changes.entry(rows::job_id(row, 0)?).or_default();
        let leaves: i64 = row.try_get(2)?;
        // Their settled stages stay settled.
        change.add(rows::word(row, 1)?, -leaves, 0);
        change.add(ItemStatus::Cancelled, leaves, 0);
    }
    Ok(changes)
}

async fn end(connection: &mut PgConnection, jobs: &[Changed], now: Timestamp) -> Work<()> {
    if jobs.is_empty() {
        return Ok(());
    }
    let (mut ids, mut statuses, mut bodies) = (Vec::new(), Vec::new(), Vec::new());
    for job in jobs {
        // Nothing is open, so nothing is held, and it does not matter whether it ever started.
        let status = JobStatus::derive(job.control, true, &job.counts);
        ids.push(job.job.as_uuid());
        statuses.push(status.as_str());
        bodies.push(serde_json::to_string(&EventBody::Finished { status, counts: job.counts })?);
    }
    sqlx::query(END).bind(ids).bind(statuses).bind(bodies).bind(now.as_micros()).execute(connection).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_the_number_of_its_column() {
        for (index, status) in ItemStatus::ALL.iter().enumerate() {
            assert_eq!(*status as usize, index);
        }
    }
}
