//! Telling hooks of events: the task that drains the event tables of jobs, lane by lane.
//!
//! The cursor of a lane moves only behind what was delivered or given up, so whoever goes on after a crash sends the same
//! message again, under the same id: at least once, and in order.

mod courier;
mod lane;
mod round;

pub(crate) use courier::{Courier, deliver, sender};
pub(crate) use lane::{attempt_again, body_of_test, send};
pub use round::DeliveryRound;
