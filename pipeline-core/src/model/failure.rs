//! Why a stage could not be done: one stable code for each cause.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind, Retryability, chain};

/// The stable code of a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureCode {
    /// A port answered with this kind of error.
    Port(ErrorKind),
    /// The process ended three times while the stage ran.
    CrashLoop,
    /// A condition could not be evaluated.
    ConditionError,
    /// A call's outcome is unknown and a person gave it up.
    OutcomeUnknown,
}

impl FailureCode {
    /// Returns the code as one word, for example `crash_loop` or `timeout`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Port(kind) => kind.code(),
            Self::CrashLoop => "crash_loop",
            Self::ConditionError => "condition_error",
            Self::OutcomeUnknown => "outcome_unknown",
        }
    }
}

impl FromStr for FailureCode {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let own = [Self::CrashLoop, Self::ConditionError, Self::OutcomeUnknown];
        let all = || ErrorKind::ALL.iter().map(|kind| Self::Port(*kind)).chain(own);
        all().find(|code| code.as_str() == text).ok_or_else(|| {
            let words: Vec<&str> = all().map(Self::as_str).collect();
            Error::invalid("there is no such failure code").with("code", text).with("accepted", words.join(", "))
        })
    }
}

impl fmt::Display for FailureCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Why a stage could not be done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// What kind of cause.
    pub code: FailureCode,
    /// What a retry could do.
    pub retry: Retryability,
    /// The whole chain of causes in one line; carries no secrets.
    pub message: String,
}

impl Failure {
    /// Makes a failure that no retry can help.
    pub fn permanent(code: FailureCode, message: impl Into<String>) -> Self {
        Self { code, retry: Retryability::Permanent, message: message.into() }
    }

    /// Returns the failure as an error again, with the same meaning.
    pub fn into_error(self) -> Error {
        let kind = match self.code {
            FailureCode::Port(kind) => kind,
            FailureCode::CrashLoop | FailureCode::ConditionError | FailureCode::OutcomeUnknown => ErrorKind::Unexpected,
        };
        Error::new(kind, self.message).retry(self.retry)
    }
}

impl From<&Error> for Failure {
    fn from(error: &Error) -> Self {
        Self { code: FailureCode::Port(error.kind()), retry: error.retryability(), message: chain(error) }
    }
}
