//! What tests of several crates share, here and outside: conformance suites of the ports, a throwaway PostgreSQL, a
//! vendor that misbehaves on request, and a tap that misbehaves between the engine and its store.

pub mod cluster;
pub mod conformance;
pub mod tap;
pub mod vendor;
