//! Statements over many rows of bound values, in few lengths, so that each is prepared once.

use std::sync::OnceLock;

use sqlx::SqliteConnection;
use sqlx::query::Query;
use sqlx::sqlite::SqliteArguments;

use super::fault::Work;

/// The lengths. A batch is cut into the longest; what is left takes the shortest that holds it, filled up with rows of
/// NULL: a statement costs a switch between threads, a row that says nothing next to nothing.
const LENGTHS: [usize; 8] = [1, 2, 4, 8, 16, 32, 64, 128];

/// A statement with `VALUES (?, …), …` in its middle, which does nothing for a row whose first value is NULL.
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

    /// Inserts rows of so many values; `into` is `INSERT INTO … (…) SELECT * FROM (`.
    pub(super) const fn insert(into: &'static str, columns: usize) -> Self {
        Self::new(into, columns, ") WHERE column1 IS NOT NULL")
    }

    /// Returns the statement in each of its lengths: SQLite does not run all of them in the same way.
    #[cfg(test)]
    pub(super) fn texts(&'static self) -> impl Iterator<Item = &'static str> {
        (0..LENGTHS.len()).map(|length| self.text(length))
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
            let place = LENGTHS.iter().position(|length| *length >= left.len()).unwrap_or(LENGTHS.len() - 1);
            let length = LENGTHS.get(place).copied().unwrap_or(1);
            let (some, others) = left.split_at(length.min(left.len()));
            let mut query = sqlx::query(self.text(place));
            for values in some {
                query = row(query, values)?;
            }
            for _ in 0..(length - some.len()) * self.columns {
                query = query.bind(None::<i64>);
            }
            changed += rest(query).execute(&mut *connection).await?.rows_affected();
            left = others;
        }
        Ok(changed)
    }
}
