//! One condition: its source, parsed once and shared by its clones.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::sync::{Arc, OnceLock};

use cel::common::ast::{EntryExpr, Expr};
use cel::objects::{Key, Map};
use cel::{Env, ExecutionError, IdedExpr, Program, Value as CelValue};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{ConditionProblem, Scope, bounds, check, numbers};

/// What a condition sees: each stage's output object under the stage's name.
pub type Facts = BTreeMap<String, Value>;

/// A condition that could not be parsed or evaluated.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ConditionError(pub String);

/// A CEL expression that answers true or false.
///
/// Whole JSON numbers are CEL integers and others are doubles; the two compare and calculate with each other, so
/// `qc.score > 0` means the same for a score of `1` and of `0.5`. Dividing two integers gives an integer, as in CEL.
#[derive(Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Condition {
    source: Arc<str>,
    #[serde(skip)]
    parsed: Arc<OnceLock<Result<Parsed, ConditionError>>>,
}

struct Parsed {
    program: Program,
    /// The expression with arithmetic that accepts integers and doubles together.
    mixed: IdedExpr,
}

impl Condition {
    /// Parses an expression.
    ///
    /// # Errors
    /// [`ConditionError`] with the line and column of a syntax error, or when the expression is too long or too deep.
    pub fn parse(source: &str) -> Result<Self, ConditionError> {
        let condition = Self { source: source.into(), parsed: Arc::default() };
        condition.parsed()?;
        Ok(condition)
    }

    /// Returns the expression as written.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Returns the variables it uses, which are stage names or `item`, sorted.
    pub fn references(&self) -> Vec<String> {
        let mut names: Vec<String> =
            self.paths().iter().map(|path| path.split('.').next().unwrap_or(path).to_owned()).collect();
        names.dedup();
        names
    }

    /// Returns the fields it uses with their variables, for example `qc.score`, sorted.
    pub fn paths(&self) -> Vec<String> {
        let mut found = BTreeSet::new();
        if let Ok(parsed) = self.parsed() {
            collect(parsed.program.expression(), &mut Vec::new(), &mut found);
        }
        found.into_iter().collect()
    }

    /// Checks the expression against what its variables hold.
    ///
    /// # Errors
    /// Every [`ConditionProblem`] found: unknown variables, fields and functions, types that do not go together, a
    /// result that is not true or false.
    pub fn check(&self, scope: &Scope) -> Result<(), Vec<ConditionProblem>> {
        match self.parsed() {
            Ok(parsed) => check::check(&parsed.program, scope),
            Err(error) => Err(vec![ConditionProblem { column: None, message: error.0.clone(), hint: None }]),
        }
    }

    /// Evaluates it over `facts`. It has no side effects.
    ///
    /// # Errors
    /// [`ConditionError`] when something it needs is missing, types do not go together, or the answer is neither true
    /// nor false. A missing field is never "false".
    pub fn evaluate(&self, facts: &Facts) -> Result<bool, ConditionError> {
        static ENVIRONMENT: OnceLock<Arc<Env>> = OnceLock::new();
        let parsed = self.parsed()?;
        let environment = ENVIRONMENT.get_or_init(|| Arc::new(Env::stdlib()));
        let mut context = cel::Context::with_env(Arc::clone(environment));
        numbers::register(&mut context).map_err(|error| ConditionError(error.to_string()))?;
        for name in self.references() {
            if let Some(value) = facts.get(&name) {
                context.add_variable_from_value(name, cel_value(value));
            }
        }
        match with_room(|| CelValue::resolve(&parsed.mixed, &context)) {
            Ok(CelValue::Bool(answer)) => Ok(answer),
            Ok(other) => Err(ConditionError(format!("the answer is {}, neither true nor false", describe(&other)))),
            Err(error) => Err(ConditionError(explain(&error))),
        }
    }

    /// Returns the fields it uses and what they are in `facts`, long ones shortened; what is missing is left out.
    pub fn seen(&self, facts: &Facts) -> BTreeMap<String, Value> {
        let value = |path: &String| {
            let mut names = path.split('.');
            let mut found = facts.get(names.next()?)?;
            for name in names {
                found = found.get(name)?;
            }
            Some((path.clone(), shortened(found)))
        };
        self.paths().iter().filter_map(value).collect()
    }

    fn parsed(&self) -> Result<&Parsed, ConditionError> {
        let parsed = self.parsed.get_or_init(|| {
            bounds::check(&self.source)?;
            with_room(|| {
                let program = Program::compile(&self.source).map_err(|errors| syntax(&errors))?;
                let mut mixed = program.expression().clone();
                numbers::rewrite(&mut mixed);
                Ok(Parsed { program, mixed })
            })
        });
        parsed.as_ref().map_err(Clone::clone)
    }
}

impl PartialEq for Condition {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source
    }
}

impl Eq for Condition {}

impl fmt::Debug for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Condition").field(&self.source).finish()
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.source)
    }
}

/// What is longer is not repeated in the log of events.
const LONGEST: usize = 200;

/// Returns a value as it is, or the beginning of its text when it is long.
fn shortened(value: &Value) -> Value {
    let text = match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => return value.clone(),
        Value::String(text) => text.clone(),
        Value::Array(_) | Value::Object(_) => value.to_string(),
    };
    if text.chars().count() <= LONGEST {
        return value.clone();
    }
    Value::String(text.chars().take(LONGEST).chain(['…']).collect())
}

/// Runs what recurses as deep as an expression nests on a stack that is large enough for the deepest one allowed.
fn with_room<T>(work: impl FnOnce() -> T) -> T {
    stacker::maybe_grow(8 * 1024 * 1024, 32 * 1024 * 1024, work)
}

fn syntax(errors: &cel::ParseErrors) -> ConditionError {
    let Some(first) = errors.errors.first() else { return ConditionError("syntax error".to_owned()) };
    let message = first.msg.lines().next().unwrap_or_default();
    let message = message.strip_prefix("Syntax error: ").unwrap_or(message);
    let (line, column) = first.pos;
    let place = if line > 1 { format!("line {line}, column {column}") } else { format!("column {}", column.max(1)) };
    ConditionError(format!("syntax error at {place}: {message}"))
}

fn cel_value(value: &Value) -> CelValue {
    match value {
        Value::Null => CelValue::Null,
        Value::Bool(yes) => CelValue::Bool(*yes),
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(integer), _) => CelValue::Int(integer),
            (None, Some(float)) => CelValue::Float(float),
            (None, None) => CelValue::Null,
        },
        Value::String(text) => CelValue::String(Arc::new(text.clone())),
        Value::Array(items) => CelValue::List(Arc::new(items.iter().map(cel_value).collect())),
        Value::Object(fields) => {
            let map: HashMap<Key, CelValue> =
                fields.iter().map(|(key, value)| (Key::String(Arc::new(key.clone())), cel_value(value))).collect();
            CelValue::Map(Map { map: Arc::new(map) })
        }
    }
}

fn describe(value: &CelValue) -> String {
    match value {
        CelValue::String(_) => "a text".to_owned(),
        CelValue::Int(number) => number.to_string(),
        CelValue::UInt(number) => number.to_string(),
        CelValue::Float(number) => number.to_string(),
        CelValue::List(_) => "a list".to_owned(),
        CelValue::Map(_) => "an object".to_owned(),
        CelValue::Null => "null".to_owned(),
        _ => "something else".to_owned(),
    }
}

/// Says what went wrong without the values: they may be long or private.
fn explain(error: &ExecutionError) -> String {
    match error {
        ExecutionError::NoSuchKey(key) => format!("there is no field `{key}`"),
        ExecutionError::UndeclaredReference(name) => format!("there is no `{name}`"),
        ExecutionError::NoSuchOverload(overload) => numbers::readable(&overload.to_string()),
        ExecutionError::ValuesNotComparable(left, right) => {
            format!("{} cannot be compared with {}", describe(left), describe(right))
        }
        ExecutionError::UnsupportedBinaryOperator(operator, left, right) => {
            format!("`{operator}` does not go with {} and {}", describe(left), describe(right))
        }
        ExecutionError::FunctionError { message, .. } => message.clone(),
        ExecutionError::DivisionByZero(_) | ExecutionError::RemainderByZero(_) => "division by zero".to_owned(),
        ExecutionError::Overflow(..) => "a number became too large".to_owned(),
        ExecutionError::IndexOutOfBounds(_) => "a list is shorter than the index".to_owned(),
        _ => "types do not go together".to_owned(),
    }
}

/// Returns `a.b.c` for a selection on a name.
pub(super) fn path_of(expression: &IdedExpr) -> Option<String> {
    match &expression.expr {
        Expr::Ident(name) => Some(name.clone()),
        Expr::Select(select) => path_of(&select.operand).map(|operand| format!("{operand}.{}", select.field)),
        _ => None,
    }
}

fn collect(expression: &IdedExpr, bound: &mut Vec<String>, found: &mut BTreeSet<String>) {
    if let Some(path) = path_of(expression) {
        let root = path.split('.').next().unwrap_or(&path);
        if !root.starts_with('@') && !bound.iter().any(|name| name == root) {
            found.insert(path);
        }
        return;
    }
    match &expression.expr {
        Expr::Call(call) => {
            call.target.iter().for_each(|target| collect(target, bound, found));
            call.args.iter().for_each(|argument| collect(argument, bound, found));
        }
        Expr::Comprehension(inner) => {
            collect(&inner.iter_range, bound, found);
            collect(&inner.accu_init, bound, found);
            let before = bound.len();
            bound.extend([inner.iter_var.clone(), inner.accu_var.clone()]);
            bound.extend(inner.iter_var2.clone());
            for part in [&inner.loop_cond, &inner.loop_step, &inner.result] {
                collect(part, bound, found);
            }
            bound.truncate(before);
        }
        Expr::List(list) => list.elements.iter().for_each(|element| collect(element, bound, found)),
        Expr::Select(select) => collect(&select.operand, bound, found),
        Expr::Map(cel::common::ast::MapExpr { entries })
        | Expr::Struct(cel::common::ast::StructExpr { entries, .. }) => {
            for entry in entries {
                match &entry.expr {
                    EntryExpr::StructField(field) => collect(&field.value, bound, found),
                    EntryExpr::MapEntry(entry) => {
                        collect(&entry.key, bound, found);
                        collect(&entry.value, bound, found);
                    }
                }
            }
        }
        Expr::Ident(_) | Expr::Literal(_) | Expr::Unspecified => {}
    }
}
