//! Settings: one typed declaration a stage kind gives validation, defaults, documentation and help.

mod schema;

pub use schema::{Inert, SettingsSchema, StageSettings};
