//! A settings schema as rows of documentation, for command-line help and reference pages.

use serde::Serialize;
use serde_json::Value;

use super::secret::SECRET_FORMAT;

/// One setting, described.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SettingDoc {
    /// Its key.
    pub key: String,
    /// What it is, for example `integer` or `list of string`.
    pub kind: String,
    /// Its built-in value; null when there is none.
    pub default: Value,
    /// What is accepted, for example `an integer from 1 to 20`.
    pub accepted: String,
    /// What it does.
    pub description: String,
}

/// Describes every property of an object schema, in the order of their declaration.
pub fn describe(schema: &Value, defaults: &Value) -> Vec<SettingDoc> {
    let Some(properties) = schema.get("properties").and_then(Value::as_object) else {
        return Vec::new();
    };
    properties
        .iter()
        .map(|(key, property)| SettingDoc {
            key: key.clone(),
            kind: kind_text(property, schema),
            default: defaults.get(key).cloned().unwrap_or_default(),
            accepted: accepted_text(property, schema),
            description: property
                .get("description")
                .or_else(|| resolve(property, schema).get("description"))
                .and_then(Value::as_str)
                .unwrap_or_default()
                .replace('\n', " "),
        })
        .collect()
}

/// Follows `$ref` inside the root schema, a few steps at most.
pub(crate) fn resolve<'a>(schema: &'a Value, root: &'a Value) -> &'a Value {
    let mut current = schema;
    for _ in 0..8 {
        let target = current.get("$ref").and_then(Value::as_str).and_then(|name| name.strip_prefix('#'));
        match target.and_then(|pointer| root.pointer(pointer)) {
            Some(next) => current = next,
            None => break,
        }
    }
    current
}

/// Returns the alternatives a schema offers: itself, or the members of `anyOf` and `oneOf`.
pub(crate) fn alternatives<'a>(schema: &'a Value, root: &'a Value) -> Vec<&'a Value> {
    fn collect<'a>(schema: &'a Value, root: &'a Value, depth: u8, into: &mut Vec<&'a Value>) {
        let schema = resolve(schema, root);
        let members = ["anyOf", "oneOf"].iter().find_map(|word| schema.get(word)).and_then(Value::as_array);
        match members {
            Some(members) if depth > 0 => members.iter().for_each(|member| collect(member, root, depth - 1, into)),
            _ => into.push(schema),
        }
    }
    let mut all = Vec::new();
    collect(schema, root, 4, &mut all);
    all
}

/// Returns the JSON type names a schema (not its alternatives) allows; empty means anything.
pub(crate) fn types(schema: &Value) -> Vec<&str> {
    match schema.get("type") {
        Some(Value::String(one)) => vec![one],
        Some(Value::Array(several)) => several.iter().filter_map(Value::as_str).collect(),
        _ => {
            let values = schema.get("enum").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
            let constant = schema.get("const").into_iter();
            let mut found: Vec<&str> = values
                .iter()
                .chain(constant)
                .map(|value| match value {
                    Value::Null => "null",
                    Value::Bool(_) => "boolean",
                    Value::Number(_) => "number",
                    Value::String(_) => "string",
                    Value::Array(_) => "array",
                    Value::Object(_) => "object",
                })
                .collect();
            found.dedup();
            found
        }
    }
}

fn words(schema: &Value) -> Vec<String> {
    let one = schema.get("const").into_iter();
    let many = schema.get("enum").and_then(Value::as_array).into_iter().flatten();
    one.chain(many).filter(|value| !value.is_null()).map(plain).collect()
}

/// Prints strings without quotes.
pub(crate) fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn kind_text(schema: &Value, root: &Value) -> String {
    let mut kinds: Vec<String> = Vec::new();
    for alternative in alternatives(schema, root) {
        if !words(alternative).is_empty() {
            kinds.push("word".to_owned());
            continue;
        }
        let found = types(alternative);
        if found.is_empty() {
            kinds.push("anything".to_owned());
        }
        for name in found {
            match name {
                "null" => {}
                "array" => {
                    let items = alternative.get("items").map(|items| kind_text(items, root));
                    kinds.push(format!("list of {}", items.unwrap_or_else(|| "anything".to_owned())));
                }
                other => kinds.push(other.to_owned()),
            }
        }
    }
    kinds.dedup();
    kinds.join(" or ")
}

/// Says what a schema accepts, for example `an integer from 1 to 20`.
pub(crate) fn accepted_text(schema: &Value, root: &Value) -> String {
    let mut parts: Vec<String> = Vec::new();
    let mut options: Vec<String> = Vec::new();
    for alternative in alternatives(schema, root) {
        let found = words(alternative);
        if !found.is_empty() {
            options.extend(found);
            continue;
        }
        let names = types(alternative);
        if names.is_empty() {
            parts.push("anything".to_owned());
        }
        for name in names {
            match name {
                "null" => {}
                "boolean" => parts.push("true or false".to_owned()),
                "integer" => parts.push(format!("an integer{}", bounds(alternative))),
                "number" => parts.push(format!("a number{}", bounds(alternative))),
                "array" => {
                    let items = alternative.get("items").map(|items| accepted_text(items, root));
                    let items = items.unwrap_or_else(|| "anything".to_owned());
                    let bound = |name: &str| alternative.get(name).and_then(Value::as_u64);
                    let many = bound("minItems").filter(|least| bound("maxItems") == Some(*least));
                    let many = many.map(|many| format!(", exactly {many} of them")).unwrap_or_default();
                    parts.push(format!("a list of {items}{many}"));
                }
                "object" => parts.push("a table".to_owned()),
                _ if alternative.get("format").and_then(Value::as_str) == Some(SECRET_FORMAT) => {
                    parts.push("a reference `env:NAME` or `file:PATH`, never the key itself".to_owned());
                }
                _ => parts.push(format!("a text{}", lengths(alternative))),
            }
        }
    }
    match options.split_last() {
        Some((only, [])) => parts.insert(0, only.clone()),
        Some((last, head)) => parts.insert(0, format!("one of {} or {last}", head.join(", "))),
        None => {}
    }
    parts.dedup();
    parts.join(", or ")
}

fn bounds(schema: &Value) -> String {
    let number = |word: &str| schema.get(word).filter(|value| value.is_number());
    let low = number("minimum").map(|low| format!(" from {low}"));
    let low = low.or_else(|| number("exclusiveMinimum").map(|low| format!(" above {low}")));
    let high = number("maximum").map(|high| format!(" to {high}"));
    let high = high.or_else(|| number("exclusiveMaximum").map(|high| format!(" below {high}")));
    match (low, high) {
        (None, Some(high)) => high.replacen(" to ", " up to ", 1),
        (low, high) => format!("{}{}", low.unwrap_or_default(), high.unwrap_or_default()),
    }
}

fn lengths(schema: &Value) -> String {
    let pattern = schema.get("pattern").and_then(Value::as_str);
    let low = schema.get("minLength").and_then(Value::as_u64).filter(|low| *low > 0);
    let high = schema.get("maxLength").and_then(Value::as_u64);
    let size = match (low, high) {
        (Some(1), None) => " that is not empty".to_owned(),
        (Some(low), None) => format!(" of at least {low} characters"),
        (None, Some(high)) => format!(" of at most {high} characters"),
        (Some(low), Some(high)) => format!(" of {low} to {high} characters"),
        (None, None) => String::new(),
    };
    pattern.map_or(size.clone(), |pattern| format!("{size} like {pattern}"))
}
