//! What a condition may name: variables with the types of their fields, taken from JSON Schema.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::settings::{alternatives, types};

/// The type of a part of an expression. Integers and doubles are one: they mix freely.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Type {
    Any,
    Null,
    Bool,
    Number,
    Text,
    List(Box<Type>),
    Object(BTreeMap<String, Type>, bool),
}

impl Type {
    /// Reads a JSON Schema; what it does not say plainly is anything.
    fn of(schema: &Value, root: &Value, depth: u8) -> Self {
        if depth == 0 {
            return Self::Any;
        }
        let mut found: Option<Self> = None;
        for alternative in alternatives(schema, root) {
            let names = types(alternative);
            if names.is_empty() {
                return Self::Any;
            }
            for name in names {
                let one = match name {
                    // Absent or null: the condition has to cope with that when it is evaluated.
                    "null" => continue,
                    "boolean" => Self::Bool,
                    "integer" | "number" => Self::Number,
                    "string" => Self::Text,
                    "array" => {
                        let items = alternative.get("items").map(|items| Self::of(items, root, depth - 1));
                        Self::List(Box::new(items.unwrap_or(Self::Any)))
                    }
                    "object" => Self::object(alternative, root, depth - 1),
                    _ => return Self::Any,
                };
                match &found {
                    Some(known) if *known != one => return Self::Any,
                    _ => found = Some(one),
                }
            }
        }
        found.unwrap_or(Self::Any)
    }

    fn object(schema: &Value, root: &Value, depth: u8) -> Self {
        let properties = schema.get("properties").and_then(Value::as_object);
        let open =
            properties.is_none() || schema.get("additionalProperties").is_some_and(|more| *more != Value::Bool(false));
        let fields = properties.into_iter().flatten();
        Self::Object(fields.map(|(name, field)| (name.clone(), Self::of(field, root, depth))).collect(), open)
    }

    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Any => "anything",
            Self::Null => "null",
            Self::Bool => "true or false",
            Self::Number => "a number",
            Self::Text => "a text",
            Self::List(_) => "a list",
            Self::Object(..) => "an object",
        }
    }

    /// Tells whether the two can be equal at all.
    pub(super) fn meets(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::List(left), Self::List(right)) => left.meets(right),
            (Self::Any | Self::Null, _) | (_, Self::Any | Self::Null) | (Self::Object(..), Self::Object(..)) => true,
            (left, right) => left == right,
        }
    }
}

/// The variables a condition may use.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scope {
    pub(super) variables: BTreeMap<String, Type>,
}

impl Scope {
    /// Returns a scope without variables.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a variable that holds an object of this JSON Schema; `open` allows fields the schema does not name.
    pub fn variable(mut self, name: &str, schema: &Value, open: bool) -> Self {
        let fields = match Type::object(schema, schema, 8) {
            Type::Object(fields, _) => fields,
            _ => BTreeMap::new(),
        };
        self.variables.insert(name.to_owned(), Type::Object(fields, open));
        self
    }
}
