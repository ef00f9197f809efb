//! Statements over many rows of bound values, in few lengths, so that each is prepared once.

use std::sync::OnceLock;

use sqlx::SqliteConnection;
use sqlx::query::Query;
use sqlx::sqlite::SqliteArguments;

use super::fault::Work;

/// The lengths; a batch is cut into the longest ones that fit.
const LENGTHS: [usize; 4] = [64, 16, 4, 1];

/// A statement with `VALUES (?, …), …` in its middle.
#[derive(Debug)]
pub(super) struct Bulk {
    before: &'static str,
    columns: usize,
    after: &'static str,
    texts: [OnceLock<String>; LENGTHS.len()],
}

/// A statement whose values are being bound.
pub(super) type Bound = Query<'static, sqlx::Sqlite, SqliteArguments>;

impl Bulk {
    /// A statement over rows of so many values.
    pub(super) const fn new(before: &'static str, columns: usize, after: &'static str) -> Self {
        Self { before, columns, after, texts: [const { OnceLock::new() }; LENGTHS.len()] }
    }

    /// Returns the statement over one row.
    #[cfg(test)]
    pub(super) fn single(&'static self) -> &'static str {
        self.text(LENGTHS.len() - 1)
    }

    fn text(&'static self, length: usize) -> &'static str {
        let (Some(text), Some(rows)) = (self.texts.get(length), LENGTHS.get(length)) else { return "" };
        text.get_or_init(|| {
            let row = format!("({})", vec!["?"; self.columns].join(", "));
            format!("{} VALUES {} {}", self.before, vec![row.as_str(); *rows].join(", "), self.after)
        })
    }

    /// Runs the statement over rows. `row` binds the values of one, `rest` those that stand after the rows. Returns how
    /// many rows it changed.
    pub(super) async fn run<T>(
        &'static self,
        connection: &mut SqliteConnection,
        rows: &[T],
        row: impl Fn(Bound, &T) -> Work<Bound>,
        rest: impl Fn(Bound) -> Bound,
    ) -> Work<u64> {
        let mut changed = 0;
        let mut left = rows;
        while !left.is_empty() {
            let place = LENGTHS.iter().position(|length| *length <= left.len()).unwrap_or(LENGTHS.len() - 1);
            let (some, others) = left.split_at(LENGTHS.get(place).copied().unwrap_or(1));
            let mut query = sqlx::query(self.text(place));
            for values in some {
                query = row(query, values)?;
            }
            changed += rest(query).execute(&mut *connection).await?.rows_affected();
            left = others;
        }
        Ok(changed)
    }
}
