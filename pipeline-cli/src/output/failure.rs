//! Why a command could not be done, and what would help: `error:` and `hint:` lines, and the exit code.

use std::error::Error as StdError;
use std::fmt::Display;
use std::io;
use std::path::Path;

use pipeline_core::error::{Error, ErrorKind, chain};
use pipeline_core::model::{Advice, FailureCode};
use pipeline_core::settings::{Problem, Problems};
use pipeline_engine::SubmitError;

use super::exit::Exit;
use super::text::clean;

/// Why a command could not be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The request was wrong.
    Wrong {
        /// What is wrong.
        message: String,
        /// What would be right.
        hint: Option<String>,
        /// The kind of error, when it was one of a port.
        kind: Option<ErrorKind>,
    },
    /// The pipeline or its settings are wrong: everything that is.
    Problems(Problems),
    /// It failed on the way.
    Broken {
        /// What failed, with its causes.
        message: String,
        /// What may help.
        hint: Option<String>,
        /// The kind of error, when it was one of a port.
        kind: Option<ErrorKind>,
    },
    /// Somebody interrupted it.
    Interrupted,
}

impl Failure {
    /// The request was wrong.
    pub(crate) fn wrong(message: impl Into<String>) -> Self {
        Self::Wrong { message: message.into(), hint: None, kind: None }
    }

    /// It failed on the way.
    pub(crate) fn broken(error: &(dyn StdError + 'static)) -> Self {
        let kind = error.downcast_ref::<Error>().map(Error::kind);
        Self::Broken { message: chain(error), hint: None, kind }
    }

    /// A thing that should not happen.
    pub(crate) fn unexpected(error: impl Display) -> Self {
        Self::Broken { message: format!("unexpected: {error}"), hint: None, kind: Some(ErrorKind::Unexpected) }
    }

    /// The system does not let the program do its own work.
    pub(crate) fn file_system(doing: &str, error: &io::Error) -> Self {
        Self::Broken { message: format!("{doing}: {error}"), hint: None, kind: Some(ErrorKind::Unavailable) }
    }

    /// Somebody else holds what it needs.
    pub(crate) fn busy(message: impl Into<String>) -> Self {
        Self::Broken { message: message.into(), hint: None, kind: Some(ErrorKind::Conflict) }
    }

    /// A file or folder the request names cannot be used.
    pub(crate) fn file(doing: &str, path: &Path, error: &io::Error) -> Self {
        Self::wrong(format!("{doing} {}: {error}", path.display()))
    }

    /// Says what would help.
    pub(crate) fn hint(self, text: impl Into<String>) -> Self {
        let hint = Some(text.into());
        match self {
            Self::Wrong { message, kind, .. } => Self::Wrong { message, hint, kind },
            Self::Broken { message, kind, .. } => Self::Broken { message, hint, kind },
            other @ (Self::Problems(_) | Self::Interrupted) => other,
        }
    }

    /// An error of a port that the request is to blame for, whatever its kind.
    pub(crate) fn blame_request(error: &Error) -> Self {
        let (message, hint) = describe(error);
        Self::Wrong { message, hint, kind: Some(error.kind()) }
    }

    /// Returns the exit code.
    pub(crate) const fn exit(&self) -> Exit {
        match self {
            Self::Wrong { .. } | Self::Problems(_) => Exit::Wrong,
            Self::Broken { .. } => Exit::Broken,
            Self::Interrupted => Exit::Interrupted,
        }
    }

    /// Returns the entry of the catalogue; none for an interruption.
    fn advice(&self) -> Option<Advice> {
        let of = |kind: ErrorKind| FailureCode::Port(kind).advice();
        match self {
            Self::Wrong { kind, .. } => Some(kind.map_or(Advice::REQUEST, of)),
            Self::Broken { kind, .. } => Some(of(kind.unwrap_or(ErrorKind::Unexpected))),
            Self::Problems(_) => Some(Advice::PROBLEM),
            Self::Interrupted => None,
        }
    }

    /// Returns what to print on stderr: what is wrong, what helps, and the code to look up.
    pub(crate) fn lines(&self) -> Vec<String> {
        let advice = self.advice();
        let mut lines = match self {
            Self::Wrong { message, hint, .. } | Self::Broken { message, hint, .. } => {
                let mut lines = vec![format!("error: {}", clean(message))];
                // What goes wrong on the way has a next step, even where nothing more exact is known.
                let broken = matches!(self, Self::Broken { .. });
                let next = advice.filter(|_| broken).map(|advice| advice.next.to_owned());
                lines.extend(hint.clone().or(next).iter().map(|hint| format!("hint: {}", clean(hint))));
                lines
            }
            Self::Problems(problems) => {
                problems.0.iter().map(|problem| format!("error: {}", clean(&problem.to_string()))).collect()
            }
            Self::Interrupted => vec!["interrupted".to_owned()],
        };
        lines.extend(advice.map(|advice| format!("code: {} {}", advice.support, advice.code)));
        lines
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let (message, hint) = describe(&error);
        match error.kind() {
            kind @ (ErrorKind::NotFound | ErrorKind::Invalid) => Self::Wrong { message, hint, kind: Some(kind) },
            kind => Self::Broken { message, hint, kind: Some(kind) },
        }
    }
}

impl From<Problems> for Failure {
    fn from(problems: Problems) -> Self {
        Self::Problems(problems)
    }
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        Self::Problems(Problems::from(problem))
    }
}

impl From<SubmitError> for Failure {
    fn from(error: SubmitError) -> Self {
        match error {
            SubmitError::Definition(problems) => Self::Problems(problems),
            SubmitError::Input(error) => Self::blame_request(&error),
            // The only one a submit can meet: its idempotency key belongs to another request.
            SubmitError::Store(error) if error.kind() == ErrorKind::Conflict => {
                Self::blame_request(&error).hint("use another key, or repeat the request exactly")
            }
            SubmitError::Store(error) => Self::from(error),
        }
    }
}

/// Splits an error into what happened and what is accepted.
fn describe(error: &Error) -> (String, Option<String>) {
    let facts: Vec<String> = error
        .context()
        .iter()
        .filter(|(key, _)| *key != "accepted")
        .map(|(key, value)| format!("{key} = {value}"))
        .collect();
    let mut message = error.message().to_owned();
    if !facts.is_empty() {
        message = format!("{message} ({})", facts.join(", "));
    }
    if let Some(cause) = error.source() {
        let cause = chain(cause);
        if !message.ends_with(&cause) {
            message = format!("{message}: {cause}");
        }
    }
    let accepted = error.context().iter().find(|(key, _)| *key == "accepted");
    (message, accepted.map(|(_, value)| format!("accepted: {value}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_accepted_becomes_the_hint() {
        let error = Error::invalid("no input given").with("field", "input").with("accepted", "a folder");
        let failure = Failure::from(error.because("disk on fire"));
        let lines =
            ["error: no input given (field = input): disk on fire", "hint: accepted: a folder", "code: P103 invalid"];
        assert_eq!(failure.lines(), lines);
        assert_eq!(failure.exit(), Exit::Wrong);
    }

    #[test]
    fn problems_stand_one_on_a_line() {
        let problems = Problems(vec![Problem::new("a.b", "bad").hint("be good"), Problem::new("", "worse")]);
        assert_eq!(Failure::from(problems).lines(), ["error: a.b: bad; be good", "error: worse", "code: P302 problem"]);
    }

    #[test]
    fn escapes_in_messages_are_harmless() {
        let lines = Failure::wrong("no file \u{1b}[31mred").lines();
        assert!(!lines.concat().contains('\u{1b}'), "{lines:?}");
    }

    #[test]
    fn a_conflict_is_no_wrong_request() {
        let failure = Failure::from(Error::conflict("held"));
        assert_eq!(failure.exit(), Exit::Broken);
        let lines = failure.lines();
        assert!(lines[1].starts_with("hint: ") && lines[2] == "code: P102 conflict", "{lines:?}");
    }
}
