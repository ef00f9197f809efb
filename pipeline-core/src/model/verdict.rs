//! What a check found.

use serde::{Deserialize, Serialize};

/// Why a check failed, for machines (`code`) and for people (`message`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    /// Stable word, for example `too_dark`.
    pub code: String,
    /// One sentence with the measured and the accepted value.
    pub message: String,
}

impl Reason {
    /// Makes a reason.
    pub fn new(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self { code: code.into(), message: message.into() }
    }
}

/// The answer of a check. An outage is never one of these.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "verdict", rename_all = "snake_case")]
pub enum Verdict {
    /// Good.
    Pass,
    /// Not good, because of at least one reason.
    Fail {
        /// All reasons found.
        reasons: Vec<Reason>,
    },
    /// The check ran and cannot tell.
    Uncertain {
        /// Why not.
        reason: Reason,
    },
}
