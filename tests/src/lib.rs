//! What tests of several crates share, here and outside: conformance suites of the ports, a vendor that misbehaves on
//! request, and a tap that misbehaves between the engine and its store.

pub mod conformance;
pub mod tap;
pub mod vendor;
