//! Takes messages where hooks lead: to receivers by HTTP, signed in the form of Standard Webhooks, and to programs.

mod address;
mod command;
mod couriers;
mod signature;
mod webhook;

pub use couriers::HookCouriers;
pub use signature::signatures;
