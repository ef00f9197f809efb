//! Asking before much is changed at once.

use std::io::{self, BufRead, IsTerminal, Write};

use crate::output::Failure;

/// Says how many of something there are: `1 job`, `2 jobs`.
pub(in crate::commands) fn counted(count: u64, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}

/// Asks on the terminal whether to do something (`Cancel`, `cancelled`) with so many; an error unless the answer is yes, and
/// where nobody can be asked.
pub(super) fn confirm((verb, done): (&str, &str), count: u64, noun: &str) -> Result<(), Failure> {
    let which = counted(count, noun);
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        return Err(Failure::wrong(format!("{which} would be {done}, and nobody can be asked"))
            .hint("--yes does it without asking"));
    }
    let mut terminal = io::stderr().lock();
    let mut answer = String::new();
    let asked = write!(terminal, "{verb} {which}? [y/N] ").and_then(|()| terminal.flush());
    asked.and_then(|()| io::stdin().lock().read_line(&mut answer)).map_err(Failure::unexpected)?;
    if matches!(answer.trim().to_lowercase().as_str(), "y" | "yes") {
        return Ok(());
    }
    Err(Failure::wrong(format!("nothing was {done}")))
}
