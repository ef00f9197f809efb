//! What tests of several crates share: conformance suites of the ports, and a vendor that misbehaves on request.

pub mod conformance;
pub mod vendor;
