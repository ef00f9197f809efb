//! Replacing an item by its children, before any paid call for them.

use crate::pipeline::{Plan, StageIndex};

use super::state::{ItemMachine, StageState};
use super::transition::NewChild;

impl ItemMachine {
    /// Tells whether the stage at `index` will replace this item by children.
    pub(super) fn expands(&self, plan: &Plan, index: StageIndex) -> bool {
        plan.stage(index).and_then(|stage| stage.expand).is_some_and(|count| count > 1)
            && !self.slots.iter().any(|(done, _)| *done == index)
    }

    /// Returns the ready stage that must expand now: nothing else of the item can still move on its own.
    ///
    /// Branches beside the expanding stage end first, so that their results are in every child. Of two expanding stages
    /// the earlier one goes first, and each child then expands at the other.
    pub(super) fn expanding(&self, plan: &Plan) -> Option<(StageIndex, u32)> {
        let mut found = None;
        for (index, state) in self.stages.iter().enumerate() {
            match state {
                StageState::Ready { .. } if self.expands(plan, index) => found = found.or(Some(index)),
                StageState::Ready { .. } | StageState::Running { .. } | StageState::Waiting { .. } => return None,
                StageState::Blocked
                | StageState::Done { .. }
                | StageState::Skipped { .. }
                | StageState::Stopped { .. } => {}
            }
        }
        let index = found?;
        Some((index, plan.stage(index)?.expand?))
    }

    /// Makes the children of the stage at `index`; each takes an equal part of the leaves and has not crashed yet.
    pub(super) fn children(&self, plan: &Plan, index: StageIndex, count: u32) -> Vec<NewChild> {
        let name = plan.stage(index).map_or("", |stage| stage.name.as_str());
        (0..count)
            .map(|slot| {
                let id = self.id.child(name, slot);
                let mut slots = self.slots.clone();
                slots.push((index, slot));
                let machine = Self { id, leaves: self.leaves / count, slots, crashes: 0, ..self.clone() };
                NewChild { id, slot, machine }
            })
            .collect()
    }
}
