//! Templates: minijinja over an item's fields, strict about missing variables.

mod placeholder;
mod sample;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::OnceLock;

use minijinja::{Environment, ErrorKind, UndefinedBehavior};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::settings::{listing, nearest};

/// The most bytes of a template.
const MAX_SOURCE: usize = 100_000;
/// The most bytes a template may become.
const MAX_OUTPUT: usize = 1_000_000;
/// How many steps rendering may take.
const FUEL: u64 = 500_000;

/// A template that cannot be read or rendered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct TemplateError(pub String);

/// A text with `{{ variables }}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Template {
    source: String,
}

impl Template {
    /// Reads a template.
    ///
    /// # Errors
    /// [`TemplateError`] with the line of a syntax error, for placeholders of another language such as `${{Name}}`, and
    /// for a template that is too long.
    pub fn parse(source: &str) -> Result<Self, TemplateError> {
        if source.len() > MAX_SOURCE {
            return Err(TemplateError(format!(
                "the template has {} bytes; at most {MAX_SOURCE} are allowed",
                source.len()
            )));
        }
        if let Some(found) = placeholder::foreign(source) {
            return Err(TemplateError(found));
        }
        environment().template_from_str(source).map_err(|error| explain(&error))?;
        Ok(Self { source: source.to_owned() })
    }

    /// Returns the template as written.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Returns the variables it uses and does not set itself.
    pub fn variables(&self) -> BTreeSet<String> {
        let environment = environment();
        let Ok(template) = environment.template_from_str(&self.source) else { return BTreeSet::new() };
        let globals: BTreeSet<&str> = environment.globals().map(|(name, _)| name).collect();
        template.undeclared_variables(false).into_iter().filter(|name| !globals.contains(name.as_str())).collect()
    }

    /// Renders it with `values`.
    ///
    /// # Errors
    /// [`TemplateError`] for a variable or field that is missing, and when the result or the work becomes too large.
    pub fn render(&self, values: &Map<String, Value>) -> Result<String, TemplateError> {
        let template = environment().template_from_str(&self.source).map_err(|error| explain(&error))?;
        let mut output = Bounded::default();
        match template.render_captured_to(minijinja::value::Serde(values), &mut output) {
            Ok(_) => String::from_utf8(output.bytes).map_err(|_| TemplateError("the result is not text".to_owned())),
            Err(_) if output.full => Err(TemplateError(format!("the result is longer than {MAX_OUTPUT} bytes"))),
            Err(error) => Err(explain(&error)),
        }
    }

    /// Checks it against the variables there are, by their JSON Schema; `open` allows others, too.
    ///
    /// Returns what is wrong, each with a hint. Beside the names, the template is rendered strictly with a sample made
    /// from the schemas, since looking at names alone does not see into fields.
    pub fn check(&self, known: &BTreeMap<String, Value>, open: bool) -> Vec<(String, Option<String>)> {
        let variables = self.variables();
        let unknown: Vec<&String> = variables.iter().filter(|name| !known.contains_key(*name)).collect();
        if !open && !unknown.is_empty() {
            let names: Vec<&str> = known.keys().map(String::as_str).collect();
            let hint = |name: &str| match nearest(name, names.iter().copied()) {
                Some(near) => Some(format!("did you mean `{near}`?")),
                None if names.is_empty() => None,
                None => Some(format!("there is {}", listing(&names))),
            };
            return unknown.into_iter().map(|name| (format!("unknown variable `{name}`"), hint(name))).collect();
        }
        if !unknown.is_empty() {
            return Vec::new();
        }
        let values = known.iter().map(|(name, schema)| (name.clone(), sample::of(schema)));
        match self.render(&values.collect()) {
            Ok(_) => Vec::new(),
            Err(error) => vec![(error.0, None)],
        }
    }
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.source)
    }
}

fn environment() -> &'static Environment<'static> {
    static ENVIRONMENT: OnceLock<Environment<'static>> = OnceLock::new();
    ENVIRONMENT.get_or_init(|| {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_fuel(Some(FUEL));
        environment.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
        environment
    })
}

fn explain(error: &minijinja::Error) -> TemplateError {
    let what = match error.kind() {
        ErrorKind::OutOfFuel => "the template takes too many steps".to_owned(),
        ErrorKind::UndefinedError => match error.detail() {
            Some(detail) => format!("a variable or field is missing: {detail}"),
            None => "a variable or field is missing".to_owned(),
        },
        kind => error.detail().map_or_else(|| kind.to_string(), |detail| format!("{kind}: {detail}")),
    };
    match error.line() {
        Some(line) => TemplateError(format!("{what} (line {line})")),
        None => TemplateError(what),
    }
}

/// A buffer that takes so much and no more.
#[derive(Default)]
struct Bounded {
    bytes: Vec<u8>,
    full: bool,
}

impl std::io::Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if self.bytes.len() + bytes.len() > MAX_OUTPUT {
            self.full = true;
            return Err(std::io::ErrorKind::WriteZero.into());
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn values(value: &Value) -> Map<String, Value> {
        value.as_object().cloned().unwrap()
    }

    #[test]
    fn a_template_renders_and_names_its_variables() {
        let template =
            Template::parse("{{ keyword|upper }} in {{ style.name }}{% for t in tags %}, {{ t }}{% endfor %}").unwrap();
        assert_eq!(template.variables().into_iter().collect::<Vec<_>>(), ["keyword", "style", "tags"]);
        let rendered = template.render(&values(&json!({"keyword": "a<b", "style": {"name": "ink"}, "tags": ["x"]})));
        assert_eq!(rendered.unwrap(), "A<B in ink, x");
    }

    #[test]
    fn what_is_missing_is_an_error_with_its_line() {
        let template = Template::parse("a\n{{ keyword }}").unwrap();
        let error = template.render(&Map::new()).unwrap_err();
        assert!(error.0.contains("missing") && error.0.contains("line 2"), "{error}");
        let template = Template::parse("{{ style.nam }}").unwrap();
        assert!(template.render(&values(&json!({"style": {"name": 1}}))).is_err());
    }

    #[test]
    fn work_and_size_are_bounded() {
        let loops = "{% for a in range(9999) %}{% for b in range(9999) %}{% endfor %}{% endfor %}";
        assert!(Template::parse(loops).unwrap().render(&Map::new()).unwrap_err().0.contains("steps"));
        let long = "{% for a in range(9999) %}{{ text }}{% endfor %}";
        let error = Template::parse(long).unwrap().render(&values(&json!({"text": "x".repeat(1000)}))).unwrap_err();
        assert!(error.0.contains("longer"), "{error}");
        assert!(Template::parse(&"x".repeat(MAX_SOURCE + 1)).is_err());
    }

    #[test]
    fn the_check_knows_names_fields_and_near_misses() {
        let known: BTreeMap<String, Value> = [
            ("keyword".to_owned(), json!({"type": "string"})),
            ("style".to_owned(), json!({"type": "object", "properties": {"name": {"type": "string"}}})),
        ]
        .into();
        let check = |source: &str, open| Template::parse(source).unwrap().check(&known, open);
        assert_eq!(check("{{ keyword }} {{ style.name }}", false), []);
        assert_eq!(
            check("{{ keywrd }}", false),
            [("unknown variable `keywrd`".to_owned(), Some("did you mean `keyword`?".to_owned()))]
        );
        assert_eq!(check("{{ column }}", true), []);
        assert_eq!(check("{{ style.nam }}", true).len(), 1);
    }

    #[test]
    fn placeholders_of_other_languages_are_refused_with_the_right_form() {
        for (source, form) in [("a ${{Keyword}}", "{{ keyword }}"), ("a {keyword} b", "{{ keyword }}")] {
            let error = Template::parse(source).unwrap_err();
            assert!(error.0.contains(form), "{error}");
        }
        for source in
            ["{\"a\": 1}", "{ }", "{{ keyword }}", "{% if a %}{% endif %}{# {x} #}", "{{ {'a': 1} }}", "fn() { x; }"]
        {
            assert!(Template::parse(source).is_ok(), "{source}");
        }
        assert!(Template::parse("{{ a").is_err());
    }

    proptest! {
        #[test]
        fn no_text_makes_a_template_panic(source in "\\PC{0,60}", inner in "[a-z .|()'\\[\\]+*-]{0,30}") {
            for text in [source, format!("{{{{ {inner} }}}}")] {
                if let Ok(template) = Template::parse(&text) {
                    let _ = template.render(&Map::new());
                    let _ = template.variables();
                }
            }
        }
    }
}
