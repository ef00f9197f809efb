//! Values for machines: JSON that no terminal interprets, and CSV with nested fields as `a.b`.

use std::fmt::Write;

use serde::Serialize;
use serde_json::Value;

use super::failure::Failure;

/// Writes a document over several lines.
pub(crate) fn json_pretty(value: &impl Serialize) -> Result<String, Failure> {
    let mut text = serde_json::to_string_pretty(value).map_err(Failure::unexpected)?;
    text.push('\n');
    Ok(harmless(&text))
}

/// Writes a document in one line.
pub(crate) fn json_line(value: &Value) -> Result<String, Failure> {
    let mut text = serde_json::to_string(value).map_err(Failure::unexpected)?;
    text.push('\n');
    Ok(harmless(&text))
}

/// JSON escapes control characters below U+0020 only; DEL and C1 can stand nowhere but inside a string.
fn harmless(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        if ('\u{7f}'..='\u{9f}').contains(&character) {
            let _ = write!(escaped, "\\u{:04x}", u32::from(character));
        } else {
            escaped.push(character);
        }
    }
    escaped
}

/// Writes objects as CSV; the columns are those of all of them, in the order they first appear.
pub(crate) fn csv(values: &[&Value]) -> Result<String, Failure> {
    let rows: Vec<Vec<(String, String)>> = values.iter().map(|value| flatten(value)).collect();
    let mut columns: Vec<&str> = Vec::new();
    for (name, _) in rows.iter().flatten() {
        if !columns.contains(&name.as_str()) {
            columns.push(name);
        }
    }
    let mut text = String::new();
    if !columns.is_empty() {
        text.push_str(&csv_record(&columns)?);
    }
    for row in &rows {
        let cells = columns.iter().map(|column| {
            row.iter().find(|(name, _)| name == column).map(|(_, value)| value.as_str()).unwrap_or_default()
        });
        text.push_str(&csv_record(&cells.collect::<Vec<_>>())?);
    }
    Ok(text)
}

/// Writes one record.
pub(crate) fn csv_record<S: AsRef<[u8]>>(cells: &[S]) -> Result<String, Failure> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(cells).map_err(Failure::unexpected)?;
    let bytes = writer.into_inner().map_err(Failure::unexpected)?;
    String::from_utf8(bytes).map_err(Failure::unexpected)
}

/// Returns every leaf of an object with its dotted name; lists stay JSON.
fn flatten(value: &Value) -> Vec<(String, String)> {
    fn walk(prefix: &str, value: &Value, into: &mut Vec<(String, String)>) {
        match value {
            Value::Object(fields) if !fields.is_empty() => {
                for (key, value) in fields {
                    let name = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
                    walk(&name, value, into);
                }
            }
            Value::Null => into.push((prefix.to_owned(), String::new())),
            Value::String(text) => into.push((prefix.to_owned(), text.clone())),
            other => into.push((prefix.to_owned(), other.to_string())),
        }
    }
    let mut leaves = Vec::new();
    walk(if value.is_object() { "" } else { "value" }, value, &mut leaves);
    leaves
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn csv_has_dotted_columns_of_all_rows_and_quotes() {
        let (first, second) = (json!({"id": 1, "counts": {"planned": 2}}), json!({"id": "a,b", "files": ["x"]}));
        assert_eq!(csv(&[&first, &second]).unwrap(), "id,counts.planned,files\n1,2,\n\"a,b\",,\"[\"\"x\"\"]\"\n");
        assert_eq!(csv(&[]).unwrap(), "");
    }

    #[test]
    fn json_has_no_character_a_terminal_interprets() {
        let text = json_line(&json!({"label": "a\u{1b}[31m\u{9b}2J\u{7f}"})).unwrap();
        assert!(!text.trim_end().chars().any(char::is_control), "{text:?}");
        let back: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(back["label"], "a\u{1b}[31m\u{9b}2J\u{7f}");
    }
}
