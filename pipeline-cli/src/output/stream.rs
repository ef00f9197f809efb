//! Rows that arrive one by one, each printed when it arrives.

use serde_json::Value;

use super::failure::Failure;
use super::text::plain;
use super::{Format, Output, flat};

/// Prints rows as they come; `end` closes what was begun.
pub(crate) struct Stream<'s, 'a> {
    output: &'s mut Output<'a>,
    count: u64,
}

impl<'s, 'a> Stream<'s, 'a> {
    pub(super) fn new(output: &'s mut Output<'a>) -> Self {
        Self { output, count: 0 }
    }

    /// Prints one row: `line` for people, `value` for machines. `columns` are the fields CSV has.
    pub(crate) fn push(&mut self, line: &str, value: &Value, columns: &[&str]) -> Result<(), Failure> {
        let first = self.count == 0;
        self.count += 1;
        match self.output.format {
            Format::Table => self.output.line(line),
            Format::Ndjson => {
                let line = flat::json_line(value)?;
                self.output.text(&line)
            }
            Format::Json => {
                let line = flat::json_line(value)?;
                self.output.text(&format!("{}{}", if first { "[\n" } else { ",\n" }, line.trim_end()))
            }
            Format::Csv => {
                let mut text = if first { flat::csv_record(columns)? } else { String::new() };
                let cells = columns.iter().map(|name| match value.get(name) {
                    None | Some(Value::Null) => String::new(),
                    Some(value) => plain(value),
                });
                text.push_str(&flat::csv_record(&cells.collect::<Vec<_>>())?);
                self.output.text(&text)
            }
        }
    }

    /// Tells whether the reader has gone away.
    pub(crate) const fn is_closed(&self) -> bool {
        self.output.is_closed()
    }

    /// Closes what was begun.
    pub(crate) fn end(self) -> Result<(), Failure> {
        match (self.output.format, self.count) {
            (Format::Json, 0) => self.output.text("[]\n"),
            (Format::Json, _) => self.output.text("\n]\n"),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_streamed_array_is_a_document() {
        for count in 0..3 {
            let mut bytes = Vec::new();
            let mut output = Output::new(&mut bytes, Format::Json);
            let mut stream = output.stream();
            for seq in 0..count {
                stream.push("", &json!({"seq": seq}), &["seq"]).unwrap();
            }
            stream.end().unwrap();
            let read: Vec<Value> = serde_json::from_slice(&bytes).unwrap();
            assert_eq!(read.len(), count);
        }
    }
}
