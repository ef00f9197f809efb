//! What a code means and what helps: the catalogue of everything that can go wrong.

use std::fmt;

use serde::Serialize;

use crate::error::{ErrorKind, Retryability};

use super::FailureCode;

/// Where the trouble lies, and so who can help.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Trouble {
    /// In what was asked for: arguments, settings, inputs.
    Request,
    /// With a provider.
    Provider,
    /// In a file or a record.
    Data,
    /// In the place this runs in: disk, network, database.
    Place,
    /// In this program.
    Program,
    /// Nowhere: a person has to decide, or has decided.
    Person,
}

impl Trouble {
    /// Returns its word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::Provider => "provider",
            Self::Data => "data",
            Self::Place => "place",
            Self::Program => "program",
            Self::Person => "person",
        }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What one code means. The support id of a code never changes and is never given to another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Advice {
    /// The code, as failures and errors carry it.
    pub code: &'static str,
    /// A short id for support and for searching.
    pub support: &'static str,
    /// Where the trouble lies.
    pub kind: Trouble,
    /// What happened.
    pub what: &'static str,
    /// What to do next.
    pub next: &'static str,
    /// What a retry can do, unless the failure itself says something else.
    pub retry: Retryability,
}

const fn advice(
    code: &'static str,
    support: &'static str,
    kind: Trouble,
    retry: Retryability,
    what: &'static str,
    next: &'static str,
) -> Advice {
    Advice { code, support, kind, what, next, retry }
}

impl Advice {
    /// Arguments of the command that do not go together, or name nothing.
    pub const REQUEST: Self = advice(
        "request",
        "P301",
        Trouble::Request,
        Retryability::Permanent,
        "the command was asked for something that is not there or cannot be done",
        "read the error and the hint, correct the arguments and run the command again; nothing was changed",
    );

    /// Problems in a pipeline file or in settings.
    pub const PROBLEM: Self = advice(
        "problem",
        "P302",
        Trouble::Request,
        Retryability::Permanent,
        "the pipeline file or a setting is wrong; every problem is named with its place",
        "correct each place and check with `pipeline pipelines validate FILE`; nothing was stored and nothing was spent",
    );

    /// Returns the whole catalogue, in the order of the support ids.
    pub fn all() -> impl Iterator<Item = Self> {
        FailureCode::all().map(FailureCode::advice).chain([Self::REQUEST, Self::PROBLEM])
    }

    /// Finds an entry by its code, its support id, or the code an old product had for it.
    pub fn find(text: &str) -> Option<Self> {
        let is = |name: &str| name.eq_ignore_ascii_case(text);
        let former = FORMER_CODES.iter().find(|(old, _)| is(old)).map(|(_, code)| *code);
        Self::all().find(|advice| is(advice.code) || is(advice.support) || former == Some(advice.code))
    }

    /// Says what a retry can do, in words.
    pub const fn retryable(&self) -> &'static str {
        match self.retry {
            Retryability::Transient => "yes, by itself",
            Retryability::Throttled { .. } => "yes, by itself, and without using up an attempt",
            Retryability::Permanent => "after a change",
            Retryability::Refused => "with another input",
            Retryability::Exhausted => "by a person, later",
            Retryability::Indeterminate => "once a person has decided",
        }
    }
}

impl FailureCode {
    /// Returns every code there is, ports first.
    pub fn all() -> impl Iterator<Item = Self> {
        let own = [Self::CrashLoop, Self::ConditionError, Self::OutcomeUnknown];
        ErrorKind::ALL.iter().copied().map(Self::Port).chain(own)
    }

    /// Returns what the code means and what helps.
    pub const fn advice(self) -> Advice {
        match self {
            Self::Port(kind) => of_port(kind),
            Self::CrashLoop => advice(
                self.as_str(),
                "P201",
                Trouble::Program,
                Retryability::Permanent,
                "the process ended three times while this stage worked on the item, so the item is set aside",
                "look into the worker's output and the memory of the machine; then `pipeline items retry ITEM`, or leave the \
                 item out",
            ),
            Self::ConditionError => advice(
                self.as_str(),
                "P202",
                Trouble::Request,
                Retryability::Permanent,
                "a condition could not be evaluated, for example because a field it names was not there; that is never \
                 taken for false",
                "see with `pipeline items explain ITEM` what the condition saw; correct it and make a new job with \
                 `pipeline jobs rerun JOB --settings current`, or retry from the stage that makes the field",
            ),
            Self::OutcomeUnknown => advice(
                self.as_str(),
                "P203",
                Trouble::Person,
                Retryability::Indeterminate,
                "a paid call was sent, nobody knows what became of it, and it was given up",
                "ask the vendor whether it was made; `pipeline calls list --state held` shows those that still wait, and \
                 `pipeline calls resolve CALL` decides; then `pipeline items retry ITEM`",
            ),
        }
    }
}

const fn of_port(kind: ErrorKind) -> Advice {
    let (support, trouble, what, next) = match kind {
        ErrorKind::NotFound => (
            "P101",
            Trouble::Data,
            "something that was asked for is not there: a file, a record, a model",
            "check the name in the message; put a missing file back, or take another one",
        ),
        ErrorKind::Conflict => (
            "P102",
            Trouble::Request,
            "something else holds the place, or the state does not allow the step",
            "see what holds it, with `pipeline jobs show JOB` or `pipeline workers list`, and try again when it has ended",
        ),
        ErrorKind::Invalid => (
            "P103",
            Trouble::Request,
            "the request itself is wrong: a value is out of its range or does not fit",
            "correct the value the message names; for items: `pipeline items retry ITEM --set STAGE.KEY=VALUE`",
        ),
        ErrorKind::Unauthorized => (
            "P104",
            Trouble::Provider,
            "credentials are missing or were not accepted",
            "check the key the providers file names, with `pipeline doctor`; then retry the items",
        ),
        ErrorKind::RateLimited => (
            "P105",
            Trouble::Provider,
            "there were too many requests; the work waits and goes on by itself",
            "wait, or lower the limits of the provider; `pipeline gates list` shows what is held back",
        ),
        ErrorKind::Timeout => (
            "P106",
            Trouble::Provider,
            "there was no answer in time, at every attempt",
            "check whether the provider is up, raise `timeout_seconds` of the stage, and retry the items",
        ),
        ErrorKind::Unavailable => (
            "P107",
            Trouble::Place,
            "the other side is down or cannot be reached: a provider, the database, a disk",
            "check the connection with `pipeline doctor`; what is queued goes on by itself, what has failed can be retried",
        ),
        ErrorKind::Refused => (
            "P108",
            Trouble::Provider,
            "the provider's safety system said no; the same input is refused again",
            "change the prompt or the input, or discard the item",
        ),
        ErrorKind::Unsupported => (
            "P109",
            Trouble::Request,
            "the provider or the program cannot do this at all",
            "take another provider, or change the setting the message names; after an update of the program: run the same \
             version everywhere",
        ),
        ErrorKind::Corrupt => (
            "P110",
            Trouble::Data,
            "data is damaged or not what it claims to be: a file, an answer, a record",
            "replace the file; for the program's own records: `pipeline store verify`",
        ),
        ErrorKind::Cancelled => (
            "P111",
            Trouble::Person,
            "it was given up: the job was cancelled, or the program stopped",
            "go on with `pipeline jobs resume JOB`, or make a new job with `pipeline jobs rerun JOB`",
        ),
        ErrorKind::Exhausted => (
            "P112",
            Trouble::Place,
            "no space, memory or quota is left",
            "make room, or raise the quota at the vendor; then retry the items",
        ),
        ErrorKind::Unexpected => (
            "P113",
            Trouble::Program,
            "something happened that should not; it is likely a defect of this program or of a provider",
            "make an archive with `pipeline jobs bundle JOB` and report it with the message",
        ),
    };
    advice(kind.code(), support, trouble, kind.retryability(), what, next)
}

/// Where the codes of the old products are now: theirs, and ours.
pub const FORMER_CODES: &[(&str, &str)] = &[
    ("AI_SERVICE_ERROR", "unavailable"),
    ("ANALYSIS_ERROR", "corrupt"),
    ("ANALYSIS_SERVICE_ERROR", "unavailable"),
    ("API_QUOTA_EXCEEDED", "exhausted"),
    ("API_TIMEOUT", "timeout"),
    ("API_UNAVAILABLE", "unavailable"),
    ("DATABASE_ERROR", "unavailable"),
    ("DISK_FULL", "exhausted"),
    ("EXTERNAL_API_ERROR", "unavailable"),
    ("FILE_NOT_FOUND", "not_found"),
    ("FILE_TOO_LARGE", "invalid"),
    ("FORBIDDEN", "unauthorized"),
    ("IMAGE_CORRUPTED", "corrupt"),
    ("IMAGE_DOWNLOAD_FAILED", "unavailable"),
    ("IMAGE_FORMAT_UNSUPPORTED", "unsupported"),
    ("IMAGE_TOO_LARGE", "invalid"),
    ("INSUFFICIENT_DATA", "invalid"),
    ("INSUFFICIENT_PERMISSIONS", "unauthorized"),
    ("INTERNAL_ERROR", "unexpected"),
    ("INVALID_API_KEY", "unauthorized"),
    ("INVALID_EMAIL", "invalid"),
    ("INVALID_FILE_PATH", "request"),
    ("INVALID_FILE_TYPE", "unsupported"),
    ("INVALID_INPUT", "invalid"),
    ("INVALID_PARAMETERS", "problem"),
    ("INVALID_PASSWORD", "invalid"),
    ("INVALID_PIPELINE", "problem"),
    ("INVALID_PROMPT_TYPE", "problem"),
    ("INVALID_TOKEN", "unauthorized"),
    ("JOB_ALREADY_RUNNING", "conflict"),
    ("JOB_CONFIGURATION_ERROR", "problem"),
    ("JOB_NOT_FOUND", "request"),
    ("MAX_RETRIES_EXCEEDED", "conflict"),
    ("MISSING_PROMPT", "problem"),
    ("NARRATIVE_GENERATION_ERROR", "unavailable"),
    ("NETWORK_CONNECTION", "unavailable"),
    ("NETWORK_ERROR", "unavailable"),
    ("NETWORK_TIMEOUT", "timeout"),
    ("NOT_FOUND", "not_found"),
    ("NO_FILE", "request"),
    ("OPENAI_API_ERROR", "unavailable"),
    ("PARSING_FAILED", "corrupt"),
    ("PERMISSION_DENIED", "unauthorized"),
    ("PIAPI_API_ERROR", "unavailable"),
    ("PREPROCESSING_ERROR", "corrupt"),
    ("PROCESSING_ERROR", "unexpected"),
    ("PROCESSING_FAILED", "unexpected"),
    ("RATE_LIMIT_EXCEEDED", "rate_limited"),
    ("REMOVE_BG_API_ERROR", "unavailable"),
    ("RETRY_FAILED", "conflict"),
    ("ROW_LIMIT_EXCEEDED", "invalid"),
    ("SERVICE_UNAVAILABLE", "unavailable"),
    ("SESSION_EXPIRED", "unauthorized"),
    ("STAGE_DEPENDENCY_ERROR", "condition_error"),
    ("STORAGE_ERROR", "unavailable"),
    ("STORAGE_QUOTA_EXCEEDED", "exhausted"),
    ("STORY_NOT_FOUND", "request"),
    ("TIER_LIMIT_EXCEEDED", "exhausted"),
    ("TIMEOUT_ERROR", "timeout"),
    ("TOKEN_EXPIRED", "unauthorized"),
    ("UNAUTHORIZED", "unauthorized"),
    ("UNKNOWN_ERROR", "unexpected"),
    ("USER_NOT_FOUND", "request"),
    ("VALIDATION_ERROR", "invalid"),
    ("VALIDATION_FAILED", "invalid"),
    ("VISUALIZATION_ERROR", "unexpected"),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn codes_and_support_ids_are_unique_and_in_order() {
        let all: Vec<Advice> = Advice::all().collect();
        let ids: Vec<&str> = all.iter().map(|advice| advice.support).collect();
        assert!(ids.is_sorted(), "{ids:?}");
        let codes: BTreeSet<&str> = all.iter().map(|advice| advice.code).collect();
        assert_eq!((codes.len(), ids.iter().collect::<BTreeSet<_>>().len()), (all.len(), all.len()));
    }

    #[test]
    fn every_former_code_leads_to_an_entry() {
        assert!(FORMER_CODES.is_sorted_by_key(|(old, _)| *old), "keep them in order");
        for (old, code) in FORMER_CODES {
            let ours = |text: &str| Advice::all().any(|advice| advice.code == text);
            assert!(ours(code), "{old} leads to {code}, which is no code");
            // A former code that is spelled as one of ours means that one.
            let meant = if ours(&old.to_lowercase()) { old.to_lowercase() } else { (*code).to_owned() };
            assert_eq!(Advice::find(old).map(|advice| advice.code), Some(meant.as_str()), "{old}");
        }
        assert_eq!(Advice::find("p107").map(|advice| advice.code), Some("unavailable"));
        assert_eq!(Advice::find("nonsense"), None);
    }

    #[test]
    fn a_code_has_the_retryability_of_its_errors() {
        for code in FailureCode::all() {
            if let FailureCode::Port(kind) = code {
                assert_eq!(crate::Error::new(kind, "").retryability(), code.advice().retry);
            }
            assert_eq!(code.advice().code, code.as_str());
        }
    }
}
