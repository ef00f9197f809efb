//! The executor from outside: tables, properties over random walks, and stored formats.
//!
//! `PROPTEST_CASES` sets how many random walks each property sees.

mod decisions;
mod expansion;
mod format;
mod last_stages;
mod plans;
mod properties;
mod table;
mod world;
