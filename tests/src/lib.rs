//! What tests of several crates share: conformance suites of the ports.

pub mod conformance;
