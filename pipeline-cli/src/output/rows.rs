//! Rows: cells for people, a value for machines.

use comfy_table::{Attribute, Cell, ColumnConstraint, ContentArrangement, presets};
use serde_json::Value;

use super::cells;
use super::text::clean;

/// The width of an id: narrower columns are not wrapped.
const LONGEST_WORD: u16 = 36;

/// One row.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Row {
    /// What people see, one a column.
    pub(crate) cells: Vec<String>,
    /// What machines get.
    pub(crate) value: Value,
}

impl Row {
    /// Makes a row.
    pub(crate) fn new(cells: impl IntoIterator<Item = String>, value: Value) -> Self {
        Self { cells: cells.into_iter().collect(), value }
    }
}

/// Rows under a header.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Table {
    header: Vec<&'static str>,
    rows: Vec<Row>,
    empty: &'static str,
}

impl Table {
    /// Starts a table with these columns.
    pub(crate) fn new(header: &[&'static str]) -> Self {
        Self { header: header.to_vec(), rows: Vec::new(), empty: "nothing" }
    }

    /// Says what people see when there are no rows.
    pub(crate) fn empty(mut self, text: &'static str) -> Self {
        self.empty = text;
        self
    }

    /// Adds a row.
    pub(crate) fn push(&mut self, row: Row) {
        self.rows.push(row);
    }

    /// Adds a row that only people see.
    pub(crate) fn cells(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(Row::new(cells, Value::Null));
    }

    /// Returns what machines get.
    pub(crate) fn values(&self) -> impl Iterator<Item = &Value> {
        self.rows.iter().map(|row| &row.value)
    }

    /// Draws it for people, at most `width` wide.
    pub(crate) fn render(&self, width: Option<u16>, color: bool) -> String {
        if self.rows.is_empty() {
            return format!("{}\n", self.empty);
        }
        let mut table = start(width, color);
        table.set_header(self.header.iter().map(|name| Cell::new(name.to_uppercase()).add_attribute(Attribute::Bold)));
        for row in &self.rows {
            table.add_row(row.cells.iter().map(|cell| cells::colored(clean(cell))));
        }
        finish(&mut table)
    }
}

/// Draws names with their values below each other.
pub(crate) fn pairs(pairs: &[(&str, String)], width: Option<u16>, color: bool) -> String {
    let mut table = start(width, color);
    for (name, value) in pairs {
        table.add_row([Cell::new(name).add_attribute(Attribute::Bold), cells::colored(clean(value))]);
    }
    finish(&mut table)
}

fn start(width: Option<u16>, color: bool) -> comfy_table::Table {
    let mut table = comfy_table::Table::new();
    table.load_style(presets::NOTHING).force_no_tty();
    if let Some(width) = width {
        table.set_width(width).set_content_arrangement(ContentArrangement::Dynamic);
    }
    if color {
        table.enforce_styling();
    }
    table
}

fn finish(table: &mut comfy_table::Table) -> String {
    let widths = table.column_max_content_widths();
    for (column, width) in table.column_iter_mut().zip(widths) {
        column.set_padding((0, 2));
        // Ids, states and numbers are not broken up; what is long is.
        if width <= LONGEST_WORD {
            column.set_constraint(ColumnConstraint::ContentWidth);
        }
    }
    let mut text = String::new();
    for line in table.lines() {
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_has_aligned_columns_and_no_escapes_of_its_content() {
        let mut table = Table::new(&["id", "label"]);
        table.cells(["1".to_owned(), "a\u{1b}[2Jb".to_owned()]);
        table.cells(["222".to_owned(), "c".to_owned()]);
        assert_eq!(table.render(None, false), "ID   LABEL\n1    a\\u{1b}[2Jb\n222  c\n");
    }

    #[test]
    fn no_rows_are_said_in_words() {
        assert_eq!(Table::new(&["id"]).empty("no jobs").render(None, false), "no jobs\n");
    }

    #[test]
    fn a_narrow_terminal_wraps_cells() {
        let mut table = Table::new(&["id", "text"]);
        table.cells(["1".to_owned(), "word ".repeat(30)]);
        let text = table.render(Some(40), false);
        assert!(text.lines().all(|line| line.chars().count() <= 40), "{text}");
        assert_eq!(text.lines().nth(1).map(|line| line.starts_with("1 ")), Some(true), "{text}");
    }
}
