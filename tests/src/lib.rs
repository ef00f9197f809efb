//! What tests of several crates share, here and outside: conformance suites of the ports, a throwaway PostgreSQL, a
//! throwaway S3, readers of pictures that nobody here wrote, a vendor that misbehaves on request, a receiver of webhooks, a proxy that does the same to any connection, a tap
//! that does it between the engine and its store, and picture files, good and bad.

pub mod calibration;
pub mod cluster;
pub mod conformance;
pub mod moto;
pub mod pictures;
pub mod proxy;
pub mod readers;
pub mod receiver;
pub mod simulation;
pub mod tap;
pub mod vendor;
