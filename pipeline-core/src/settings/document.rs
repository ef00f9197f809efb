//! A TOML or JSON text as plain values, with the place of every key of a TOML text.

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use toml::de::{DeTable, DeValue};

use super::{Place, Problem, Problems};

/// A text that was read.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Document {
    /// What it says.
    pub(crate) values: Map<String, Value>,
    /// Where each dotted path stands; empty for JSON.
    pub(crate) places: BTreeMap<String, Place>,
}

impl Document {
    /// Reads TOML.
    pub(crate) fn from_toml(text: &str, file: &str) -> Result<Self, Problems> {
        let (table, errors) = DeTable::parse_recoverable(text);
        if !errors.is_empty() {
            return Err(Problems(
                errors
                    .iter()
                    .map(|error| {
                        let place = error.span().map(|span| Place::of(text, span.start));
                        Problem::new("", error.message().replace('\n', ", ")).at(Some(file), place)
                    })
                    .collect(),
            ));
        }
        let mut reader = Reader { text, file, places: BTreeMap::new(), problems: Vec::new() };
        let values = reader.table(table.get_ref(), "");
        if reader.problems.is_empty() {
            Ok(Self { values, places: reader.places })
        } else {
            Err(Problems(reader.problems))
        }
    }

    /// Reads JSON.
    pub(crate) fn from_json(text: &str, file: &str) -> Result<Self, Problems> {
        match serde_json::from_str(text) {
            Ok(Value::Object(values)) => Ok(Self { values, places: BTreeMap::new() }),
            Ok(_) => Err(Problem::new("", "expected a JSON object").at(Some(file), None).into()),
            Err(error) => {
                let place = Place {
                    line: u32::try_from(error.line()).unwrap_or(u32::MAX),
                    column: u32::try_from(error.column()).unwrap_or(u32::MAX),
                };
                let message = error.to_string();
                let message = message.split(" at line ").next().unwrap_or(&message).to_owned();
                Err(Problem::new("", message).at(Some(file), Some(place)).into())
            }
        }
    }
}

struct Reader<'a> {
    text: &'a str,
    file: &'a str,
    places: BTreeMap<String, Place>,
    problems: Vec<Problem>,
}

impl Reader<'_> {
    fn table(&mut self, table: &DeTable<'_>, path: &str) -> Map<String, Value> {
        let mut map = Map::new();
        for (key, value) in table {
            let name = key.get_ref().as_ref();
            let path = if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
            self.places.insert(path.clone(), Place::of(self.text, key.span().start));
            let read = self.value(value.get_ref(), &path, value.span().start);
            map.insert(name.to_owned(), read);
        }
        map
    }

    fn value(&mut self, value: &DeValue<'_>, path: &str, offset: usize) -> Value {
        match value {
            DeValue::String(text) => Value::String(text.to_string()),
            DeValue::Boolean(yes) => Value::Bool(*yes),
            DeValue::Datetime(time) => Value::String(time.to_string()),
            DeValue::Integer(integer) => {
                let parsed = i64::from_str_radix(integer.as_str(), integer.radix()).map(Value::from);
                let parsed =
                    parsed.or_else(|_| u64::from_str_radix(integer.as_str(), integer.radix()).map(Value::from));
                parsed.unwrap_or_else(|_| self.refuse(path, offset, "the number is too large"))
            }
            DeValue::Float(float) => match float.as_str().parse::<f64>().ok().and_then(serde_json::Number::from_f64) {
                Some(number) => Value::Number(number),
                None => self.refuse(path, offset, "the number is not finite"),
            },
            DeValue::Array(array) => Value::Array(
                array
                    .iter()
                    .enumerate()
                    .map(|(index, item)| {
                        let path = format!("{path}[{index}]");
                        self.places.insert(path.clone(), Place::of(self.text, item.span().start));
                        self.value(item.get_ref(), &path, item.span().start)
                    })
                    .collect(),
            ),
            DeValue::Table(table) => Value::Object(self.table(table, path)),
        }
    }

    fn refuse(&mut self, path: &str, offset: usize, message: &str) -> Value {
        let place = Some(Place::of(self.text, offset));
        self.problems.push(Problem::new(path, message).at(Some(self.file), place));
        Value::Null
    }
}
