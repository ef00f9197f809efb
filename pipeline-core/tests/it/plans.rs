//! Plans for tests: written by hand, or drawn at random.

use std::collections::BTreeMap;
use std::time::Duration;

use pipeline_core::expression::{Condition, Facts};
use pipeline_core::id::{Digest, ItemId, ResultId, StageName};
use pipeline_core::pipeline::{Cache, OnFailure, PLAN_FORMAT, Plan, PlannedStage, Policy, Role};
use proptest::prelude::*;
use serde_json::{Value, json};

/// A stage in the making.
#[derive(Debug)]
pub(crate) struct Stage(PlannedStage);

pub(crate) fn work(needs: &[usize]) -> Stage {
    Stage(PlannedStage {
        name: StageName::new("unnamed").unwrap(),
        kind: "test.stage".to_owned(),
        role: Role::Work,
        enabled: true,
        disabled_because: None,
        needs: needs.to_vec(),
        when: None,
        inputs: BTreeMap::new(),
        settings: Value::Null,
        policy: Policy { max_attempts: 2, backoff_base: Duration::from_secs(1), ..Policy::default() },
        expand: None,
        group: None,
        providers: Vec::new(),
    })
}

pub(crate) fn check(needs: &[usize]) -> Stage {
    let mut stage = work(needs);
    stage.0.role = Role::Check;
    stage
}

impl Stage {
    pub(crate) fn off(mut self) -> Self {
        self.0.enabled = false;
        self
    }

    /// A condition: `yes.go` holds, `no.go` does not, `gone.go` cannot be evaluated.
    pub(crate) fn when(mut self, condition: &str) -> Self {
        self.0.when = Some(Condition::parse(condition).unwrap());
        self
    }

    pub(crate) fn expand(mut self, count: u32) -> Self {
        self.0.expand = Some(count);
        self
    }

    pub(crate) fn on_failure(mut self, policy: OnFailure) -> Self {
        self.0.policy.on_failure = policy;
        self
    }

    pub(crate) fn attempts(mut self, attempts: u32) -> Self {
        self.0.policy.max_attempts = attempts;
        self
    }
}

/// A plan of these stages, named `s0`, `s1`, …
pub(crate) fn plan(stages: Vec<Stage>) -> Plan {
    let stages = stages
        .into_iter()
        .enumerate()
        .map(|(index, stage)| PlannedStage { name: StageName::new(&format!("s{index}")).unwrap(), ..stage.0 })
        .collect();
    Plan {
        format: PLAN_FORMAT,
        pipeline: "test".to_owned(),
        hash: Digest::of(b"test"),
        seed: 7,
        stages,
        retry_from: None,
        max_rounds: 3,
        concurrency: None,
        max_cost: None,
        cache: Cache::Off,
        warnings: Vec::new(),
    }
}

pub(crate) fn facts() -> Facts {
    [("yes", json!({"go": true})), ("no", json!({"go": false})), ("gone", json!({}))]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

pub(crate) fn item() -> ItemId {
    "0198c1a2-7c3e-7000-8000-000000000001".parse().unwrap()
}

pub(crate) fn result() -> ResultId {
    "0198c1a2-7c3e-7000-8000-0000000000ff".parse().unwrap()
}

fn stage(index: usize) -> impl Strategy<Value = Stage> {
    let needs = proptest::collection::btree_set(0..index.max(1), 0..=index.min(3));
    let when =
        prop_oneof![6 => Just(None), 1 => Just(Some("yes.go")), 1 => Just(Some("no.go")), 1 => Just(Some("gone.go"))];
    let policy = prop_oneof![3 => Just(OnFailure::Fail), 1 => Just(OnFailure::Skip), 1 => Just(OnFailure::UseInput)];
    let expand = prop_oneof![5 => Just(None), 1 => (1_u32..4).prop_map(Some)];
    (needs, any::<bool>(), prop::bool::weighted(0.85), when, policy, 1_u32..4, expand).prop_map(
        move |(needs, judges, enabled, when, policy, attempts, expand)| {
            let needs: Vec<usize> = if index == 0 { Vec::new() } else { needs.into_iter().collect() };
            let mut stage = if judges { check(&needs) } else { work(&needs) };
            stage.0.expand = if judges { None } else { expand };
            stage.0.enabled = enabled;
            stage = stage.on_failure(policy).attempts(attempts);
            if let Some(when) = when {
                stage = stage.when(when);
            }
            stage
        },
    )
}

/// A random plan of two to eight stages; at most two of them expand.
pub(crate) fn any_plan() -> impl Strategy<Value = Plan> {
    (2_usize..=8)
        .prop_flat_map(|count| ((0..count).map(stage).collect::<Vec<_>>(), proptest::option::of(0..count), 1_u32..4))
        .prop_map(|(mut stages, retry_from, max_rounds)| {
            for stage in stages.iter_mut().filter(|stage| stage.0.expand.is_some()).skip(2) {
                stage.0.expand = None;
            }
            Plan { retry_from, max_rounds, ..plan(stages) }
        })
}
