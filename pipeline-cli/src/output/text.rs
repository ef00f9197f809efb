//! Values as people read them.

use std::fmt::Write;
use std::time::Duration;

use serde_json::Value;

use pipeline_core::model::Money;
use pipeline_core::time::Timestamp;

/// Makes text harmless for a terminal: control characters, escapes and marks that turn the reading direction become
/// visible. Line breaks become ` ⏎ `, so that a line stays one.
pub(crate) fn clean(text: &str) -> String {
    let mut cleaned = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\n' => cleaned.push_str(" ⏎ "),
            '\t' => cleaned.push(' '),
            '\r' => {}
            '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}' => {
                let _ = write!(cleaned, "\\u{{{:x}}}", u32::from(character));
            }
            character if character.is_control() => {
                let _ = write!(cleaned, "\\u{{{:x}}}", u32::from(character));
            }
            character => cleaned.push(character),
        }
    }
    cleaned
}

/// Shortens text to so many characters.
pub(crate) fn short(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let head: String = text.chars().take(most.saturating_sub(1)).collect();
    format!("{}…", head.trim_end())
}

/// Prints `850 ms`, `2.4 s`, `3 min 20 s`, `1 h 05 min`.
pub(crate) fn duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0 => format!("{} ms", duration.as_millis()),
        1..10 => format!("{:.1} s", duration.as_secs_f64()),
        10..60 => format!("{seconds} s"),
        60..3600 => format!("{} min {:02} s", seconds / 60, seconds % 60),
        3600..86_400 => format!("{} h {:02} min", seconds / 3600, seconds % 3600 / 60),
        _ => format!("{} d {} h", seconds / 86_400, seconds % 86_400 / 3600),
    }
}

/// Prints how long ago something was.
pub(crate) fn ago(then: Timestamp, now: Timestamp) -> String {
    let seconds = now.since(then).as_secs();
    match seconds {
        0..5 => "just now".to_owned(),
        5..60 => format!("{seconds} s ago"),
        60..3600 => format!("{} min ago", seconds / 60),
        3600..86_400 => format!("{} h ago", seconds / 3600),
        _ => format!("{} d ago", seconds / 86_400),
    }
}

/// Prints a point in time to the second, in UTC.
pub(crate) fn timestamp(time: Timestamp) -> String {
    Timestamp::from_micros(time.as_micros().div_euclid(1_000_000) * 1_000_000).to_string()
}

/// Prints money; nothing is `free`.
pub(crate) fn money(money: Money) -> String {
    if money == Money::ZERO { "free".to_owned() } else { money.to_string() }
}

/// Prints a size in bytes.
pub(crate) fn bytes(size: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KB", "MB", "GB", "TB"];
    let mut value = size as f64;
    let mut unit = 0;
    while value >= 1000.0 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    let name = UNITS.get(unit).copied().unwrap_or_default();
    if unit == 0 || value >= 100.0 { format!("{value:.0} {name}") } else { format!("{value:.1} {name}") }
}

/// Prints a JSON value for people: text without quotes, lists with commas.
pub(crate) fn plain(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(items) if items.iter().all(|item| !item.is_array() && !item.is_object()) => {
            items.iter().map(plain).collect::<Vec<_>>().join(", ")
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn escapes_and_direction_marks_become_visible() {
        assert_eq!(clean("a\u{1b}[31mb\u{7}\u{9b}c\u{202e}d"), "a\\u{1b}[31mb\\u{7}\\u{9b}c\\u{202e}d");
        assert_eq!(clean("two\nlines\tand a tab\r"), "two ⏎ lines and a tab");
        assert_eq!(clean("日本語 é 🦀"), "日本語 é 🦀");
    }

    #[test]
    fn durations_and_sizes_are_short() {
        assert_eq!(duration(Duration::from_millis(850)), "850 ms");
        assert_eq!(duration(Duration::from_millis(2_400)), "2.4 s");
        assert_eq!(duration(Duration::from_secs(200)), "3 min 20 s");
        assert_eq!(duration(Duration::from_secs(3_900)), "1 h 05 min");
        assert_eq!(duration(Duration::from_secs(90_000)), "1 d 1 h");
        assert_eq!(bytes(999), "999 B");
        assert_eq!(bytes(1_500), "1.5 KB");
        assert_eq!(bytes(123_456_789), "123 MB");
    }

    #[test]
    fn values_print_without_quotes() {
        assert_eq!(plain(&json!(["a", 1])), "a, 1");
        assert_eq!(plain(&json!({"a": [1]})), "{\"a\":[1]}");
        assert_eq!(plain(&Value::Null), "-");
    }

    #[test]
    fn long_text_ends_with_an_ellipsis() {
        assert_eq!(short("abcdef", 4), "abc…");
        assert_eq!(short("abcd", 4), "abcd");
    }
}
