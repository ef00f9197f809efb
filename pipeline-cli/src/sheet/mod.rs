//! Contact sheets of a job: what is known of each item on a card, and the pages the cards lie on.

mod card;
mod fresh;
mod html;

pub(crate) use card::Card;
pub(crate) use fresh::FreshFile;
pub(crate) use html::HtmlSheet;
