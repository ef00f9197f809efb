//! The executor from outside: tables, properties over random walks, and stored formats.
//!
//! `PROPTEST_CASES` sets how many random walks each property sees.

#[cfg(test)]
mod decisions;
#[cfg(test)]
mod expansion;
#[cfg(test)]
mod format;
#[cfg(test)]
mod last_stages;
#[cfg(test)]
mod plans;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod table;
#[cfg(test)]
mod world;
