//! The conformance suites of the storage ports: one test for each numbered clause of each contract.

pub mod fixture;
