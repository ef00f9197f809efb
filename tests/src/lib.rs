//! What tests of several crates share: conformance suites of the ports, a throwaway PostgreSQL, and a vendor that
//! misbehaves on request.

pub mod cluster;
pub mod conformance;
pub mod vendor;
