//! Why a command could not be done, and what would help: `error:` and `hint:` lines, and the exit code.

use std::error::Error as StdError;
use std::fmt::Display;
use std::io;
use std::path::Path;

use pipeline_core::error::{Error, ErrorKind, chain};
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
    },
    /// The pipeline or its settings are wrong: everything that is.
    Problems(Problems),
    /// It failed on the way.
    Broken {
        /// What failed, with its causes.
        message: String,
        /// What may help.
        hint: Option<String>,
    },
    /// Somebody interrupted it.
    Interrupted,
}

impl Failure {
    /// The request was wrong.
    pub(crate) fn wrong(message: impl Into<String>) -> Self {
        Self::Wrong { message: message.into(), hint: None }
    }

    /// It failed on the way.
    pub(crate) fn broken(error: &dyn StdError) -> Self {
        Self::Broken { message: chain(error), hint: None }
    }

    /// A thing that should not happen.
    pub(crate) fn unexpected(error: impl Display) -> Self {
        Self::Broken { message: format!("unexpected: {error}"), hint: None }
    }

    /// A file or folder the request names cannot be used.
    pub(crate) fn file(doing: &str, path: &Path, error: &io::Error) -> Self {
        Self::wrong(format!("{doing} {}: {error}", path.display()))
    }

    /// Says what would help.
    pub(crate) fn hint(self, text: impl Into<String>) -> Self {
        let hint = Some(text.into());
        match self {
            Self::Wrong { message, .. } => Self::Wrong { message, hint },
            Self::Broken { message, .. } => Self::Broken { message, hint },
            other @ (Self::Problems(_) | Self::Interrupted) => other,
        }
    }

    /// An error of a port that the request is to blame for, whatever its kind.
    pub(crate) fn blame_request(error: &Error) -> Self {
        let (message, hint) = describe(error);
        Self::Wrong { message, hint }
    }

    /// Returns the exit code.
    pub(crate) const fn exit(&self) -> Exit {
        match self {
            Self::Wrong { .. } | Self::Problems(_) => Exit::Wrong,
            Self::Broken { .. } => Exit::Broken,
            Self::Interrupted => Exit::Interrupted,
        }
    }

    /// Returns what to print on stderr.
    pub(crate) fn lines(&self) -> Vec<String> {
        match self {
            Self::Wrong { message, hint } | Self::Broken { message, hint } => {
                let mut lines = vec![format!("error: {}", clean(message))];
                lines.extend(hint.iter().map(|hint| format!("hint: {}", clean(hint))));
                lines
            }
            Self::Problems(problems) => {
                problems.0.iter().map(|problem| format!("error: {}", clean(&problem.to_string()))).collect()
            }
            Self::Interrupted => vec!["interrupted".to_owned()],
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let (message, hint) = describe(&error);
        match error.kind() {
            ErrorKind::NotFound | ErrorKind::Invalid => Self::Wrong { message, hint },
            _ => Self::Broken { message, hint },
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
        let lines = ["error: no input given (field = input): disk on fire", "hint: accepted: a folder"];
        assert_eq!(failure.lines(), lines);
        assert_eq!(failure.exit(), Exit::Wrong);
    }

    #[test]
    fn problems_stand_one_on_a_line() {
        let problems = Problems(vec![Problem::new("a.b", "bad").hint("be good"), Problem::new("", "worse")]);
        assert_eq!(Failure::from(problems).lines(), ["error: a.b: bad; be good", "error: worse"]);
    }

    #[test]
    fn escapes_in_messages_are_harmless() {
        let lines = Failure::wrong("no file \u{1b}[31mred").lines();
        assert!(!lines.concat().contains('\u{1b}'), "{lines:?}");
    }

    #[test]
    fn a_conflict_is_no_wrong_request() {
        assert_eq!(Failure::from(Error::conflict("held")).exit(), Exit::Broken);
    }
}
