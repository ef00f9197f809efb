//! How much an entry of a job's log matters.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::status::{UnknownWord, words};

words!(
    /// How much an entry of a job's log matters; a later one matters more.
    LogLevel, "log level" {
        /// A step of the work, for whoever looks for a cause.
        Debug => "debug",
        /// What became of a stage or an item.
        Info => "info",
        /// Something went wrong, and the work goes on.
        Warn => "warn",
        /// Something went wrong, and a stage has ended with it.
        Error => "error",
    }
);
