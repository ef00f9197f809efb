//! A sample value made from a JSON Schema, to render a template with before there is an item.

use serde_json::{Map, Value};

use crate::settings::{alternatives, types};

/// Makes a value the schema would accept, as far as a template can tell.
pub(super) fn of(schema: &Value) -> Value {
    make(schema, schema, 8)
}

fn make(schema: &Value, root: &Value, depth: u8) -> Value {
    if depth == 0 {
        return Value::from("");
    }
    let choices = alternatives(schema, root);
    let chosen = choices.iter().find(|choice| types(choice).iter().any(|name| *name != "null"));
    let Some(chosen) = chosen else { return Value::from("sample") };
    let fixed = chosen.get("const").or_else(|| chosen.get("enum").and_then(|words| words.get(0)));
    if let Some(fixed) = fixed {
        return fixed.clone();
    }
    match types(chosen).into_iter().find(|name| *name != "null") {
        Some("boolean") => Value::Bool(true),
        Some("integer" | "number") => Value::from(1),
        Some("array") => {
            Value::Array(chosen.get("items").map(|items| make(items, root, depth - 1)).into_iter().collect())
        }
        Some("object") => {
            let fields = chosen.get("properties").and_then(Value::as_object).into_iter().flatten();
            Value::Object(
                fields.map(|(name, field)| (name.clone(), make(field, root, depth - 1))).collect::<Map<_, _>>(),
            )
        }
        _ => Value::from("sample"),
    }
}
