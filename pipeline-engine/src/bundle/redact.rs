//! Texts of people replaced by hashes.

use serde_json::{Map, Value};
use uuid::Uuid;

use pipeline_core::id::Digest;
use pipeline_core::model::FailureCode;

/// Fields whose texts are words of this program, names of its parts, or ids.
const OURS: &[&str] = &[
    "answer",
    "arch",
    "backend",
    "began",
    "capability",
    "check",
    "code",
    "control",
    "decision",
    "digest",
    "engine",
    "event",
    "for",
    "hash",
    "is",
    "kind",
    "media_type",
    "on_failure",
    "os",
    "outcome",
    "pipeline",
    "plan_hash",
    "provider",
    "request",
    "retry",
    "role",
    "scope",
    "section",
    "setting",
    "settings_hash",
    "stage",
    "state",
    "status",
    "stop",
    "verdict",
    "version",
    "why",
];

/// Fields of which the beginning is the program's and the rest may be anybody's.
const MESSAGES: &[&str] = &["message", "detail", "not_applied", "disabled_because"];

/// Fields that hold what a check has said, which may be a model's own words.
const SAID: &[&str] = &["reason", "reasons"];

/// Fields whose own fields may have names that people gave, for example the columns of a table.
const OPEN: &[&str] = &["input", "fields", "saw", "response"];

/// Names that the stages of this program give to what they make.
const KNOWN: &[&str] = &[
    "aspect",
    "aspect_error",
    "blank",
    "blockiness",
    "brightness",
    "brisque",
    "clipped_highlights",
    "clipped_shadows",
    "clipping",
    "colorfulness",
    "colors",
    "contrast",
    "description",
    "duplicate_of",
    "entropy",
    "file",
    "format",
    "height",
    "image",
    "keyword",
    "letterbox",
    "measures",
    "media_type",
    "megapixels",
    "name",
    "negative_prompt",
    "noise",
    "path",
    "paths",
    "prompt",
    "score",
    "seed",
    "sharpness",
    "size",
    "style",
    "tags",
    "title",
    "width",
];

/// Tells whether this is a failure that somebody has decided: its message begins with who that was.
fn is_decided(fields: &Map<String, Value>) -> bool {
    fields.get("code").and_then(Value::as_str) == Some(FailureCode::OutcomeUnknown.as_str())
}

/// Replaces texts of people, unless they are to be kept.
#[derive(Debug)]
pub(super) struct Redactor {
    salt: Uuid,
    keep: bool,
}

impl Redactor {
    pub(super) fn new(salt: Uuid, keep: bool) -> Self {
        Self { salt, keep }
    }

    /// Returns the hash that stands for a text.
    pub(super) fn text(&self, text: &str) -> String {
        if self.keep || text.is_empty() {
            return text.to_owned();
        }
        let salted = [self.salt.as_bytes().as_slice(), text.as_bytes()].concat();
        let hash: String = Digest::of(&salted).to_hex().chars().take(12).collect();
        format!("text:{hash}")
    }

    /// Keeps the beginning of a message, which is the program's, and replaces what follows: facts, causes, quotations.
    pub(super) fn message(&self, message: &str) -> String {
        let end = message.find(|letter: char| !letter.is_ascii_lowercase() && !" ,-".contains(letter));
        match end {
            Some(end) if !self.keep => {
                let (head, rest) = message.split_at(end);
                format!("{} {}", head.trim_end(), self.text(rest)).trim_start().to_owned()
            }
            _ => message.to_owned(),
        }
    }

    /// Replaces the quoted texts of an expression.
    pub(super) fn expression(&self, source: &str) -> String {
        let mut told = String::new();
        let mut rest = source;
        while let Some(start) = rest.find(['"', '\'']) {
            let (head, tail) = rest.split_at(start);
            told.push_str(head);
            let quote = tail.chars().next().unwrap_or('"');
            let inside = tail.get(1..).unwrap_or_default();
            let Some(end) = inside.find(quote).filter(|_| !inside.contains('\\')) else {
                // What cannot be read for sure is replaced to its end.
                told.push_str(&self.text(tail));
                return told;
            };
            let (text, after) = inside.split_at(end);
            told.push(quote);
            told.push_str(&self.text(text));
            told.push(quote);
            rest = after.get(1..).unwrap_or_default();
        }
        told.push_str(rest);
        told
    }

    /// Replaces the texts within a value.
    pub(super) fn value(&self, value: &Value) -> Value {
        if self.keep { value.clone() } else { self.within("", value) }
    }

    fn within(&self, field: &str, value: &Value) -> Value {
        match value {
            Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
            Value::String(text) => Value::String(self.string(field, text)),
            Value::Array(values) => values.iter().map(|value| self.within(field, value)).collect(),
            Value::Object(fields) if OPEN.contains(&field) => Value::Object(self.open(fields)),
            Value::Object(fields) if SAID.contains(&field) || is_decided(fields) => {
                Value::Object(fields.iter().map(|(key, value)| (key.clone(), self.said(key, value))).collect())
            }
            Value::Object(fields) => {
                Value::Object(fields.iter().map(|(key, value)| (key.clone(), self.within(key, value))).collect())
            }
        }
    }

    /// What a person or a model has said: only the code of it is the program's.
    fn said(&self, field: &str, value: &Value) -> Value {
        match value {
            Value::String(text) if field != "code" => Value::String(self.text(text)),
            _ => self.within(field, value),
        }
    }

    /// Fields with names that people may have given: such a name is replaced, and all that stands under it.
    fn open(&self, fields: &Map<String, Value>) -> Map<String, Value> {
        let one = |(key, value): (&String, &Value)| {
            let known = key.split('.').all(|part| KNOWN.contains(&part) || part == "item" || part == "qc");
            if known {
                (key.clone(), self.within("", value))
            } else {
                (self.text(key), Value::String(self.text(&value.to_string())))
            }
        };
        fields.iter().map(one).collect()
    }

    fn string(&self, field: &str, text: &str) -> String {
        let number = text.bytes().next().is_some_and(|byte| byte.is_ascii_digit());
        let time = number && (field == "at" || field.ends_with("_at")) && text.len() <= 40;
        let digest = text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        if OURS.contains(&field) || text.len() == 36 && Uuid::try_parse(text).is_ok() || time || digest {
            text.to_owned()
        } else if MESSAGES.contains(&field) {
            self.message(text)
        } else if field == "when" || field == "condition" {
            self.expression(text)
        } else {
            self.text(text)
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn redactor() -> Redactor {
        Redactor::new(Uuid::nil(), false)
    }

    #[test]
    fn texts_of_people_are_replaced_by_the_same_hash_everywhere() {
        let told = redactor().value(&json!({
            "status": "failed", "label": "acme", "name": "acme", "count": 3, "created_at": "2026-11-23T05:27:00Z",
            "input": {"keyword": "acme", "Column of acme": 77_123_456},
        }));
        let hash = redactor().text("acme");
        assert_eq!(
            (&told["label"], &told["name"], &told["input"]["keyword"]),
            (&json!(hash), &json!(hash), &json!(hash))
        );
        assert_eq!((&told["status"], &told["count"]), (&json!("failed"), &json!(3)));
        assert_eq!(told["created_at"], json!("2026-11-23T05:27:00Z"));
        let text = told.to_string();
        assert!(!text.contains("acme") && !text.contains("77123456"), "{text}");
        assert_ne!(Redactor::new(Uuid::from_u128(1), false).text("acme"), hash, "another archive has another salt");
    }

    #[test]
    fn of_a_message_the_beginning_stays_and_of_an_expression_all_but_the_quotations() {
        let told = redactor().message("the provider refused the call (prompt=red fox): no foxes");
        assert!(told.starts_with("the provider refused the call text:") && !told.contains("fox"), "{told}");
        assert_eq!(redactor().message("the worker was stopped"), "the worker was stopped");
        let told = redactor().expression("qc.score > 0.5 && item.keyword != \"fox\" && a == 'x'");
        assert!(told.starts_with("qc.score > 0.5 && item.keyword != \"text:") && !told.contains("fox"), "{told}");
        assert!(!redactor().expression(r#"a == "fo\"x" && b"#).contains("fo"));
    }

    #[test]
    fn what_a_model_or_a_person_has_said_is_replaced_whole() {
        let told = redactor().value(&json!({
            "verdict": {"verdict": "fail", "reasons": [{"code": "off_topic", "message": "the picture shows a fox"}]},
            "failure": {"code": "outcome_unknown", "retry": "permanent", "message": "ann has given the call up: lost"},
        }));
        let text = told.to_string();
        assert!(!text.contains("fox") && !text.contains("ann "), "{text}");
        assert!(text.contains("off_topic") && text.contains("outcome_unknown"), "{text}");
    }

    #[test]
    fn with_content_everything_stays() {
        let value = json!({"label": "acme", "message": "it's (a=b)"});
        assert_eq!(Redactor::new(Uuid::nil(), true).value(&value), value);
    }
}
