//! Lines on stderr.

use std::io::{self, Write};

use super::text::clean;

/// Prints a line on stderr, harmless whatever is in it. That nobody reads it is no error.
pub(crate) fn notice(line: &str) {
    // Nothing is left to report a failure to.
    let _ = writeln!(io::stderr().lock(), "{}", clean(line));
}
