//! The conformance suites find what they are for: each clause, broken on purpose in a wrapper, fails.

mod breaches;
mod budgets;
mod calls;
mod claims;
mod commits;
mod events;
mod gates;
mod historian;
mod hooks;
mod items;
mod jobs;
mod logs;
mod names;
mod queue;
mod rates;
mod reviews;
mod schedules;
mod sessions;
mod shelf;
mod steward;
mod store;
mod templates;
mod verdict;
