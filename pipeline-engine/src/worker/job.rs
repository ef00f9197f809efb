//! A job as the worker knows it: its plan, the code of its stages, and what people ask of it.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::Value;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use pipeline_core::executor::{ItemMachine, StageState, Wait};
use pipeline_core::id::{ItemId, JobId};
use pipeline_core::model::Control;
use pipeline_core::pipeline::{GroupBy, Plan, StageIndex};
use pipeline_core::provider::Repeat;
use pipeline_core::stage::Stage;
use pipeline_core::storage::{BudgetKey, GateKey, GatePass};

use crate::bindings::Bindings;

use super::signal::Signal;

/// One stage of the plan as this program can run it.
#[derive(Debug)]
struct Equipped {
    /// Its code, when this program knows its kind.
    code: Option<Arc<dyn Stage>>,
    /// Its frozen settings.
    settings: Arc<Value>,
    /// Whether it may start before what it reads is durable.
    self_contained: bool,
    /// The gate before its provider, when that costs something.
    gate: Option<GatePass>,
}

/// A place in a job, free again when it is dropped; empty where the job has no limit.
#[derive(Debug)]
pub(crate) struct Place(#[expect(dead_code, reason = "it is only kept")] Option<OwnedSemaphorePermit>);

/// A job as the worker knows it.
#[derive(Debug)]
pub(crate) struct JobContext {
    pub(crate) id: JobId,
    pub(crate) plan: Plan,
    /// One for all revisions of the job.
    pub(crate) control: Arc<Signal<Control>>,
    /// The job as it was submitted, which stays as long as a revision does.
    #[expect(dead_code, reason = "it is only kept")]
    submitted: Option<Arc<JobContext>>,
    /// Whether any stage has a condition; without one nothing needs the facts.
    pub(crate) conditional: bool,
    /// The setting `job.concurrency`: so many of its items may be in work at once in this process.
    places: Option<Arc<Semaphore>>,
    stages: Vec<Equipped>,
    ancestors: Vec<Vec<StageIndex>>,
}

impl JobContext {
    pub(crate) fn new(id: JobId, plan: Plan, known: &HashMap<String, Arc<dyn Stage>>, bindings: &Bindings) -> Self {
        let stages = plan
            .stages
            .iter()
            .map(|stage| {
                let code = known.get(&stage.kind).cloned();
                let self_contained = code.as_ref().is_some_and(|code| code.spec().self_contained);
                let gate = stage.providers.iter().find_map(|(capability, name)| {
                    let info = bindings.info(*capability, name).filter(|info| info.repeat != Repeat::Free)?;
                    Some(GatePass { key: GateKey::provider(name), limits: info.limits })
                });
                Equipped { code, settings: Arc::new(stage.settings.clone()), self_contained, gate }
            })
            .collect();
        let before = |index: StageIndex| {
            (0..index).filter(|place| plan.suffix(*place).get(index) == Some(&true)).collect::<Vec<_>>()
        };
        let ancestors = (0..plan.stages.len()).map(before).collect();
        let conditional = plan.stages.iter().any(|stage| stage.when.is_some());
        let places = plan.concurrency.map(|most| Arc::new(Semaphore::new(most.max(1) as usize)));
        let control = Arc::new(Signal::new(Control::Run));
        Self { id, plan, control, submitted: None, conditional, places, stages, ancestors }
    }

    /// Makes it a revision of a job: control and places are the job's.
    pub(crate) fn revising(self, submitted: Arc<Self>) -> Self {
        let (control, places) = (Arc::clone(&submitted.control), submitted.places.clone());
        Self { control, places, submitted: Some(submitted), ..self }
    }

    /// Waits until the job's own limit lets one more item be in work; the place is free again when it is dropped.
    pub(crate) async fn place(&self) -> Place {
        // The semaphore is never closed, so there is no error to tell.
        match &self.places {
            Some(places) => Place(Arc::clone(places).acquire_owned().await.ok()),
            None => Place(None),
        }
    }

    /// Returns the stages that come before a stage, in order.
    pub(crate) fn ancestors(&self, index: StageIndex) -> &[StageIndex] {
        self.ancestors.get(index).map_or(&[], Vec::as_slice)
    }

    /// Returns the code of a stage; `None` when this program does not know its kind.
    pub(crate) fn stage(&self, index: StageIndex) -> Option<Arc<dyn Stage>> {
        self.stages.get(index).and_then(|stage| stage.code.clone())
    }

    /// Returns the frozen settings of a stage.
    pub(crate) fn settings(&self, index: StageIndex) -> Arc<Value> {
        self.stages.get(index).map(|stage| Arc::clone(&stage.settings)).unwrap_or_default()
    }

    /// Returns the gate before a stage's provider, when that costs something.
    pub(crate) fn gate(&self, index: StageIndex) -> Option<&GatePass> {
        self.stages.get(index)?.gate.as_ref()
    }

    /// Returns the gate an item stands at or comes to next; none when something of it can go on without one.
    ///
    /// What waits for a budget stands at the gate of its provider, where claims find the budget closed. What else of the
    /// item waits for a time waits for the budget too: it would be handed out, and refused, again and again until then.
    pub(crate) fn gate_of(&self, machine: &ItemMachine) -> Option<GateKey> {
        let mut gate = None;
        let unpaid = machine.stages.iter().any(waits_for_budget);
        for (index, state) in machine.stages.iter().enumerate() {
            let moves = match state {
                StageState::Ready { .. } | StageState::Running { .. } => true,
                StageState::Waiting { on, .. } => match on {
                    Wait::Gate { .. } => true,
                    Wait::Until { .. } => !unpaid,
                    Wait::Call { .. } | Wait::Person { .. } => false,
                },
                StageState::Blocked
                | StageState::Done { .. }
                | StageState::Skipped { .. }
                | StageState::Stopped { .. } => false,
            };
            if moves {
                gate = gate.or(Some(self.gate(index)?.key.clone()));
            }
        }
        gate
    }

    /// Siblings whose next stage one call may serve are claimed together.
    pub(crate) fn unit_of(&self, machine: &ItemMachine, parent: Option<ItemId>) -> Option<ItemId> {
        let grouped = machine.stages.iter().zip(&self.plan.stages).any(|(state, stage)| {
            // One that runs is there too: after a crash the same siblings go on together.
            let open =
                matches!(state, StageState::Ready { .. } | StageState::Waiting { .. } | StageState::Running { .. });
            open && stage.group.is_some_and(|group| group.by == GroupBy::Siblings)
        });
        parent.filter(|_| grouped)
    }

    /// Tells whether a stage may start before what it reads is durable.
    pub(crate) fn is_self_contained(&self, index: StageIndex) -> bool {
        self.stages.get(index).is_some_and(|stage| stage.self_contained)
    }
}

fn waits_for_budget(state: &StageState) -> bool {
    matches!(state, StageState::Waiting { on: Wait::Gate { key }, .. } if BudgetKey::of_gate(key).is_some())
}
