//! The port that takes a message to where a hook leads.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::id::{JobId, MessageId};
use crate::settings::SecretRef;
use crate::time::Timestamp;

/// Where a hook leads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum HookTarget {
    /// A receiver that takes messages by HTTP, in the form of Standard Webhooks.
    Webhook {
        /// Its address, `http` or `https`, without credentials.
        url: String,
        /// Where the secrets are that messages are signed with: one, or several while they are changed.
        secrets: Vec<SecretRef>,
        /// Whether it may be on this machine or a private network.
        allow_private: bool,
    },
    /// A program that is started for each message.
    Command {
        /// The program: a path, or a name that is looked for in `PATH`.
        program: String,
        /// Its arguments, as they are.
        args: Vec<String>,
    },
}

/// One try to deliver a message.
#[derive(Clone, PartialEq, Eq)]
pub struct HookMessage {
    /// The same for each try of the same message.
    pub id: MessageId,
    /// The name of the hook.
    pub hook: String,
    /// What kind of event it tells of, for example `job.finished`.
    pub kind: String,
    /// The job; `None` in a message that only tests the way.
    pub job: Option<JobId>,
    /// Which try this is, from 1.
    pub attempt: u32,
    /// When this try is made.
    pub at: Timestamp,
    /// How long it may take.
    pub timeout: Duration,
    /// The message, as JSON.
    pub body: String,
}

impl fmt::Debug for HookMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HookMessage")
            .field("id", &self.id)
            .field("hook", &self.hook)
            .field("kind", &self.kind)
            .field("attempt", &self.attempt)
            .finish_non_exhaustive()
    }
}

/// What the other side said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HookAnswer {
    /// It has the message.
    Taken {
        /// The status of the answer by HTTP; 0 of a program.
        status: i32,
    },
    /// It has not, and may have it later.
    Refused {
        /// The status of the answer by HTTP, or the exit code of the program.
        status: i32,
        /// How long it asks to be left alone.
        after: Option<Duration>,
    },
    /// It wants no messages any more.
    Gone {
        /// The status of the answer.
        status: i32,
    },
}

/// Delivers messages.
///
/// # Contract
/// 1. *Classify, never retry.* One call is one try, and ends within [`HookMessage::timeout`]; an error means that nobody knows
///    whether the message has arrived, or that it could not be sent.
/// 2. *No secrets* in errors, answers or `Debug` output, nor the path of an address.
/// 3. *Only where it may.* A target that is not to be spoken to is refused by `check` and by `send`, before anything is sent.
/// 4. Dropping the future gives the try up, and ends what was started for it.
#[async_trait]
pub trait HookSender: fmt::Debug + Send + Sync + 'static {
    /// Tells whether messages may be sent there; sends none.
    async fn check(&self, target: &HookTarget) -> Result<()>;

    /// Makes one try.
    async fn send(&self, target: &HookTarget, message: &HookMessage) -> Result<HookAnswer>;
}

const _: Option<std::sync::Arc<dyn HookSender>> = None;
