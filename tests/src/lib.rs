//! What tests of several crates share: conformance suites of the ports, a vendor that misbehaves on request, and a proxy
//! that does the same to any connection.

pub mod conformance;
pub mod proxy;
pub mod vendor;
