//! The query language: which items, in a line that people type, for example `state:rejected stage:qc sharpness<100 "red car"`.
//!
//! Terms stand side by side, and all of them must hold; `-` before one turns it round. A term is
//!
//! | term | holds for items |
//! |---|---|
//! | `state:failed,rejected` | in one of these states |
//! | `stage:qc` | whose walk this stage has ended |
//! | `code:timeout` | whose walk a failure or a reason with this code has ended |
//! | `round:2`, `round>1` | in such a round |
//! | `id:0198…` | whose id begins so |
//! | `name:*cat*` | whose name is such; `*` stands for any text, and case does not matter |
//! | `cost>=0.05` | that have cost so much, in dollars |
//! | `tag:cat` | with this tag |
//! | `sharpness<100`, `qc.sharpness<100` | for which a stage, or this stage, has recorded such a value, last in their newest round |
//! | `keyword:heron` | whose input has such a value |
//! | `"red car"` | with this text in their name, their input or what was recorded for them |
//!
//! Numbers compare with `<`, `<=`, `>`, `>=`, `=` and `!=`, texts with `:` (equal, with `*` for any text; one of a list where
//! the value is a list), `=` and `!=`. What an item does not have makes no term hold.

mod matching;
mod parse;
mod term;

pub use matching::Candidate;
pub use parse::QueryError;
pub use term::{Comparison, Field, Operand, Query, Term, Test};
