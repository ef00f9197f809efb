//! What is printed: answers on stdout in four formats, everything else on stderr.

mod cells;
mod exit;
mod failure;
mod flat;
mod notice;
mod rows;
mod stream;
mod text;

use std::io::{self, ErrorKind, IsTerminal, Write};

use clap::ValueEnum;
use serde::Serialize;

pub(crate) use exit::Exit;
pub(crate) use failure::Failure;
pub(crate) use notice::notice;
pub(crate) use rows::{Row, Table};
pub(crate) use stream::Stream;
pub(crate) use text::{ago, bytes, clean, duration, money, plain, short, timestamp};

/// How an answer is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people.
    #[default]
    Table,
    /// One JSON document.
    Json,
    /// One JSON document a line.
    Ndjson,
    /// Comma-separated values, nested fields as `a.b`.
    Csv,
}

/// From which level on to log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogLevel {
    /// Nothing.
    Off,
    /// What failed.
    Error,
    /// And what was odd.
    Warn,
    /// And what happened.
    Info,
    /// And how.
    Debug,
    /// And every step.
    Trace,
}

impl LogLevel {
    /// Returns the directive of the log filter.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}

/// Where an answer goes, and how.
pub(crate) struct Output<'a> {
    writer: &'a mut dyn Write,
    format: Format,
    /// How wide the terminal is; `None` when it is none.
    width: Option<u16>,
    color: bool,
    closed: bool,
}

impl<'a> Output<'a> {
    /// Prints to `writer`, which is no terminal.
    pub(crate) fn new(writer: &'a mut dyn Write, format: Format) -> Self {
        Self { writer, format, width: None, color: false, closed: false }
    }

    /// Prints to stdout, as wide and as coloured as it can be.
    pub(crate) fn stdout(writer: &'a mut dyn Write, format: Format) -> Self {
        let terminal = io::stdout().is_terminal();
        let width = if terminal { comfy_table::Table::new().width().filter(|width| *width > 0) } else { None };
        Self { width, color: terminal && colors_allowed(), ..Self::new(writer, format) }
    }

    /// Tells whether people read it.
    pub(crate) fn is_table(&self) -> bool {
        self.format == Format::Table
    }

    /// Tells whether the reader has gone away.
    pub(crate) const fn is_closed(&self) -> bool {
        self.closed
    }

    /// Prints text as it is.
    pub(crate) fn text(&mut self, text: &str) -> Result<(), Failure> {
        self.write(text.as_bytes())
    }

    /// Prints one line for people, harmless whatever is in it.
    pub(crate) fn line(&mut self, line: &str) -> Result<(), Failure> {
        let mut line = clean(line);
        line.push('\n');
        self.write(line.as_bytes())
    }

    /// Prints names with their values below each other.
    pub(crate) fn pairs(&mut self, pairs: &[(&str, String)]) -> Result<(), Failure> {
        let text = rows::pairs(pairs, self.width, self.color);
        self.write(text.as_bytes())
    }

    /// Prints a table for people.
    pub(crate) fn table(&mut self, table: &Table) -> Result<(), Failure> {
        let text = table.render(self.width, self.color);
        self.write(text.as_bytes())
    }

    /// Prints rows in the format asked for.
    pub(crate) fn rows(&mut self, table: &Table) -> Result<(), Failure> {
        let text = match self.format {
            Format::Table => table.render(self.width, self.color),
            Format::Json => flat::json_pretty(&table.values().collect::<Vec<_>>())?,
            Format::Ndjson => table.values().map(flat::json_line).collect::<Result<String, Failure>>()?,
            Format::Csv => flat::csv(&table.values().collect::<Vec<_>>())?,
        };
        self.write(text.as_bytes())
    }

    /// Prints one value in a format for machines.
    pub(crate) fn value(&mut self, value: &impl Serialize) -> Result<(), Failure> {
        let value = serde_json::to_value(value).map_err(Failure::unexpected)?;
        let text = match self.format {
            Format::Table | Format::Json => flat::json_pretty(&value)?,
            Format::Ndjson => flat::json_line(&value)?,
            Format::Csv => flat::csv(&[&value])?,
        };
        self.write(text.as_bytes())
    }

    /// Prints rows that arrive one by one.
    pub(crate) fn stream(&mut self) -> Stream<'_, 'a> {
        Stream::new(self)
    }

    /// A reader that has gone away, as `head` does, is no error.
    fn write(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        if self.closed {
            return Ok(());
        }
        match self.writer.write_all(bytes).and_then(|()| self.writer.flush()) {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => {
                self.closed = true;
                Ok(())
            }
            Err(error) => Err(Failure::file_system("cannot write the answer", &error)),
            Ok(()) => Ok(()),
        }
    }
}

/// Tells whether colour is wanted at all: <https://no-color.org>.
pub(crate) fn colors_allowed() -> bool {
    let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    !set("NO_COLOR") && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}
