//! The steps of work that a job's log tells of: a closed list, and names that programs bring along.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// A name of a program's own is at most so long.
const LONGEST: usize = 60;

macro_rules! steps {
    ($($(#[$doc:meta])* $variant:ident => $word:literal),+ $(,)?) => {
        /// A step of work.
        #[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        #[non_exhaustive]
        pub enum Step {
            $($(#[$doc])* $variant,)+
            /// A step of a stage or a provider that a program brings along; see [`Step::own`].
            Own(Cow<'static, str>),
        }

        impl Step {
            /// Every step of this project, in the order of the documentation.
            pub const KNOWN: &[Self] = &[$(Self::$variant),+];

            /// Returns the stable word.
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$variant => $word,)+
                    Self::Own(name) => name,
                }
            }
        }
    };
}

steps! {
    /// The item was handed to a worker.
    Claim => "claim",
    /// The item was taken over after a process had ended.
    Recover => "recover",
    /// A try of a stage began.
    Start => "start",
    /// A file was read from the artifact store.
    Load => "load",
    /// A file of the input was read.
    Read => "read",
    /// A picture was decoded and looked at.
    Inspect => "inspect",
    /// The answer of an earlier call was found in the ledger.
    Recall => "recall",
    /// The intent of a call became durable.
    Intent => "intent",
    /// A prompt was sent to a model, and answered.
    PromptSend => "prompt-send",
    /// Another request was sent to a provider, and answered.
    Send => "send",
    /// The vendor took the order as a task.
    Task => "task",
    /// The vendor was asked for the task.
    Poll => "poll",
    /// The outcome of a call became durable.
    Settle => "settle",
    /// A file was fetched from the vendor.
    Download => "download",
    /// A picture was transformed and encoded.
    Encode => "encode",
    /// What is known of a picture was written into its file.
    Embed => "embed",
    /// A file was put into the artifact store.
    Put => "put",
    /// The item was compared with the others of its job.
    Compare => "compare",
    /// A file name was reserved in the output folder.
    Name => "name",
    /// A file was written into the output folder.
    Write => "write",
    /// The finished file is in the output folder.
    Published => "published",
    /// A try of a stage gave a result.
    Done => "done",
    /// A check gave its verdict.
    Verdict => "verdict",
    /// A stage was passed over.
    Skip => "skip",
    /// Children replaced the item.
    Expand => "expand",
    /// A stage waits: for a time, a gate, a budget or a person.
    Wait => "wait",
    /// A try failed, and another will follow.
    Retry => "retry",
    /// A stage ended the walk of the item.
    Stop => "stop",
    /// A transition of the item became durable.
    Commit => "commit",
    /// The item was taken over, and what this worker did for it is refused.
    Lost => "lost",
    /// The end of the item became durable.
    Ended => "ended",
    /// Entries were dropped because they came faster than they could be kept.
    Dropped => "dropped",
}

impl Step {
    /// Makes a step of a program's own: words of lower-case letters, digits and `-`, with a dot between the name of whose
    /// step it is and the step's, for example `acme.upscale`.
    ///
    /// # Errors
    /// `Invalid` for another text.
    pub fn own(name: impl Into<Cow<'static, str>>) -> Result<Self> {
        let name = name.into();
        let word = |word: &str| {
            word.starts_with(|c: char| c.is_ascii_lowercase())
                && word.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
        };
        if name.len() <= LONGEST && name.contains('.') && name.split('.').all(word) {
            return Ok(Self::Own(name));
        }
        Err(Error::invalid("this cannot be the name of a step")
            .with("step", &name)
            .with("accepted", "words of a-z, 0-9 and `-` with a dot between them, such as acme.upscale"))
    }

    /// Returns the word of every step of this project.
    pub fn known() -> impl Iterator<Item = &'static str> {
        Self::KNOWN.iter().map(Self::as_str)
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Step {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        if let Some(known) = Self::KNOWN.iter().find(|known| known.as_str() == text) {
            return Ok(known.clone());
        }
        if text.contains('.') {
            return Self::own(text.to_owned());
        }
        Err(Error::invalid("there is no such step").with("step", text).with(
            "accepted",
            format!("{}, or a name with a dot for a program's own", Self::known().collect::<Vec<_>>().join(", ")),
        ))
    }
}

impl TryFrom<String> for Step {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl From<Step> for String {
    fn from(step: Step) -> Self {
        step.as_str().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_step_reads_back_as_written_and_no_two_are_alike() {
        let mut words: Vec<&str> = Step::known().collect();
        for known in Step::KNOWN {
            assert_eq!(known.as_str().parse::<Step>().unwrap(), *known);
        }
        words.sort_unstable();
        words.dedup();
        assert_eq!(words.len(), Step::KNOWN.len());
    }

    #[test]
    fn a_programs_own_step_has_a_dot_and_an_unknown_word_is_refused() {
        assert_eq!("acme.up-scale2".parse::<Step>().unwrap(), Step::own("acme.up-scale2").unwrap());
        for wrong in ["", "upscale", "acme.", ".x", "Acme.x", "acme.x y", "a.\u{1b}", &format!("a.{}", "b".repeat(60))]
        {
            assert!(wrong.parse::<Step>().is_err() && Step::own(wrong.to_owned()).is_err(), "{wrong}");
        }
        assert!("sned".parse::<Step>().unwrap_err().to_string().contains("prompt-send"));
    }
}
