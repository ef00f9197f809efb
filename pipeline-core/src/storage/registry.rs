//! The port for answers that concern several items: names of published files, fingerprints of pictures.

use async_trait::async_trait;

use crate::error::Result;
use crate::id::{ItemId, JobId};

/// From whom a name may be taken that is somebody else's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TakeOver {
    /// From nobody.
    #[default]
    Nobody,
    /// From an item that has ended or is gone. For a name whose file is no longer there.
    Ended,
    /// From an item of another job.
    OtherJobs,
}

/// A wish for a file name in an output folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameRequest {
    /// Who shares it: the folder, canonical, and the stage that publishes.
    pub scope: String,
    /// The name wanted.
    pub name: String,
    /// For which job.
    pub job: JobId,
    /// For which item.
    pub item: ItemId,
    /// From whom it may be taken.
    pub take_over: TakeOver,
    /// Only say whether it is this item's already; reserve nothing.
    pub only_if_mine: bool,
}

/// A picture's fingerprint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FingerprintMark {
    /// Compared only with marks of this job.
    pub job: JobId,
    /// And of this scope, normally the stage.
    pub scope: String,
    /// For which item.
    pub item: ItemId,
    /// The 64-bit perceptual hash.
    pub fingerprint: u64,
    /// Hashes at most this many bits apart are the same picture.
    pub max_distance: u32,
}

/// Decides what concerns several items.
///
/// # Contract
/// 1. *One owner a name.* `reserve_name` is true exactly when the name in the scope belongs to the item afterwards (or,
///    with `only_if_mine`, belonged to it before). Compared without regard to upper and lower case.
/// 2. *Repeatable.* Asking again for the same item gives the same answer.
/// 3. *Take-over* replaces only whom the request names: an owner of another job, or one that has ended or is gone.
/// 4. *First come.* `mark_fingerprint` returns the first other item within the distance and then stores nothing;
///    otherwise it stores the mark (replacing the item's own) and returns `None`. Deciding and storing are one step.
#[async_trait]
pub trait Registry {
    /// Reserves a file name.
    async fn reserve_name(&self, request: NameRequest) -> Result<bool>;

    /// Looks for a near-duplicate, and marks the item when there is none.
    async fn mark_fingerprint(&self, mark: FingerprintMark) -> Result<Option<ItemId>>;
}
