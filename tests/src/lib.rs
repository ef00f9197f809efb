//! What tests of several crates share, here and outside: conformance suites of the ports, a vendor that misbehaves on
//! request, a proxy that does the same to any connection, and a tap that does it between the engine and its store.

pub mod conformance;
pub mod proxy;
pub mod simulation;
pub mod tap;
pub mod vendor;
