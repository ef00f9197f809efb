//! The ledger of provider calls: settling, attaching and listing. Intents are written by commits.

use async_trait::async_trait;
use pipeline_core::error::{Error, Result};
use pipeline_core::id::{CallId, Digest, ItemId, JobId};
use pipeline_core::model::Money;
use pipeline_core::storage::{
    AttachReply, CallLedger, CallQuery, CallRecord, CallState, Decision, GateKey, NewResolution, SettleReply,
    Settlement, Spend, SpendQuery,
};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row as _, SqliteConnection};

use super::fault::Work;
use super::store::SqliteStore;
use super::{budgets, gates, rows, spend};

/// Lists calls, oldest first, by a first condition.
macro_rules! calls_where {
    ($first:literal) => {
        concat!(
            "SELECT id, job, stage, items, round, provider, capability, request, state, reserved, cost, response, \
             failure, external_id, opened_at, settled_at, attempt, gate, deadline, sending, \
             (SELECT json_group_array(item) FROM call_items WHERE call = calls.id AND used), resolution, model, prompt FROM calls WHERE ",
            $first,
            " AND (?3 IS NULL OR stage = ?3) AND state IN (SELECT value FROM json_each(?4)) ORDER BY no LIMIT ?5"
        )
    };
}

pub(super) const OF_ITEM: &str = calls_where!(
    "id IN (SELECT call FROM call_items WHERE item = ?2 AND NOT (used AND ?6)) AND (?1 IS NULL OR job = ?1)"
);
pub(super) const OF_JOB: &str = calls_where!("job = ?1 AND ?2 IS NULL AND ?6 IS NOT NULL");
/// In one state: in the order of an index.
pub(super) const OF_STAGE: &str =
    calls_where!("job = ?1 AND stage = ?3 AND state = ?4 ->> '$[0]' AND ?2 IS NULL AND ?6 IS NOT NULL");
pub(super) const OF_ANY: &str = calls_where!("?1 IS NULL AND ?2 IS NULL AND ?6 IS NOT NULL");

const ONE: &str = calls_where!("id = ?1 AND ?2 IS NULL AND ?6 IS NOT NULL");

/// The newest answer to a request that a job of the owner of another one has.
const ANSWERED: &str = calls_where!(
    "no = (SELECT max(theirs.no) FROM calls AS theirs JOIN jobs ON jobs.id = theirs.job AND jobs.deleted IS NULL \
     WHERE theirs.request = ?7 AND theirs.state = 'succeeded' AND theirs.response IS NOT NULL \
     AND jobs.owner = (SELECT owner FROM jobs WHERE id = ?1)) AND ?2 IS NULL AND ?6 IS NOT NULL"
);

/// Ends an unknown call as a person decides.
const RESOLVE: &str = "UPDATE calls SET state = ?2, cost = ?3, response = ?4, failure = ?5, settled_at = ?6, resolution = ?7 \
     WHERE id = ?1 AND state = 'unknown' RETURNING job, reserved";

/// Whether a session holds an item of a call.
const BUSY: &str = "SELECT EXISTS (SELECT 1 FROM call_items JOIN items ON items.id = call_items.item \
     WHERE call_items.call = ?1 AND items.session IS NOT NULL)";

/// Lets the items of a call that wait for a person be claimed; they go on with what they have, whatever holds new calls
/// back.
const RELEASE: &str = "UPDATE items SET claimable_at = 0, gate = NULL \
     WHERE id IN (SELECT item FROM call_items WHERE call = ?1) AND session IS NULL AND status = 'waiting' \
     AND claimable_at IS NULL";

#[async_trait]
impl CallLedger for SqliteStore {
    async fn settle(&self, settlement: Settlement) -> Result<SettleReply> {
        if settlement.state == CallState::Open {
            return Err(Error::invalid("a call cannot be settled as open").with("call", settlement.call));
        }
        self.write(move |connection, inner| {
            Box::pin(async move {
                let id = settlement.call.to_string();
                let settled = sqlx::query(
                    "UPDATE calls SET state = ?2, cost = ?3, response = ?4, failure = ?5, \
                     external_id = coalesce(?6, external_id), settled_at = ?7 \
                     WHERE id = ?1 AND (state = 'open' OR (state = 'unknown' AND ?2 <> 'unknown')) \
                     AND (?2 = 'succeeded' OR ?8 IS NULL OR sending = ?8) RETURNING gate, job, reserved",
                )
                .bind(&id)
                .bind(settlement.state.as_str())
                .bind(settlement.cost.as_micros())
                .bind(settlement.response.as_ref().map(serde_json::to_string).transpose()?)
                .bind(settlement.failure.as_ref().map(serde_json::to_string).transpose()?)
                .bind(settlement.external_id)
                .bind(inner.now().as_micros())
                .bind(settlement.sending.map(|sending| sending.to_string()))
                .fetch_optional(&mut *connection)
                .await?;
                if let Some(row) = settled {
                    if settlement.state != CallState::Unknown {
                        let (job, reserved) = (rows::word(&row, 1)?, rows::money(&row, 2)?);
                        budgets::settle(connection, job, reserved, settlement.cost).await?;
                    }
                    if let Some(gate) = row.try_get::<Option<String>, _>(0)?.map(GateKey::new) {
                        gates::heard(connection, &gate, settlement.outage, inner.now()).await?;
                    }
                    return Ok(SettleReply::Settled);
                }
                let state: Option<String> = sqlx::query_scalar("SELECT state FROM calls WHERE id = ?")
                    .bind(&id)
                    .fetch_optional(connection)
                    .await?;
                match state.as_deref() {
                    None => Err(Error::not_found("there is no such call").with("call", id).into()),
                    Some("open") => Ok(SettleReply::SentAgain),
                    Some("unknown") if settlement.state != CallState::Unknown => Ok(SettleReply::SentAgain),
                    Some(_) => Ok(SettleReply::AlreadySettled),
                }
            })
        })
        .await
    }

    async fn attach(&self, call: CallId, external_id: String) -> Result<AttachReply> {
        self.write(move |connection, _| {
            Box::pin(async move {
                let id = call.to_string();
                let attached = sqlx::query(
                    "UPDATE calls SET external_id = ?2 \
                     WHERE id = ?1 AND state IN ('open', 'unknown') AND (external_id IS NULL OR external_id = ?2)",
                )
                .bind(&id)
                .bind(external_id)
                .execute(&mut *connection)
                .await?;
                if attached.rows_affected() > 0 {
                    return Ok(AttachReply::Attached);
                }
                let state: Option<String> = sqlx::query_scalar("SELECT state FROM calls WHERE id = ?")
                    .bind(&id)
                    .fetch_optional(connection)
                    .await?;
                match state.as_deref() {
                    Some("open" | "unknown") => Ok(AttachReply::OtherTask),
                    Some(_) => Ok(AttachReply::AlreadySettled),
                    None => Err(Error::not_found("there is no such call").with("call", id).into()),
                }
            })
        })
        .await
    }

    async fn resolve(&self, resolution: NewResolution) -> Result<CallRecord> {
        self.write(move |connection, inner| {
            Box::pin(async move {
                let (id, now) = (resolution.call, inner.now());
                let busy: bool = sqlx::query_scalar(BUSY).bind(id.to_string()).fetch_one(&mut *connection).await?;
                if busy {
                    return Err(Error::conflict("an item of the call is being worked on").with("call", id).into());
                }
                let resolved = sqlx::query(RESOLVE)
                    .bind(id.to_string())
                    .bind(resolution.state().as_str())
                    .bind(resolution.cost.as_micros())
                    .bind(resolution.response.as_ref().map(serde_json::to_string).transpose()?)
                    .bind(resolution.failure().as_ref().map(serde_json::to_string).transpose()?)
                    .bind(now.as_micros())
                    .bind(serde_json::to_string(&resolution.kept(now))?)
                    .fetch_optional(&mut *connection)
                    .await?;
                let Some(row) = resolved else {
                    let call = one(connection, id).await?;
                    return Err(Error::conflict("the call is not held")
                        .with("call", id)
                        .with("state", call.state)
                        .into());
                };
                let (job, reserved) = (rows::word(&row, 0)?, rows::money(&row, 1)?);
                budgets::settle(connection, job, reserved, resolution.cost).await?;
                if resolution.decision == Decision::Repeat {
                    sqlx::query("UPDATE call_items SET used = 1 WHERE call = ?")
                        .bind(id.to_string())
                        .execute(&mut *connection)
                        .await?;
                }
                sqlx::query(RELEASE).bind(id.to_string()).execute(&mut *connection).await?;
                one(connection, id).await
            })
        })
        .await
    }

    async fn call(&self, id: CallId) -> Result<CallRecord> {
        self.read(move |connection| Box::pin(one(connection, id))).await
    }

    async fn answered(&self, job: JobId, request: Digest) -> Result<Option<CallRecord>> {
        self.read(move |connection| {
            Box::pin(async move {
                let row = sqlx::query(ANSWERED)
                    .bind(job.to_string())
                    .bind(None::<String>)
                    .bind(None::<String>)
                    .bind(rows::list([CallState::Succeeded])?)
                    .bind(1)
                    .bind(false)
                    .bind(request.to_hex())
                    .fetch_optional(connection)
                    .await?;
                row.as_ref().map(call).transpose()
            })
        })
        .await
    }

    async fn spend(&self, query: SpendQuery) -> Result<Vec<Spend>> {
        self.read(move |connection| Box::pin(async move { spend::spend(connection, &query).await })).await
    }

    async fn calls(&self, query: CallQuery) -> Result<Vec<CallRecord>> {
        self.read(move |connection| {
            Box::pin(async move {
                // One statement for each way in, so that each has its index.
                let sql = match (query.item, query.job) {
                    (Some(_), _) => OF_ITEM,
                    (None, Some(_)) if query.stage.is_some() && query.states.len() == 1 => OF_STAGE,
                    (None, Some(_)) => OF_JOB,
                    (None, None) => OF_ANY,
                };
                let states = if query.states.is_empty() {
                    vec![CallState::Open, CallState::Succeeded, CallState::Failed, CallState::Unknown]
                } else {
                    query.states
                };
                let rows = sqlx::query(sql)
                    .bind(query.job.map(|job| job.to_string()))
                    .bind(query.item.map(|item| item.to_string()))
                    .bind(query.stage.map(String::from))
                    .bind(rows::list(states.into_iter().map(CallState::as_str))?)
                    .bind(if query.limit == 0 { 100 } else { query.limit })
                    .bind(query.unused)
                    .fetch_all(connection)
                    .await?;
                rows.iter().map(call).collect()
            })
        })
        .await
    }
}

async fn one(connection: &mut SqliteConnection, id: CallId) -> Work<CallRecord> {
    let all = [CallState::Open, CallState::Succeeded, CallState::Failed, CallState::Unknown];
    let row = sqlx::query(ONE)
        .bind(id.to_string())
        .bind(None::<String>)
        .bind(None::<String>)
        .bind(rows::list(all.into_iter().map(CallState::as_str))?)
        .bind(1)
        .bind(false)
        .fetch_optional(connection)
        .await?;
    call(&row.ok_or_else(|| Error::not_found("there is no such call").with("call", id))?)
}

fn call(row: &SqliteRow) -> Work<CallRecord> {
    let items: Vec<ItemId> = rows::json(row, 3)?;
    let used: Vec<ItemId> = rows::json(row, 20)?;
    Ok(CallRecord {
        id: rows::word(row, 0)?,
        sending: rows::word(row, 19)?,
        job: rows::word(row, 1)?,
        stage: rows::stage(row, 2)?,
        used_by: items.iter().filter(|item| used.contains(item)).copied().collect(),
        items,
        round: rows::number(row, 4)?,
        attempt: rows::number(row, 16)?,
        provider: row.try_get(5)?,
        capability: rows::named(row, 6)?,
        request: rows::word(row, 7)?,
        state: rows::named(row, 8)?,
        reserved: rows::money(row, 9)?,
        cost: row.try_get::<Option<i64>, _>(10)?.map(Money::from_micros),
        response: rows::maybe_json(row, 11)?,
        failure: rows::maybe_json(row, 12)?,
        external_id: row.try_get(13)?,
        opened_at: rows::time(row, 14)?,
        gate: row.try_get::<Option<String>, _>(17)?.map(GateKey::new),
        deadline: rows::time(row, 18)?,
        settled_at: rows::maybe_time(row, 15)?,
        resolution: rows::maybe_json(row, 21)?,
        model: row.try_get(22)?,
        prompt: row.try_get(23)?,
    })
}
