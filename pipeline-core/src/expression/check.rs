//! The type check of a condition, over its syntax tree: CEL itself checks only while it evaluates.

use cel::common::ast::{CallExpr, ComprehensionExpr, EntryExpr, Expr, IdedEntryExpr, LiteralValue, operators};
use cel::{IdedExpr, Program};

use crate::settings::{listing, nearest};

use super::Scope;
use super::condition::path_of;
use super::scope::Type;

/// One thing that is wrong with a condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConditionProblem {
    /// The character it begins at, from 1, when it is known.
    pub column: Option<u32>,
    /// What is wrong.
    pub message: String,
    /// What would be right.
    pub hint: Option<String>,
}

/// Functions by name, with what they give.
const FUNCTIONS: [(&str, Type); 12] = [
    ("size", Type::Number),
    ("contains", Type::Bool),
    ("startsWith", Type::Bool),
    ("endsWith", Type::Bool),
    ("matches", Type::Bool),
    ("int", Type::Number),
    ("uint", Type::Number),
    ("double", Type::Number),
    ("string", Type::Text),
    ("bool", Type::Bool),
    ("type", Type::Any),
    ("dyn", Type::Any),
];
const TYPE_NAMES: [&str; 10] = ["int", "uint", "double", "string", "bool", "bytes", "list", "map", "null_type", "type"];

pub(super) fn check(program: &Program, scope: &Scope) -> Result<(), Vec<ConditionProblem>> {
    let mut checker = Checker { program, scope, bound: Vec::new(), problems: Vec::new() };
    let result = checker.of(program.expression());
    if !matches!(result, Type::Bool | Type::Any) {
        let message = format!("the condition gives {}, not true or false", result.name());
        checker.report(program.expression(), message, None);
    }
    if checker.problems.is_empty() { Ok(()) } else { Err(checker.problems) }
}

struct Checker<'a> {
    program: &'a Program,
    scope: &'a Scope,
    bound: Vec<(String, Type)>,
    problems: Vec<ConditionProblem>,
}

impl Checker<'_> {
    fn report(&mut self, at: &IdedExpr, message: String, hint: Option<String>) {
        let column = self.program.source_info().offset_for(at.id).map(|(start, _)| start + 1);
        self.problems.push(ConditionProblem { column, message, hint });
    }

    fn of(&mut self, expression: &IdedExpr) -> Type {
        match &expression.expr {
            Expr::Unspecified => Type::Any,
            Expr::Literal(literal) => match literal {
                LiteralValue::Boolean(_) => Type::Bool,
                LiteralValue::Double(_) | LiteralValue::Int(_) | LiteralValue::UInt(_) => Type::Number,
                LiteralValue::String(_) => Type::Text,
                LiteralValue::Null => Type::Null,
                LiteralValue::Bytes(_) => Type::Any,
            },
            Expr::Ident(name) => self.variable(expression, name),
            Expr::Select(select) => {
                let operand = self.of(&select.operand);
                let field = self.field(expression, &select.operand, &operand, &select.field);
                if select.test { Type::Bool } else { field }
            }
            Expr::List(list) => {
                let items: Vec<Type> = list.elements.iter().map(|element| self.of(element)).collect();
                let first = items.first().cloned().unwrap_or(Type::Any);
                Type::List(Box::new(if items.iter().all(|item| *item == first) { first } else { Type::Any }))
            }
            Expr::Map(map) => self.entries(&map.entries),
            Expr::Struct(object) => self.entries(&object.entries),
            Expr::Comprehension(inner) => self.comprehension(inner),
            Expr::Call(call) => self.call(expression, call),
        }
    }

    fn entries(&mut self, entries: &[IdedEntryExpr]) -> Type {
        for entry in entries {
            match &entry.expr {
                EntryExpr::StructField(field) => {
                    self.of(&field.value);
                }
                EntryExpr::MapEntry(entry) => {
                    self.of(&entry.key);
                    self.of(&entry.value);
                }
            }
        }
        Type::Object(std::collections::BTreeMap::new(), true)
    }

    fn variable(&mut self, at: &IdedExpr, name: &str) -> Type {
        if let Some((_, found)) = self.bound.iter().rev().find(|(bound, _)| bound == name) {
            return found.clone();
        }
        if let Some(found) = self.scope.variables.get(name) {
            return found.clone();
        }
        if !TYPE_NAMES.contains(&name) {
            let hint = hint(name, self.scope.variables.keys().map(String::as_str));
            self.report(at, format!("unknown variable `{name}`"), hint);
        }
        Type::Any
    }

    fn field(&mut self, at: &IdedExpr, operand: &IdedExpr, holder: &Type, field: &str) -> Type {
        match holder {
            Type::Any => Type::Any,
            Type::Object(fields, open) => match fields.get(field) {
                Some(found) => found.clone(),
                None if *open => Type::Any,
                None => {
                    let of = path_of(operand).map_or_else(|| "this object".to_owned(), |path| format!("`{path}`"));
                    let hint = hint(field, fields.keys().map(String::as_str));
                    self.report(at, format!("{of} has no field `{field}`"), hint);
                    Type::Any
                }
            },
            other => {
                self.report(at, format!("{} has no fields such as `{field}`", other.name()), None);
                Type::Any
            }
        }
    }

    fn comprehension(&mut self, inner: &ComprehensionExpr) -> Type {
        let range = self.of(&inner.iter_range);
        let element = match &range {
            Type::List(item) if inner.iter_var2.is_none() => (**item).clone(),
            Type::Object(..) if inner.iter_var2.is_none() => Type::Text,
            Type::Any | Type::List(_) | Type::Object(..) => Type::Any,
            other => {
                self.report(&inner.iter_range, format!("{} is not a list", other.name()), None);
                Type::Any
            }
        };
        let start = match self.of(&inner.accu_init) {
            Type::List(_) => Type::List(Box::new(Type::Any)),
            other => other,
        };
        let before = self.bound.len();
        self.bound.push((inner.iter_var.clone(), element));
        self.bound.extend(inner.iter_var2.clone().map(|name| (name, Type::Any)));
        self.bound.push((inner.accu_var.clone(), start));
        self.of(&inner.loop_cond);
        self.of(&inner.loop_step);
        let result = self.of(&inner.result);
        self.bound.truncate(before);
        result
    }

    fn call(&mut self, at: &IdedExpr, call: &CallExpr) -> Type {
        let target = call.target.as_ref().map(|target| self.of(target));
        let arguments: Vec<Type> =
            target.into_iter().chain(call.args.iter().map(|argument| self.of(argument))).collect();
        let (left, right) = (arguments.first().unwrap_or(&Type::Any), arguments.get(1).unwrap_or(&Type::Any));
        let name = call.func_name.as_str();
        match name {
            operators::LOGICAL_AND | operators::LOGICAL_OR | operators::LOGICAL_NOT => {
                let sign = name.trim_matches('_');
                for (argument, found) in call.args.iter().zip(&arguments) {
                    if !matches!(found, Type::Bool | Type::Any) {
                        self.report(argument, format!("`{sign}` needs true or false, not {}", found.name()), None);
                    }
                }
                Type::Bool
            }
            operators::EQUALS | operators::NOT_EQUALS => {
                if !left.meets(right) {
                    let message = format!("{} never equals {}", left.name(), right.name());
                    self.report(at, message, quoted(left, right));
                }
                Type::Bool
            }
            operators::GREATER | operators::GREATER_EQUALS | operators::LESS | operators::LESS_EQUALS => {
                let ordered = |one: &Type| matches!(one, Type::Any | Type::Number | Type::Text | Type::Bool);
                if !ordered(left) || !ordered(right) || !left.meets(right) {
                    let message = format!("{} cannot be compared with {}", left.name(), right.name());
                    self.report(at, message, quoted(left, right));
                }
                Type::Bool
            }
            operators::ADD => match (left, right) {
                (Type::Text | Type::Any, Type::Text) | (Type::Text, Type::Any) => Type::Text,
                (Type::List(_), Type::List(_) | Type::Any) | (Type::Any, Type::List(_)) => {
                    Type::List(Box::new(Type::Any))
                }
                (Type::Any, Type::Any) => Type::Any,
                _ => self.arithmetic(at, "+", left, right),
            },
            operators::SUBSTRACT | operators::MULTIPLY | operators::DIVIDE | operators::MODULO => {
                self.arithmetic(at, name.trim_matches('_'), left, right)
            }
            operators::NEGATE => self.arithmetic(at, "-", left, &Type::Number),
            operators::CONDITIONAL => {
                if !matches!(left, Type::Bool | Type::Any) {
                    self.report(at, format!("`? :` needs true or false, not {}", left.name()), None);
                }
                let other = arguments.get(2).unwrap_or(&Type::Any);
                if right == other { right.clone() } else { Type::Any }
            }
            operators::IN => {
                match right {
                    Type::List(item) if !left.meets(item) => {
                        self.report(at, format!("{} is never in a list of {}", left.name(), item.name()), None);
                    }
                    Type::List(_) | Type::Object(..) | Type::Any => {}
                    other => self.report(at, format!("`in` needs a list, not {}", other.name()), None),
                }
                Type::Bool
            }
            operators::INDEX | operators::OPT_INDEX => match left {
                Type::List(item) => (**item).clone(),
                Type::Object(..) => match call.args.get(1).map(|key| &key.expr) {
                    Some(Expr::Literal(LiteralValue::String(key))) => {
                        let operand = call.args.first().unwrap_or(at);
                        self.field(at, operand, left, key.inner())
                    }
                    _ => Type::Any,
                },
                Type::Any => Type::Any,
                other => {
                    self.report(at, format!("{} has no elements", other.name()), None);
                    Type::Any
                }
            },
            operators::NOT_STRICTLY_FALSE => Type::Bool,
            _ => self.function(at, name, &arguments),
        }
    }

    fn arithmetic(&mut self, at: &IdedExpr, sign: &str, left: &Type, right: &Type) -> Type {
        if let Some(wrong) = [left, right].into_iter().find(|one| !matches!(one, Type::Number | Type::Any)) {
            self.report(at, format!("`{sign}` does not go with {}", wrong.name()), None);
        }
        Type::Number
    }

    fn function(&mut self, at: &IdedExpr, name: &str, arguments: &[Type]) -> Type {
        let Some((_, gives)) = FUNCTIONS.iter().find(|(known, _)| *known == name) else {
            let hint = hint(name, FUNCTIONS.iter().map(|(known, _)| *known));
            self.report(at, format!("unknown function `{name}`"), hint);
            return Type::Any;
        };
        let expected = if gives == &Type::Bool && name != "bool" { 2 } else { 1 };
        if arguments.len() != expected {
            self.report(at, format!("`{name}` takes {expected} values, not {}", arguments.len()), None);
            return gives.clone();
        }
        let first = arguments.first().unwrap_or(&Type::Any);
        if expected == 2 {
            if let Some(wrong) = arguments.iter().find(|one| !matches!(one, Type::Text | Type::Any)) {
                let hint = matches!(wrong, Type::List(_)).then(|| "for lists write `value in list`".to_owned());
                self.report(at, format!("`{name}` needs texts, not {}", wrong.name()), hint);
            }
        } else if name == "size" && matches!(first, Type::Bool | Type::Number | Type::Null) {
            self.report(at, format!("{} has no size", first.name()), None);
        }
        gives.clone()
    }
}

fn quoted(left: &Type, right: &Type) -> Option<String> {
    match (left, right) {
        (Type::Number, Type::Text) | (Type::Text, Type::Number) => {
            Some("write numbers without quotes, or convert with `double(…)`".to_owned())
        }
        (Type::Bool, Type::Text) | (Type::Text, Type::Bool) => {
            Some("write `true` and `false` without quotes".to_owned())
        }
        _ => None,
    }
}

fn hint<'k>(wrong: &str, known: impl Iterator<Item = &'k str>) -> Option<String> {
    let known: Vec<&str> = known.collect();
    match nearest(wrong, known.iter().copied()) {
        Some(near) => Some(format!("did you mean `{near}`?")),
        None if known.is_empty() => None,
        None => Some(format!("there is {}", listing(&known))),
    }
}
