//! The ledger of provider calls: settling, attaching and listing. Intents are written by commits.

use async_trait::async_trait;
use pipeline_core::error::{Error, Result};
use pipeline_core::id::{CallId, Digest, ItemId, JobId, SendingId, StageName};
use pipeline_core::model::Money;
use pipeline_core::storage::{
    AttachReply, CallLedger, CallQuery, CallRecord, CallState, Decision, GateKey, NewResolution, SettleReply,
    Settlement, Spend, SpendQuery,
};
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row as _};
use uuid::Uuid;

use super::bell::Bell;
use super::fault::Work;
use super::store::{Begin, PostgresStore, clock};
use super::{budgets, gates, rows, spend};

/// Settles a call that is open, or unknown and now known; tells whether it did, and its gate. An answer that is no outage ends the gate's row of them.
const SETTLE: &str = concat!(
    "WITH settled AS (UPDATE calls SET state = $2, cost = $3, response = $4, failure = $5, \
     external_id = coalesce($6, external_id), settled_at = ",
    clock!("$7"),
    " WHERE id = $1 AND (state = 'open' OR (state = 'unknown' AND $2 <> 'unknown')) \
     AND ($2 = 'succeeded' OR $9::uuid IS NULL OR sending = $9) RETURNING gate, job, reserved), \
     answered AS (UPDATE gates SET outages = 0 FROM settled WHERE gates.key = settled.gate AND gates.outages > 0 \
     AND NOT $8) \
     SELECT EXISTS (SELECT 1 FROM settled), (SELECT gate FROM settled), (SELECT job FROM settled), \
     (SELECT reserved FROM settled)"
);

const ATTACH: &str = "WITH attached AS (UPDATE calls SET external_id = $2 \
     WHERE id = $1 AND state IN ('open', 'unknown') AND coalesce(external_id, $2) = $2 RETURNING id) \
     SELECT EXISTS (SELECT 1 FROM attached)";

/// Lists calls, oldest first, by a first condition.
macro_rules! calls_where {
    ($first:literal) => {
        concat!(
            "SELECT id, job, stage, items, round, provider, capability, request, state, reserved, cost, response, \
             failure, external_id, opened_at, settled_at, attempt, gate, deadline, sending, \
             ARRAY(SELECT served.item FROM unnest(calls.items) AS served (item) JOIN call_items \
             ON call_items.item = served.item AND call_items.call = calls.id WHERE call_items.used), resolution, model, prompt FROM calls WHERE ",
            $first,
            " AND ($3::text IS NULL OR stage = $3) AND state = ANY ($4) ORDER BY no LIMIT $5"
        )
    };
}

pub(super) const OF_ITEM: &str = calls_where!(
    "id IN (SELECT call FROM call_items WHERE item = $2 AND NOT (used AND $6)) AND ($1::uuid IS NULL OR job = $1)"
);
pub(super) const OF_JOB: &str = calls_where!("job = $1 AND $2::uuid IS NULL AND $6::boolean IS NOT NULL");
pub(super) const OF_ANY: &str = calls_where!("$1::uuid IS NULL AND $2::uuid IS NULL AND $6::boolean IS NOT NULL");

const ONE: &str = calls_where!("id = $1::uuid AND $2::uuid IS NULL AND $6::boolean IS NOT NULL");

/// The newest answer to a request that a job of the owner of another one has.
const ANSWERED: &str = calls_where!(
    "no = (SELECT max(theirs.no) FROM calls AS theirs JOIN jobs ON jobs.id = theirs.job AND jobs.deleted IS NULL \
     WHERE theirs.request = $7 AND theirs.state = 'succeeded' AND theirs.response IS NOT NULL \
     AND jobs.owner = (SELECT owner FROM jobs WHERE id = $1::uuid)) AND $2::uuid IS NULL AND $6::boolean IS NOT NULL"
);

/// Ends an unknown call as a person decides.
const RESOLVE: &str = "UPDATE calls SET state = $2, cost = $3, response = $4, failure = $5, settled_at = $6, resolution = $7 \
     WHERE id = $1 AND state = 'unknown' RETURNING job, reserved";

/// Locks the items of a call in the order of their ids, before the call, and tells who holds them.
const SERVED: &str = "SELECT items.session FROM items JOIN call_items ON call_items.item = items.id WHERE call_items.call = $1 \
     ORDER BY items.id FOR UPDATE OF items";

/// Lets the items of a call that wait for a person be claimed; they go on with what they have, whatever holds new calls
/// back.
const RELEASE: &str = "UPDATE items SET claimable_at = 0, gate = '' \
     WHERE id IN (SELECT item FROM call_items WHERE call = $1) AND session IS NULL AND open AND status = 'waiting' \
     AND claimable_at IS NULL";

#[async_trait]
impl CallLedger for PostgresStore {
    async fn settle(&self, settlement: Settlement) -> Result<SettleReply> {
        if settlement.state == CallState::Open {
            return Err(Error::invalid("a call cannot be settled as open").with("call", settlement.call));
        }
        let write = self.write(Begin::Durable, settlement, |connection, inner, settlement| {
            Box::pin(async move {
                let row = sqlx::query(SETTLE)
                    .bind(settlement.call.as_uuid())
                    .bind(settlement.state.as_str())
                    .bind(settlement.cost.as_micros())
                    .bind(settlement.response.as_ref().map(serde_json::to_string).transpose()?)
                    .bind(settlement.failure.as_ref().map(serde_json::to_string).transpose()?)
                    .bind(&settlement.external_id)
                    .bind(inner.told())
                    .bind(settlement.outage)
                    .bind(settlement.sending.map(|sending| sending.as_uuid()))
                    .fetch_one(&mut *connection)
                    .await?;
                let gate: Option<&str> = row.try_get(1)?;
                if let Some(gate) = gate.filter(|_| settlement.outage) {
                    let now = inner.now(connection).await?;
                    gates::fail(connection, gate, now).await?;
                }
                if row.try_get(0)? {
                    let mut opened = false;
                    if settlement.state != CallState::Unknown {
                        // In a statement of its own: it sees a budget that was set while the first one waited.
                        let (job, reserved) = (rows::job_id(&row, 2)?, rows::money(&row, 3)?);
                        opened = budgets::settle(connection, job, reserved, settlement.cost).await?;
                    }
                    return Ok((SettleReply::Settled, opened));
                }
                // Read anew: what the statement above waited for is later than what it sees.
                let state: Option<String> = sqlx::query_scalar("SELECT state FROM calls WHERE id = $1")
                    .bind(settlement.call.as_uuid())
                    .fetch_optional(connection)
                    .await?;
                match state.as_deref() {
                    None => Err(Error::not_found("there is no such call").with("call", settlement.call).into()),
                    Some("open") => Ok((SettleReply::SentAgain, false)),
                    Some("unknown") if settlement.state != CallState::Unknown => Ok((SettleReply::SentAgain, false)),
                    Some(_) => Ok((SettleReply::AlreadySettled, false)),
                }
            })
        });
        let (reply, opened) = write.await?;
        if opened {
            Bell::ring(&self.inner);
        }
        Ok(reply)
    }

    async fn attach(&self, call: CallId, external_id: String) -> Result<AttachReply> {
        self.write(Begin::Durable, (call, external_id), |connection, _, (call, external_id)| {
            Box::pin(async move {
                let attached: bool = sqlx::query_scalar(ATTACH)
                    .bind(call.as_uuid())
                    .bind(external_id)
                    .fetch_one(&mut *connection)
                    .await?;
                if attached {
                    return Ok(AttachReply::Attached);
                }
                let state: Option<String> = sqlx::query_scalar("SELECT state FROM calls WHERE id = $1")
                    .bind(call.as_uuid())
                    .fetch_optional(connection)
                    .await?;
                match state.as_deref() {
                    Some("open" | "unknown") => Ok(AttachReply::OtherTask),
                    Some(_) => Ok(AttachReply::AlreadySettled),
                    None => Err(Error::not_found("there is no such call").with("call", call).into()),
                }
            })
        })
        .await
    }

    async fn resolve(&self, resolution: NewResolution) -> Result<CallRecord> {
        let record = self
            .write(Begin::Durable, resolution, |connection, inner, resolution| {
                Box::pin(async move {
                    let id = resolution.call;
                    let holders: Vec<Option<Uuid>> =
                        sqlx::query_scalar(SERVED).bind(id.as_uuid()).fetch_all(&mut *connection).await?;
                    if holders.iter().any(Option::is_some) {
                        return Err(Error::conflict("an item of the call is being worked on").with("call", id).into());
                    }
                    let now = inner.now(connection).await?;
                    let resolved = sqlx::query(RESOLVE)
                        .bind(id.as_uuid())
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
                        let error = Error::conflict("the call is not held").with("call", id).with("state", call.state);
                        return Err(error.into());
                    };
                    let (job, reserved) = (rows::job_id(&row, 0)?, rows::money(&row, 1)?);
                    budgets::settle(connection, job, reserved, resolution.cost).await?;
                    if resolution.decision == Decision::Repeat {
                        sqlx::query("UPDATE call_items SET used = true WHERE call = $1")
                            .bind(id.as_uuid())
                            .execute(&mut *connection)
                            .await?;
                    }
                    sqlx::query(RELEASE).bind(id.as_uuid()).execute(&mut *connection).await?;
                    one(connection, id).await
                })
            })
            .await?;
        Bell::ring(&self.inner);
        Ok(record)
    }

    async fn call(&self, id: CallId) -> Result<CallRecord> {
        self.read(id, |connection, id| Box::pin(one(connection, *id))).await
    }

    async fn answered(&self, job: JobId, request: Digest) -> Result<Option<CallRecord>> {
        self.read((job, request), |connection, (job, request)| {
            Box::pin(async move {
                let row = sqlx::query(ANSWERED)
                    .bind(job.as_uuid())
                    .bind(None::<Uuid>)
                    .bind(None::<&str>)
                    .bind(vec![CallState::Succeeded.as_str()])
                    .bind(1_i64)
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
        self.read(query, |connection, query| Box::pin(spend::spend(connection, query))).await
    }

    async fn calls(&self, query: CallQuery) -> Result<Vec<CallRecord>> {
        self.read(query, |connection, query| {
            Box::pin(async move {
                // One statement for each way in, so that each has its index.
                let sql = match (query.item, query.job) {
                    (Some(_), _) => OF_ITEM,
                    (None, Some(_)) => OF_JOB,
                    (None, None) => OF_ANY,
                };
                let all = [CallState::Open, CallState::Succeeded, CallState::Failed, CallState::Unknown];
                let states = if query.states.is_empty() { &all[..] } else { &query.states };
                let rows = sqlx::query(sql)
                    .bind(query.job.map(|job| job.as_uuid()))
                    .bind(query.item.map(|item| item.as_uuid()))
                    .bind(query.stage.as_ref().map(StageName::as_str))
                    .bind(states.iter().copied().map(CallState::as_str).collect::<Vec<_>>())
                    .bind(if query.limit == 0 { 100 } else { i64::from(query.limit) })
                    .bind(query.unused)
                    .fetch_all(connection)
                    .await?;
                rows.iter().map(call).collect()
            })
        })
        .await
    }
}

async fn one(connection: &mut PgConnection, id: CallId) -> Work<CallRecord> {
    let all = [CallState::Open, CallState::Succeeded, CallState::Failed, CallState::Unknown];
    let row = sqlx::query(ONE)
        .bind(id.as_uuid())
        .bind(None::<Uuid>)
        .bind(None::<&str>)
        .bind(all.map(CallState::as_str).to_vec())
        .bind(1_i64)
        .bind(false)
        .fetch_optional(connection)
        .await?;
    call(&row.ok_or_else(|| Error::not_found("there is no such call").with("call", id))?)
}

fn call(row: &PgRow) -> Work<CallRecord> {
    Ok(CallRecord {
        id: CallId::from_uuid(rows::uuid(row, 0)?),
        sending: SendingId::from_uuid(rows::uuid(row, 19)?),
        job: rows::job_id(row, 1)?,
        stage: rows::stage(row, 2)?,
        items: row.try_get::<Vec<Uuid>, _>(3)?.into_iter().map(ItemId::from_uuid).collect(),
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
        used_by: row.try_get::<Vec<Uuid>, _>(20)?.into_iter().map(ItemId::from_uuid).collect(),
        resolution: rows::maybe_json(row, 21)?,
        model: row.try_get(22)?,
        prompt: row.try_get(23)?,
    })
}
