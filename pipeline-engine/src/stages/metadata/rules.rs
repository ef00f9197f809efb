//! What a title, a description and tags must be.

use std::collections::HashSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::MetadataSettings;

/// What happens when an answer breaks a rule.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnBreach {
    /// The model is told and asked once more; the item fails when that answer breaks a rule as well.
    #[default]
    AskAgain,
    /// The item fails.
    Fail,
    /// The answer is taken, and the field `breaches` says what is wrong with it.
    Accept,
}

/// An answer, without white space around its texts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) title: String,
    pub(super) description: String,
    pub(super) tags: Vec<String>,
}

impl Answer {
    /// Reads the model's answer; a part that is not there, or not what it should be, is empty.
    pub(super) fn read(answer: &Value) -> Self {
        let text = |key: &str| answer.get(key).and_then(Value::as_str).map(tidy).unwrap_or_default();
        let tags = answer.get("tags").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
        let tags = tags.map(tidy).filter(|tag| !tag.is_empty()).collect();
        Self { title: text("title"), description: text("description"), tags }
    }

    /// Names the first part that is not there.
    pub(super) fn missing(&self) -> Option<&'static str> {
        let parts = [
            ("title", self.title.is_empty()),
            ("description", self.description.is_empty()),
            ("tags", self.tags.is_empty()),
        ];
        parts.into_iter().find(|(_, empty)| *empty).map(|(part, _)| part)
    }
}

/// A text without white space around it and with single spaces in it.
fn tidy(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

impl MetadataSettings {
    /// Says in words what is asked for.
    pub(super) fn instructions(&self) -> String {
        let mut rules = vec![
            format!("a title{}", range("words", self.min_title_words, self.max_title_words)),
            format!("a description{}", range("characters", self.min_description, self.max_description)),
            format!("exactly {} tags", self.tags),
        ];
        if self.unique_tags {
            rules.push("no tag twice, whatever its case".to_owned());
        }
        rules.extend(self.max_tag_bytes.map(|most| format!("no tag longer than {most} bytes in UTF-8")));
        rules.extend(self.max_title_bytes.map(|most| format!("the title no longer than {most} bytes in UTF-8")));
        format!("Write for a picture: {}.", rules.join("; "))
    }

    /// Says in words what is wrong with an answer, and asks for another.
    pub(super) fn again(&self, answer: &Answer, breaches: &[String]) -> String {
        let before = json!({"title": answer.title, "description": answer.description, "tags": answer.tags});
        let rules = self.instructions();
        format!(
            "{rules}\nYour last answer was {before}. It breaks these rules: {}. Write all three anew.",
            breaches.join("; ")
        )
    }

    /// Returns the rules as facts, for a model that follows no instructions.
    pub(super) fn facts(&self) -> Map<String, Value> {
        Map::from_iter([
            ("tags".to_owned(), json!(self.tags)),
            ("title_words".to_owned(), json!([self.min_title_words, self.max_title_words])),
            ("title_bytes".to_owned(), json!(self.max_title_bytes)),
            ("description_characters".to_owned(), json!([self.min_description, self.max_description])),
            ("tag_bytes".to_owned(), json!(self.max_tag_bytes)),
        ])
    }

    /// Returns every rule an answer breaks, with what was found and what is accepted.
    pub(super) fn breaches(&self, answer: &Answer) -> Vec<String> {
        if let Some(part) = answer.missing() {
            return vec![format!("`{part}` is missing")];
        }
        let mut breaches = Vec::new();
        let mut within = |what: &str, unit: &str, found: usize, min: Option<u32>, max: Option<u32>| {
            let below = min.is_some_and(|min| found < min as usize);
            if below || max.is_some_and(|max| found > max as usize) {
                breaches.push(format!("{what} has {found} {unit}; accepted{}", range("", min, max)));
            }
        };
        let words = answer.title.split_whitespace().count();
        within("the title", "words", words, self.min_title_words, self.max_title_words);
        within("the title", "bytes", answer.title.len(), None, self.max_title_bytes);
        let characters = answer.description.chars().count();
        within("the description", "characters", characters, self.min_description, self.max_description);
        // Tags are named by their place: a breach goes into logs, which hold no texts.
        for (place, tag) in (1..).zip(&answer.tags) {
            within(&format!("tag {place}"), "bytes", tag.len(), None, self.max_tag_bytes);
        }
        if answer.tags.len() != self.tags as usize {
            breaches.push(format!("there are {} tags; accepted exactly {}", answer.tags.len(), self.tags));
        }
        if self.unique_tags {
            breaches.extend(repeated(&answer.tags).map(|place| format!("tag {place} was there before; accepted once")));
        }
        breaches
    }

    /// Returns bounds that no answer can keep, as `(key, message)`.
    pub(super) fn contradictions(&self) -> Vec<(String, String)> {
        let mut problems = Vec::new();
        let mut ordered = |key: &str, min: Option<u32>, other: &str, max: Option<u32>| {
            if let (Some(min), Some(max)) = (min, max)
                && min > max
            {
                problems.push((key.to_owned(), format!("{min} is above `{other}` ({max}); expected at most that")));
            }
        };
        ordered("min_title_words", self.min_title_words, "max_title_words", self.max_title_words);
        ordered("min_description", self.min_description, "max_description", self.max_description);
        problems
    }
}

/// The places, from 1, of tags that were there before, in another case or not.
fn repeated(tags: &[String]) -> impl Iterator<Item = usize> {
    let mut known = HashSet::new();
    (1..).zip(tags).filter(move |(_, tag)| !known.insert(tag.to_lowercase())).map(|(place, _)| place)
}

/// ` of 8 to 12 words`, ` of at most 12 words`, ` of at least 8 words`; nothing without bounds.
fn range(unit: &str, min: Option<u32>, max: Option<u32>) -> String {
    let bounds = match (min, max) {
        (Some(min), Some(max)) => format!(" {min} to {max}"),
        (Some(min), None) => format!(" at least {min}"),
        (None, Some(max)) => format!(" at most {max}"),
        (None, None) => return String::new(),
    };
    if unit.is_empty() { bounds } else { format!(" of{bounds} {unit}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good() -> Answer {
        Answer {
            title: "A red fox asleep under birches at dawn".to_owned(),
            description: "x".repeat(200),
            tags: (0..15).map(|n| format!("tag {n}")).collect(),
        }
    }

    fn breaches(change: impl FnOnce(&mut Answer)) -> Vec<String> {
        let mut answer = good();
        change(&mut answer);
        MetadataSettings::default().breaches(&answer)
    }

    #[test]
    fn an_answer_within_every_bound_breaks_no_rule() {
        assert_eq!(breaches(|_| {}), Vec::<String>::new());
        for words in [8, 12] {
            assert!(breaches(|answer| answer.title = vec!["word"; words].join(" ")).is_empty(), "{words}");
        }
        for characters in [150, 250] {
            assert!(breaches(|answer| answer.description = "é".repeat(characters)).is_empty(), "{characters}");
        }
        assert!(breaches(|answer| answer.tags[3] = "é".repeat(32)).is_empty());
    }

    #[test]
    fn each_rule_says_what_was_found_and_what_is_accepted() {
        type Change = Box<dyn FnOnce(&mut Answer)>;
        let cases: [(Change, &str); 8] = [
            (
                Box::new(|a| a.title = "seven words are one too few here".to_owned()),
                "the title has 7 words; accepted 8 to 12",
            ),
            (Box::new(|a| a.title = vec!["w"; 13].join(" ")), "the title has 13 words; accepted 8 to 12"),
            (Box::new(|a| a.description = "é".repeat(149)), "the description has 149 characters; accepted 150 to 250"),
            (Box::new(|a| a.description = "é".repeat(251)), "the description has 251 characters; accepted 150 to 250"),
            (Box::new(|a| a.tags[2] = "é".repeat(33)), "tag 3 has 66 bytes; accepted at most 64"),
            (Box::new(|a| drop(a.tags.pop())), "there are 14 tags; accepted exactly 15"),
            (Box::new(|a| a.tags.push("one more".to_owned())), "there are 16 tags; accepted exactly 15"),
            (Box::new(|a| a.tags[7] = "TAG 3".to_owned()), "tag 8 was there before; accepted once"),
        ];
        for (change, expected) in cases {
            let found = breaches(change);
            assert_eq!(found.len(), 1, "{found:?}");
            assert!(found[0].ends_with(expected), "{found:?}");
        }
    }

    #[test]
    fn rules_that_are_off_are_not_checked_and_not_asked_for() {
        let none = MetadataSettings {
            min_title_words: None,
            max_title_words: None,
            min_description: None,
            max_description: None,
            max_tag_bytes: None,
            unique_tags: false,
            tags: 2,
            ..MetadataSettings::default()
        };
        let answer = Answer { title: "x".into(), description: "y".into(), tags: vec!["z".repeat(100); 2] };
        assert_eq!(none.breaches(&answer), Vec::<String>::new());
        assert_eq!(none.instructions(), "Write for a picture: a title; a description; exactly 2 tags.");
        let asked = MetadataSettings { max_description: None, ..MetadataSettings::default() }.instructions();
        assert!(asked.contains("a title of 8 to 12 words; a description of at least 150 characters"), "{asked}");
    }

    #[test]
    fn white_space_is_tidied_before_anything_is_counted() {
        let read = Answer::read(&json!({"title": " a \n b ", "description": "c\t", "tags": [" d  e ", " ", 5]}));
        assert_eq!(read, Answer { title: "a b".into(), description: "c".into(), tags: vec!["d e".into()] });
        assert_eq!(read.missing(), None);
        for (answer, part) in [
            (json!({"description": "b", "tags": ["c"]}), "title"),
            (json!({"title": "a", "description": " ", "tags": ["c"]}), "description"),
            (json!({"title": "a", "description": "b", "tags": [" "]}), "tags"),
            (json!("no object"), "title"),
        ] {
            let answer = Answer::read(&answer);
            assert_eq!(MetadataSettings::default().breaches(&answer), [format!("`{part}` is missing")]);
        }
    }

    #[test]
    fn bounds_the_wrong_way_round_are_problems() {
        let settings = MetadataSettings { min_title_words: Some(13), min_description: Some(251), ..Default::default() };
        let keys: Vec<String> = settings.contradictions().into_iter().map(|(key, _)| key).collect();
        assert_eq!(keys, ["min_title_words", "min_description"]);
    }
}
