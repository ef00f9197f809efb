//! The task that looks for lanes with something to deliver, and delivers several at a time.

use std::collections::HashMap;
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::{JoinHandle, JoinSet};
use tokio::time::Instant;

use pipeline_core::error::chain;
use pipeline_core::id::HookId;
use pipeline_core::provider::HookSender;
use pipeline_core::storage::{Hook, Lanes};
use pipeline_core::{Error, Result};

use crate::worker::{Listener, Shared, Signal, Stop};

use super::lane;
use super::round::{Count, DeliveryRound};

/// So many lanes are delivered at once.
const LANES: usize = 8;

/// The store is asked no more often than this while there are hooks, however much happens.
const OFTEN: Duration = Duration::from_millis(100);

/// And no more often than this while there are none.
const SELDOM: Duration = Duration::from_secs(2);

/// How long a run that has ended goes on to tell of that.
const FAREWELL: Duration = Duration::from_secs(10);

/// Delivers beside a run.
#[derive(Debug)]
pub(crate) struct Courier {
    task: JoinHandle<()>,
    ending: Signal<bool>,
}

impl Courier {
    /// Starts to deliver, where the engine can.
    pub(crate) fn start(shared: &Arc<Shared>) -> Option<Self> {
        let sender = shared.sender.clone()?;
        let ending = Signal::new(false);
        let (shared, listener) = (Arc::clone(shared), ending.listen());
        let task = tokio::spawn(async move {
            let count = Arc::new(Count::default());
            run(&shared, &sender, None, Some(listener), &count).await;
        });
        Some(Self { task, ending })
    }

    /// Delivers what there is now, for a while; at once no more when asked to stop so.
    pub(crate) async fn end(mut self, mut stop: Listener<Stop>) {
        self.ending.set(true);
        let at_once = async {
            while stop.get() != Stop::Now {
                stop.changed().await;
            }
        };
        tokio::select! {
            biased;
            _ = &mut self.task => {}
            () = at_once => {}
            () = tokio::time::sleep(FAREWELL) => {
                tracing::warn!("hooks are not told of everything yet; the next worker or `pipeline hooks deliver` goes on");
            }
        }
    }
}

impl Drop for Courier {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Delivers what there is now, of all hooks or of one.
pub(crate) async fn deliver(shared: &Arc<Shared>, sender: &Arc<dyn HookSender>, only: Option<HookId>) -> DeliveryRound {
    let count = Arc::new(Count::default());
    run(shared, sender, only, None, &count).await;
    count.round()
}

/// Delivers until it is asked to end and nothing is due; without anybody to ask, until nothing is due.
async fn run(
    shared: &Arc<Shared>,
    sender: &Arc<dyn HookSender>,
    only: Option<HookId>,
    mut ending: Option<Listener<bool>>,
    count: &Arc<Count>,
) {
    let mut lanes: JoinSet<()> = JoinSet::new();
    let mut asked_at: Option<Instant> = None;
    let mut hooks = true;
    loop {
        let over = ending.as_mut().is_none_or(Listener::get);
        // Registered before the look, so that nothing that is told after it is missed.
        let bell = shared.bell.notified();
        let apart = if hooks { OFTEN } else { SELDOM };
        let early = asked_at.map_or(Duration::ZERO, |at| apart.saturating_sub(at.elapsed()));
        let room = LANES.saturating_sub(lanes.len());
        let mut pause = if hooks { shared.tuning.poll.max(OFTEN) } else { SELDOM };
        let mut heard = true;
        if room > 0 && (early.is_zero() || over) {
            asked_at = Some(Instant::now());
            match take(shared, only, room).await {
                Ok((found, taken)) => {
                    hooks = taken.hooks;
                    for (hook, lane) in found {
                        let (shared, sender, count) = (Arc::clone(shared), Arc::clone(sender), Arc::clone(count));
                        lanes.spawn(async move {
                            if let Err(error) = lane::deliver(&shared, &sender, &hook, lane, &count).await {
                                // The lane is free again once its time is over.
                                tracing::warn!(hook = %hook.name, error = %chain(&error), "a hook is told later");
                            }
                        });
                    }
                    if over && lanes.is_empty() {
                        return;
                    }
                    if let Some(at) = taken.next_at {
                        pause = pause.min(at.since(shared.now())).max(OFTEN);
                    }
                }
                Err(error) => {
                    tracing::warn!(error = %chain(&error), "cannot look for what hooks are to be told");
                    if over {
                        return;
                    }
                    pause = SELDOM;
                }
            }
        } else if room > 0 {
            // Rung meanwhile or not, it is looked at then.
            (pause, heard) = (early, false);
        }
        let ended = async {
            match &mut ending {
                Some(ending) if !over => ending.changed().await,
                _ => pending().await,
            }
        };
        tokio::select! {
            biased;
            Some(_) = lanes.join_next(), if !lanes.is_empty() => asked_at = None,
            () = bell, if heard && !over => {}
            () = ended => {}
            () = tokio::time::sleep(pause) => {}
        }
    }
}

/// Takes lanes, with their hooks.
async fn take(
    shared: &Shared,
    only: Option<HookId>,
    room: usize,
) -> Result<(Vec<(Hook, pipeline_core::storage::Lane)>, Lanes)> {
    let mut taken = shared.store.take_lanes(only, u32::try_from(room).unwrap_or(1)).await?;
    let lanes = std::mem::take(&mut taken.lanes);
    if lanes.is_empty() {
        return Ok((Vec::new(), taken));
    }
    let hooks: HashMap<HookId, Hook> = shared.store.hooks().await?.into_iter().map(|hook| (hook.id, hook)).collect();
    let found = lanes.into_iter().filter_map(|lane| Some((hooks.get(&lane.hook)?.clone(), lane))).collect();
    Ok((found, taken))
}

/// Says that this engine cannot deliver.
pub(crate) fn sender(shared: &Shared) -> Result<&Arc<dyn HookSender>> {
    let missing = || Error::new(pipeline_core::ErrorKind::Unsupported, "this engine has nothing to deliver hooks with");
    shared.sender.as_ref().ok_or_else(missing)
}
