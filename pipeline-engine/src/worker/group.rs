//! One claimed unit: its items walk side by side, and a stage that serves several of them at once runs once.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::future::try_join_all;
use tokio::sync::oneshot;
use tracing::Instrument as _;

use pipeline_core::executor::{Event, ItemMachine, backoff};
use pipeline_core::id::{CallId, ItemId};
use pipeline_core::pipeline::StageIndex;
use pipeline_core::storage::Claimed;
use pipeline_core::{Error, Result};

use super::committer::Committer;
use super::inputs;
use super::run::Signals;
use super::shared::Shared;
use super::walk::{Ended, Start, Walk, late};

/// Walks the items of one unit until none of them is held any more. Those whose rounds have the same settings go together.
pub(crate) async fn walk_unit(
    shared: Arc<Shared>,
    committer: Committer,
    unit: Vec<Claimed>,
    signals: Signals,
) -> Result<()> {
    let mut parts: BTreeMap<u32, Vec<Claimed>> = BTreeMap::new();
    for claimed in unit {
        parts.entry(claimed.item.machine.revision).or_default().push(claimed);
    }
    let walk = |part| walk_together(Arc::clone(&shared), committer.clone(), part, signals.clone());
    try_join_all(parts.into_values().map(walk)).await?;
    Ok(())
}

/// Walks items of one unit and one revision.
#[tracing::instrument(
    name = "job",
    level = "debug",
    skip_all,
    fields(id = unit.first().map(|claimed| tracing::field::display(claimed.item.job)))
)]
async fn walk_together(shared: Arc<Shared>, committer: Committer, unit: Vec<Claimed>, signals: Signals) -> Result<()> {
    let Some(first) = unit.first() else { return Ok(()) };
    let job = shared.job(first.item.job, first.item.machine.revision).await?;
    // The first item's place in the job; one shared call needs no more, but what follows it does.
    let mut place = Some(job.place().await);
    let machines: Vec<&ItemMachine> = unit.iter().map(|claimed| &claimed.item.machine).collect();
    let mut results = inputs::load(&shared, &machines).await?;
    let mut walks = Vec::with_capacity(unit.len());
    let mut apart = Vec::with_capacity(unit.len());
    // Only the same try is shared: the ledger keeps one a call.
    let mut shareable: BTreeMap<(StageIndex, u32), Vec<(usize, Start)>> = BTreeMap::new();
    for claimed in unit {
        let own = results.remove(&claimed.item.id).unwrap_or_default();
        let mut walk = Walk::new(&shared, &committer, &job, claimed, own);
        walk.tell_claim();
        let mut alone = Vec::new();
        let mut starts = walk.apply(&Event::Claimed)?;
        if walk.waits_for_person() {
            // It is handed out because a person has decided, or for another branch; the ledger tells which.
            starts.extend(walk.apply(&Event::Woke { released: true })?);
        }
        for start in starts {
            if job.plan.stage(start.stage).is_some_and(|stage| stage.group.is_some()) {
                shareable.entry((start.stage, start.attempt)).or_default().push((walks.len(), start));
            } else {
                alone.push(start);
            }
        }
        walks.push(walk);
        apart.push(alone);
    }
    // Nothing starts without its durable mark, which tells a crash of this item from one of a neighbour; but for what may
    // run ahead of it.
    for (walk, alone) in walks.iter_mut().zip(&apart) {
        if !shareable.is_empty() || !walk.may_run_ahead(alone) {
            walk.settled().await?;
        }
    }
    for walk in walks.iter().filter(|walk| walk.has_ended()) {
        walk.disown().await?;
    }
    for ((stage, attempt), mut starts) in shareable {
        starts.retain(|(index, _)| walks.get(*index).is_some_and(|walk| !walk.is_superseded()));
        let most = job.plan.stage(stage).and_then(|stage| stage.group).map_or(1, |group| group.max.max(1)) as usize;
        for mut starts in by_call(&walks, stage, starts).await? {
            while !starts.is_empty() {
                let rest = starts.split_off(starts.len().min(most));
                start_together(&mut walks, (stage, attempt), std::mem::replace(&mut starts, rest));
            }
        }
    }
    let drives = walks.into_iter().zip(apart).map(|(mut walk, alone)| {
        let signals = signals.clone();
        if let Some(place) = place.take() {
            walk.sit(place);
        }
        let span = walk.span();
        let drive = async move {
            walk.go_on(alone).await?;
            walk.drive(signals).await
        };
        drive.instrument(span)
    });
    try_join_all(drives).await?;
    Ok(())
}

/// Keeps those together that an earlier call was made for together, and apart from the others: what is open or answered
/// for some must not be bought again with a new call for all.
async fn by_call(walks: &[Walk], stage: StageIndex, starts: Vec<(usize, Start)>) -> Result<Vec<Vec<(usize, Start)>>> {
    let mut apart: BTreeMap<Vec<CallId>, Vec<(usize, Start)>> = BTreeMap::new();
    let alone = starts.len() < 2;
    for (index, start) in starts {
        let paid = walks.get(index).filter(|walk| !alone && walk.job.gate(stage).is_some());
        let calls = match paid {
            Some(walk) => walk.unused_calls(stage).await?,
            None => Vec::new(),
        };
        apart.entry(calls).or_default().push((index, start));
    }
    Ok(apart.into_values().collect())
}

/// Runs one stage once for several items; each walk follows its own answer.
fn start_together(walks: &mut [Walk], (stage, attempt): (StageIndex, u32), mut starts: Vec<(usize, Start)>) {
    if starts.len() == 1 {
        if let Some((index, start)) = starts.pop()
            && let Some(walk) = walks.get_mut(index)
        {
            walk.start(start);
        }
        return;
    }
    let (mut tasks, mut answers) = (Vec::with_capacity(starts.len()), Vec::with_capacity(starts.len()));
    let mut shared_run = None;
    for (index, start) in starts {
        let Some(walk) = walks.get_mut(index) else { continue };
        if shared_run.is_none() {
            let run = walk.job.stage(stage).zip(walk.context(stage, attempt, walk.parent()));
            let policy = walk.job.plan.stage(stage).map(|stage| stage.policy);
            let more = (walk.limit(stage), walk.tickets());
            shared_run = run.zip(policy).map(|((code, context), policy)| (code, context, policy, more));
        }
        let (answer, reply) = oneshot::channel::<Ended>();
        let shared = walk.shared();
        let gone = move || {
            let outcome = Err(Error::unexpected("the stage panicked"));
            Ended {
                outcome,
                used: Vec::new(),
                reused: None,
                unsettled: false,
                barred: None,
                ticket: None,
                at: shared.now(),
                draw: 0,
            }
        };
        walk.follow(stage, attempt, async move { reply.await.unwrap_or_else(|_| gone()) });
        tasks.push(start.task);
        answers.push(answer);
    }
    let Some((code, context, policy, (limit, tickets))) = shared_run else { return };
    // The longest of some: every sibling's commit is to be written before they are due again.
    let planned = walks.first().and_then(|walk| walk.job.plan.stage(stage));
    let name = planned.map(|stage| stage.name.as_str());
    let span = tracing::debug_span!("stage", name, attempt, items = tasks.len());
    let shared = &context.0.shared;
    let draw = (0..4).map(|_| shared.draw()).max_by_key(|draw| backoff(&policy, attempt, *draw)).unwrap_or_default();
    let work = async move {
        let items: Vec<ItemId> = tasks.iter().map(|task| task.item).collect();
        let run = code.run_group(&context, tasks);
        let limited = context.0.limited(limit, run).await;
        let outcomes = limited.unwrap_or_else(|limit| items.iter().map(|_| Err(late(limit))).collect());
        let at = context.0.shared.now();
        let ticket = tickets.make();
        let ends: Vec<Ended> = outcomes
            .into_iter()
            .zip(&items)
            .map(|(outcome, item)| {
                let reused = context.0.reused(*item);
                let (used, unsettled) = (context.0.used(&outcome), context.0.is_unsettled());
                let barred = context.0.barred();
                Ended { outcome, used, reused, unsettled, barred, ticket: Some(ticket.clone()), at, draw }
            })
            .collect();
        drop(ticket);
        for (answer, ended) in answers.into_iter().zip(ends) {
            answer.send(ended).ok();
        }
    };
    tokio::spawn(work.instrument(span));
}
