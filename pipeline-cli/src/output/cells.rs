//! The colours of words: states stand out.

use comfy_table::{Cell, Color};

/// Makes a cell; a cell that is a state has its colour. Colour only repeats what the word says.
pub(crate) fn colored(text: String) -> Cell {
    let color = match text.as_str() {
        "succeeded" | "completed" | "done" | "ok" => Some(Color::Green),
        "failed" | "wrong" => Some(Color::Red),
        "rejected" | "undecided" | "completed_with_failures" | "warning" | "cancelled" | "cancelling" => {
            Some(Color::Yellow)
        }
        "running" => Some(Color::Cyan),
        _ => None,
    };
    let cell = Cell::new(text);
    match color {
        Some(color) => cell.fg(color),
        None => cell,
    }
}
