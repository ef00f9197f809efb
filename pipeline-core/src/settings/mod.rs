//! Settings: one typed declaration a stage kind gives validation, defaults, documentation and help; layers of them are
//! resolved once, with the origin of every value.

mod common;
mod docs;
mod document;
mod layer;
mod origin;
mod problem;
mod resolve;
mod resolved;
mod schema;
mod secret;
mod text;

#[cfg(test)]
mod tests;

pub use common::{Cache, CommonSettings, JOB_SECTION, JobSettings, OnFailure};
pub use docs::{SettingDoc, describe};
pub use layer::{ENVIRONMENT_PREFIX, Layer, parse_assignment};
pub use origin::Origin;
pub use problem::{Place, Problem, Problems};
pub use resolve::{Sections, resolve};
pub use resolved::{Resolved, Section, Setting};
pub use schema::{Inert, SettingsSchema, StageSettings};
pub use secret::{InvalidSecretRef, SecretRef};

pub(crate) use docs::{alternatives, types};
pub(crate) use document::Document;
pub(crate) use problem::{listing, nearest};
pub(crate) use resolve::resolve_all;
