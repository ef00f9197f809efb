//! Asking before something is done to several jobs.

use std::io::{self, BufRead, IsTerminal, Write};

use crate::output::Failure;

/// Asks on the terminal whether something is to be done to so many jobs. `verb` begins the question, `done` says what
/// would have happened.
pub(super) fn confirm(verb: &str, count: u64, done: &str) -> Result<(), Failure> {
    let which = if count == 1 { "1 job".to_owned() } else { format!("{count} jobs") };
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
