//! The port of a stage. To come.
