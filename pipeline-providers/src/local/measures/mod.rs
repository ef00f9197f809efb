//! Measured quality.
