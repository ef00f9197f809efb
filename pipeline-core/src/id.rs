//! Identifiers: one newtype a noun, minted outside the core and passed in.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// Wraps a UUID minted by the caller.
            pub const fn from_uuid(uuid: Uuid) -> Self {
                Self(uuid)
            }

            /// Returns the UUID.
            pub const fn as_uuid(&self) -> Uuid {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                Uuid::try_parse(text).map(Self).map_err(|_| InvalidId {
                    what: stringify!($name),
                    text: text.to_owned(),
                    expected: UUID,
                })
            }
        }
    };
}

/// A text that is not the identifier it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a valid {what}; expected {expected}")]
pub struct InvalidId {
    what: &'static str,
    text: String,
    expected: &'static str,
}

/// What most identifiers are.
const UUID: &str = "a UUID such as 0198c1a2-7c3e-7000-8000-000000000000";

uuid_id!(/// One execution of a pipeline.
    JobId);
uuid_id!(/// The unit that flows through the stages.
    ItemId);
uuid_id!(/// One version of what a stage recorded for an item.
    ResultId);
uuid_id!(/// One provider call in the ledger; also the idempotency key sent to the vendor.
    CallId);
uuid_id!(/// One intent of a call: a call that is sent again has another.
    SendingId);
uuid_id!(/// A call a person must resolve.
    HoldId);
uuid_id!(/// One worker process start; holds the lease.
    SessionId);
uuid_id!(/// Where events of jobs are told of.
    HookId);
uuid_id!(/// One event told to one hook, however often it is sent.
    MessageId);

impl HookId {
    /// Derives the id of the message about an event: the same whenever and by whomever it is sent, so that a receiver knows
    /// it again.
    pub fn message(&self, job: JobId, seq: EventSeq) -> MessageId {
        let mut hasher = blake3::Hasher::new();
        hasher.update(self.0.as_bytes());
        hasher.update(job.0.as_bytes());
        hasher.update(&seq.0.to_le_bytes());
        let mut bytes = [0; 16];
        hasher.finalize_xof().fill(&mut bytes);
        MessageId(uuid::Builder::from_custom_bytes(bytes).into_uuid())
    }
}

uuid_id!(/// A recurring job; what its occasions are counted under.
    ScheduleId);

impl ItemId {
    /// Derives the id of the child of `self` made by stage `stage` for slot `slot`.
    ///
    /// The result is a UUIDv8: the parent's leading 48 bits (its time, so children sort beside their parent) and a
    /// hash of parent, stage and slot. The same arguments always give the same id, so a repeated expansion is harmless.
    pub fn child(&self, stage: &str, slot: u32) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(self.0.as_bytes());
        hasher.update(stage.as_bytes());
        hasher.update(&slot.to_le_bytes());
        let hash = hasher.finalize();
        let mut bytes = *self.0.as_bytes();
        for (target, source) in bytes.iter_mut().skip(6).zip(hash.as_bytes()) {
            *target = *source;
        }
        Self(uuid::Builder::from_custom_bytes(bytes).into_uuid())
    }
}

/// The fence: a claim's number on its item, raised by every claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Token(pub i64);

/// The position of an event in its job's gapless sequence, from 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EventSeq(pub i64);

impl EventSeq {
    /// Before the first event.
    pub const START: Self = Self(0);
}

/// A BLAKE3 digest (32 bytes) of some content, printed as 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest([u8; 32]);

impl Digest {
    /// Hashes `content`.
    pub fn of(content: &[u8]) -> Self {
        Self(*blake3::hash(content).as_bytes())
    }

    /// Returns the 64 hexadecimal digits.
    pub fn to_hex(self) -> String {
        blake3::Hash::from_bytes(self.0).to_hex().to_string()
    }

    /// Returns the first eight bytes as a number, for seeds.
    pub fn to_u64(self) -> u64 {
        let mut head = [0_u8; 8];
        for (target, source) in head.iter_mut().zip(self.0) {
            *target = source;
        }
        u64::from_le_bytes(head)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_hex())
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({})", self.to_hex())
    }
}

impl FromStr for Digest {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        blake3::Hash::from_hex(text).map(|hash| Self(*hash.as_bytes())).map_err(|_| InvalidId {
            what: "digest",
            text: text.to_owned(),
            expected: "64 hexadecimal digits",
        })
    }
}

impl Serialize for Digest {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.to_hex())
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// The name of a stage in its pipeline: `[a-z][a-z0-9_]*`, at most 40 characters.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct StageName(std::sync::Arc<str>);

impl StageName {
    /// Checks and wraps a name.
    ///
    /// # Errors
    /// [`InvalidName`] when the text is empty, too long, or has other characters.
    pub fn new(text: &str) -> Result<Self, InvalidName> {
        let mut chars = text.chars();
        let head = chars.next().is_some_and(|c| c.is_ascii_lowercase());
        if head && text.len() <= 40 && chars.all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_') {
            Ok(Self(text.into()))
        } else {
            Err(InvalidName { text: text.to_owned() })
        }
    }

    /// Returns the name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A text that cannot name a stage.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{text}` is not a valid name; expected a lower-case letter, then letters, digits or `_`, at most 40 characters"
)]
pub struct InvalidName {
    text: String,
}

impl TryFrom<String> for StageName {
    type Error = InvalidName;

    fn try_from(text: String) -> Result<Self, InvalidName> {
        Self::new(&text)
    }
}

impl From<StageName> for String {
    fn from(name: StageName) -> Self {
        name.as_str().to_owned()
    }
}

impl fmt::Display for StageName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_id_depends_on_parent_stage_and_slot_only() {
        let parent = ItemId::from_uuid(Uuid::from_u128(0x0198_c1a2_7c3e_7000_8000_0000_0000_0001));
        let child = parent.child("generate", 0);
        assert_eq!(child, parent.child("generate", 0));
        assert_ne!(child, parent.child("generate", 1));
        assert_ne!(child, parent.child("other", 0));
        assert_eq!(child.as_uuid().get_version_num(), 8);
        assert_eq!(child.as_uuid().as_bytes()[..6], parent.as_uuid().as_bytes()[..6]);
    }

    #[test]
    fn a_digest_survives_its_text() {
        let digest = Digest::of(b"a");
        assert_eq!(digest.to_hex().parse::<Digest>(), Ok(digest));
        assert!("zz".parse::<Digest>().is_err());
    }

    #[test]
    fn stage_names_are_checked() {
        assert!(StageName::new("qc_2").is_ok());
        for bad in ["", "2qc", "Qc", "a-b", "é"] {
            assert!(StageName::new(bad).is_err(), "{bad}");
        }
    }
}
