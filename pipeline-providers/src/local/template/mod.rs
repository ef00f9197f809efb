//! The text model `template`: image prompts, titles, descriptions and tags made from words at hand, free and offline.

mod color_name;
mod colors;
mod metadata;
mod model;
mod prompt;
mod words;

pub use color_name::color_name;
pub use colors::dominant_colors;
pub use model::TemplateText;
