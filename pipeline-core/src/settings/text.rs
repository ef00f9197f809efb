//! Giving a text the type its schema asks for: `4` is a number where a number is meant, and a text where a text is.

use serde_json::Value;

use super::docs::{alternatives, types};

/// Returns the value `text` means under `schema`; the text itself when no other type fits.
pub(crate) fn typed(text: &str, schema: &Value, root: &Value) -> Value {
    let choices = alternatives(schema, root);
    let anything = choices.iter().any(|choice| types(choice).is_empty());
    let allows = |name: &str| choices.iter().any(|choice| types(choice).contains(&name));
    let trimmed = text.trim();
    if allows("boolean") && (trimmed == "true" || trimmed == "false") {
        return Value::Bool(trimmed == "true");
    }
    if allows("integer") || allows("number") {
        if let Ok(number) = trimmed.parse::<i64>() {
            return number.into();
        }
        if let Ok(number) = trimmed.parse::<u64>() {
            return number.into();
        }
    }
    if allows("number")
        && let Some(number) = trimmed.parse::<f64>().ok().and_then(serde_json::Number::from_f64)
    {
        return Value::Number(number);
    }
    if allows("null") && (trimmed == "none" || trimmed == "null") {
        return Value::Null;
    }
    let json = (allows("array") && trimmed.starts_with('[')) || (allows("object") && trimmed.starts_with('{'));
    if (json || anything)
        && let Ok(value) = serde_json::from_str(trimmed)
    {
        return value;
    }
    if allows("array") && !allows("string") {
        let items = choices.iter().find_map(|choice| choice.get("items")).cloned().unwrap_or(Value::Bool(true));
        // Nothing between two commas is no text; where numbers are meant, one was forgotten.
        let kinds = alternatives(&items, root);
        let numbers = !kinds.iter().any(|kind| types(kind).is_empty() || types(kind).contains(&"string"));
        let forgotten = numbers && !trimmed.is_empty();
        let parts = trimmed.split(',').map(str::trim).filter(|part| forgotten || !part.is_empty());
        return Value::Array(parts.map(|part| typed(part, &items, root)).collect());
    }
    Value::String(text.to_owned())
}
