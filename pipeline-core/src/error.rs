//! The error every port returns: a kind to branch on, a class for retrying, a source to report.

use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What went wrong, for branching.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ErrorKind {
    /// The thing asked for does not exist.
    NotFound,
    /// Something else already holds the place, or the state does not allow the step.
    Conflict,
    /// The request itself is wrong.
    Invalid,
    /// Credentials are missing or not accepted.
    Unauthorized,
    /// Too many requests.
    RateLimited,
    /// No answer in time.
    Timeout,
    /// The other side is down or not reachable.
    Unavailable,
    /// The provider's safety system said no.
    Refused,
    /// The provider or backend cannot do this at all.
    Unsupported,
    /// Data is damaged or not what it claims to be.
    Corrupt,
    /// The caller gave up.
    Cancelled,
    /// No space, memory or quota is left.
    Exhausted,
    /// Anything else.
    Unexpected,
}

impl ErrorKind {
    /// Every kind, in the order of the documentation.
    pub const ALL: &[Self] = &[
        Self::NotFound,
        Self::Conflict,
        Self::Invalid,
        Self::Unauthorized,
        Self::RateLimited,
        Self::Timeout,
        Self::Unavailable,
        Self::Refused,
        Self::Unsupported,
        Self::Corrupt,
        Self::Cancelled,
        Self::Exhausted,
        Self::Unexpected,
    ];

    /// Returns the stable code, for example `rate_limited`.
    pub const fn code(self) -> &'static str {
        match self {
            Self::NotFound => "not_found",
            Self::Conflict => "conflict",
            Self::Invalid => "invalid",
            Self::Unauthorized => "unauthorized",
            Self::RateLimited => "rate_limited",
            Self::Timeout => "timeout",
            Self::Unavailable => "unavailable",
            Self::Refused => "refused",
            Self::Unsupported => "unsupported",
            Self::Corrupt => "corrupt",
            Self::Cancelled => "cancelled",
            Self::Exhausted => "exhausted",
            Self::Unexpected => "unexpected",
        }
    }
}

/// What a retry could do about it. Providers classify; only the executor decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Retryability {
    /// Trying again can help.
    Transient,
    /// Trying again can help, but not before this long; it does not count as an attempt.
    Throttled {
        /// How long the provider asks to be left alone.
        after: Option<Duration>,
    },
    /// Trying again cannot help.
    Permanent,
    /// The provider's safety system said no; trying the same again cannot help.
    Refused,
    /// It was transient, and every attempt is used up.
    Exhausted,
    /// We cannot know whether it happened, for example a time-out after sending.
    Indeterminate,
}

/// The error of every port. `Display` says what failed and never repeats its source; print the chain with [`chain`].
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    retry: Retryability,
    message: String,
    context: Vec<(&'static str, String)>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    /// Makes an error; its retryability follows from the kind until [`Error::retry`] says otherwise.
    ///
    /// `message` is a lower-case fragment without a full stop and without secrets, prompts or URLs.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        let retry = match kind {
            ErrorKind::RateLimited => Retryability::Throttled { after: None },
            ErrorKind::Timeout | ErrorKind::Unavailable | ErrorKind::Exhausted => Retryability::Transient,
            ErrorKind::Refused => Retryability::Refused,
            ErrorKind::NotFound
            | ErrorKind::Conflict
            | ErrorKind::Invalid
            | ErrorKind::Unauthorized
            | ErrorKind::Unsupported
            | ErrorKind::Corrupt
            | ErrorKind::Cancelled
            | ErrorKind::Unexpected => Retryability::Permanent,
        };
        Self(Box::new(Inner { kind, retry, message: message.into(), context: Vec::new(), source: None }))
    }

    /// The request is wrong.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Invalid, message)
    }

    /// The thing asked for does not exist.
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::NotFound, message)
    }

    /// The state does not allow it.
    pub fn conflict(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Conflict, message)
    }

    /// The data is damaged.
    pub fn corrupt(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Corrupt, message)
    }

    /// A thing that should not happen.
    pub fn unexpected(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Unexpected, message)
    }

    /// Sets the retryability.
    pub fn retry(mut self, retry: Retryability) -> Self {
        self.0.retry = retry;
        self
    }

    /// Adds a fact, for example `("path", "/a/b.png")`.
    pub fn with(mut self, key: &'static str, value: impl fmt::Display) -> Self {
        self.0.context.push((key, value.to_string()));
        self
    }

    /// Sets the cause.
    pub fn because(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// Returns what went wrong.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Returns what a retry could do.
    pub fn retryability(&self) -> Retryability {
        self.0.retry
    }

    /// Returns the message without context and cause.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// Returns the facts added with [`Error::with`].
    pub fn context(&self) -> &[(&'static str, String)] {
        &self.0.context
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)?;
        for (index, (key, value)) in self.0.context.iter().enumerate() {
            write!(f, "{}{key}={value}", if index == 0 { " (" } else { ", " })?;
        }
        if self.0.context.is_empty() { Ok(()) } else { f.write_str(")") }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("kind", &self.0.kind)
            .field("retry", &self.0.retry)
            .field("message", &self.0.message)
            .field("context", &self.0.context)
            .field("source", &self.0.source)
            .finish()
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_ref().map(|source| source.as_ref() as &(dyn StdError + 'static))
    }
}

/// Prints an error and its causes as one line: `cannot open store: permission denied`.
pub fn chain(error: &dyn StdError) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let line = cause.to_string();
        if !text.ends_with(&line) {
            text.push_str(": ");
            text.push_str(&line);
        }
        next = cause.source();
    }
    text
}

/// A result with the ports' error.
pub type Result<T, E = Error> = std::result::Result<T, E>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn display_has_context_but_not_the_source() {
        let error = Error::new(ErrorKind::Unavailable, "cannot read").with("path", "a.png").because("disk on fire");
        assert_eq!(error.to_string(), "cannot read (path=a.png)");
        assert_eq!(chain(&error), "cannot read (path=a.png): disk on fire");
        assert_eq!(error.retryability(), Retryability::Transient);
    }
}
