//! Settings take a reference to a key, never the key.

use async_trait::async_trait;
use pipeline::core::Result;
use pipeline::core::pipeline::{PortSpec, StageSpec};
use pipeline::core::settings::{SecretRef, SettingsSchema, StageSettings};
use pipeline::core::stage::{Output, Stage, StageContext, StageEnd, Task};
use pipeline::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::CANARY;
use crate::scan::{Log, Scan};

/// Settings of a stage that needs keys.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct PaySettings {
    /// Where the key is.
    key: SecretRef,
    /// Where another key is.
    spare: Option<SecretRef>,
}

impl Default for PaySettings {
    fn default() -> Self {
        Self { key: SecretRef::Environment("VENDOR_KEY".to_owned()), spare: None }
    }
}

impl StageSettings for PaySettings {}

#[derive(Debug)]
struct Pay;

#[async_trait]
impl Stage for Pay {
    fn spec(&self) -> StageSpec {
        StageSpec::new("test.pay", "Needs keys", SettingsSchema::of::<PaySettings>())
            .input(PortSpec::field("keyword", json!({"type": "string"})))
    }

    async fn run(&self, _: &dyn StageContext, _: Task) -> Result<StageEnd> {
        Ok(Output::new().into())
    }
}

const PIPELINE: &str = r#"
name = "pay"

[stages.keywords]
kind = "source.keywords"

[stages.pay]
kind = "test.pay"
needs = ["keywords"]
"#;

pub(crate) async fn a_literal_key_is_refused_without_being_repeated(log: &Log) {
    let engine =
        pipeline::local_engine().stage(Pay).store(MemoryStore::new()).artifacts(Artifacts::memory()).build().unwrap();
    let mut scan = Scan::new(CANARY);
    for setting in ["pay.key", "pay.spare"] {
        let request = || JobRequest::toml("pay.toml", PIPELINE).keywords(["a"]);
        let error = engine.submit(request().set(setting, CANARY).unwrap()).await.unwrap_err();
        scan.text(setting, &format!("{error} {error:?} {error:#?}"));
        let text = format!("{PIPELINE}\n[stages.pay.settings]\n{} = \"{CANARY}\"\n", &setting[4..]);
        let error = engine.submit(JobRequest::toml("pay.toml", &text).keywords(["a"])).await.unwrap_err();
        scan.text(setting, &format!("{error} {error:?} {error:#?}"));
        let job = engine.submit(request().set(setting, "env:VENDOR_KEY").unwrap()).await.unwrap();
        let plan = serde_json::to_string(&engine.store().plan(job.id).await.unwrap()).unwrap();
        assert!(plan.contains("env:VENDOR_KEY"), "the reference itself is kept: {plan}");
    }
    assert!(engine.jobs(pipeline::core::storage::JobQuery::default()).await.unwrap().len() == 2);
    scan.text("the log", &log.text());
    scan.assert_clean();
}
