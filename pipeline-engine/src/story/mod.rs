//! The story of an item, in order: rounds, conditions, tries, waits, calls, costs, files, reviews, and what can be done next.

mod item;
mod outlook;
mod step;

pub use item::{Began, Changed, ItemStory, RoundStory};
pub use outlook::{Action, Ending, Next};
pub use step::{Explained, Step, StepKind};
