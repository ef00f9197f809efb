//! Words taken out of a text: the telling ones, in order, each once.

use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::is_combining_mark;

/// Words that tell nothing about a picture.
const STOP: &[&str] = &[
    "a",
    "an",
    "and",
    "are",
    "as",
    "at",
    "be",
    "by",
    "for",
    "from",
    "has",
    "have",
    "in",
    "into",
    "is",
    "it",
    "its",
    "of",
    "off",
    "on",
    "onto",
    "or",
    "over",
    "so",
    "some",
    "than",
    "that",
    "the",
    "their",
    "then",
    "there",
    "these",
    "this",
    "those",
    "through",
    "to",
    "under",
    "up",
    "very",
    "was",
    "were",
    "which",
    "while",
    "with",
    "without",
    "image",
    "picture",
    "photo",
    "photograph",
    "style",
    "render",
    "rendered",
    "quality",
    "high",
    "detailed",
    "show",
    "shows",
    "showing",
    "please",
    "create",
    "make",
    "generate",
    "prompt",
    "no",
    "not",
    "any",
    "your",
    "my",
    "our",
];

/// The longest word that is taken, in characters; longer ones are not words.
const LONGEST: usize = 24;

/// Returns the telling words of a text, lower-case, each once, in order.
pub(super) fn telling(text: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let composed: String = text.nfc().collect();
    for word in composed.split(|c: char| !(c.is_alphanumeric() || is_combining_mark(c) || c == '\'')) {
        let word = word.trim_matches('\'').to_lowercase();
        let letters = word.chars().count();
        let known = STOP.contains(&word.as_str()) || found.contains(&word);
        if (2..=LONGEST).contains(&letters) && !known && word.chars().any(char::is_alphabetic) {
            found.push(word);
        }
    }
    found
}

/// Begins a text with a capital letter.
pub(super) fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

/// Joins names as a person does: `teal, navy and gold`.
pub(super) fn list(names: &[String]) -> String {
    match names {
        [] => String::new(),
        [one] => one.clone(),
        [rest @ .., last] => format!("{} and {last}", rest.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stop_words_and_repeats_are_left_out() {
        assert_eq!(telling("The Fox and the fox's den, in a FOREST"), ["fox", "fox's", "den", "forest"]);
        assert_eq!(telling("Übermut à Zürich 42"), ["übermut", "zürich"]);
        assert_eq!(telling("Zu\u{308}rich हिन्दी ภูเขาที่"), ["zürich", "हिन्दी", "ภูเขาที่"]);
        assert!(telling(&"x".repeat(500)).is_empty());
    }

    #[test]
    fn names_are_joined_as_a_person_does() {
        let names = ["teal", "navy", "gold"].map(str::to_owned);
        assert_eq!(list(&names), "teal, navy and gold");
        assert_eq!(list(&names[..1]), "teal");
        assert_eq!(capital("éclair"), "Éclair");
    }
}
