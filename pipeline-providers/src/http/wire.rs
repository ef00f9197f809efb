//! The JSON that goes to and fro, as described in `docs.md`.

use serde::{Deserialize, Serialize};

#[derive(Debug, Serialize)]
pub(super) struct Order<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) model: Option<&'a str>,
    pub(super) prompt: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) negative_prompt: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) style: Option<&'a str>,
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) n: usize,
    pub(super) seeds: &'a [u64],
}

#[derive(Debug, Deserialize)]
pub(super) struct Submitted {
    pub(super) id: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct Task {
    pub(super) status: Status,
    #[serde(default)]
    pub(super) images: Option<Vec<Picture>>,
    #[serde(default)]
    pub(super) cost_micros: Option<i64>,
    #[serde(default)]
    pub(super) error: Option<Problem>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Status {
    Queued,
    Running,
    Succeeded,
    Failed,
}

#[derive(Debug, Deserialize)]
pub(super) struct Delivered {
    #[serde(default)]
    pub(super) id: Option<String>,
    pub(super) images: Vec<Picture>,
    #[serde(default)]
    pub(super) cost_micros: Option<i64>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Picture {
    pub(super) index: usize,
    #[serde(default)]
    pub(super) seed: Option<u64>,
    #[serde(default)]
    pub(super) b64: Option<String>,
    #[serde(default)]
    pub(super) url: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Refusal {
    pub(super) error: Problem,
}

#[derive(Debug, Deserialize)]
pub(super) struct Problem {
    #[serde(default)]
    pub(super) code: Option<String>,
}
