//! Backups of a SQLite store and its artifacts: taken while workers are at work, proved before they are restored.
//!
//! A backup is a folder with a copy of the database as it was at one moment, every artifact its records name, a list of
//! those, and a manifest with the digests of both. It appears under its name when it is whole, and never before.

mod folder;
mod manifest;
mod restore;
mod write;

pub use restore::{RestoreReport, check, restore};
pub use write::{BackupOptions, BackupReport, backup};
