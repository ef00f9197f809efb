//! What one owner sees of a store: a store whose every read and act is about that owner's jobs, and to which those of others
//! are not there.
//!
//! It stands between a frontend and a store, where a person or a program acts for an owner. What workers do passes: they
//! work on everybody's jobs, and tell nobody of them.

mod calls;
mod guard;
mod history;
mod hooks;
mod items;
mod jobs;
mod kept;
mod logs;
mod operators;
mod store;
mod work;

pub(crate) use logs::OwnedLogs;
pub(crate) use store::Owned;
