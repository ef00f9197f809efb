//! Arithmetic over integers and doubles together: CEL itself has none, and JSON does not tell `1` from `1.0` reliably.

use cel::common::ast::{EntryExpr, Expr, operators};
use cel::objects::ResolveResult;
use cel::{Context, DeclarationError, IdedExpr, Value};

const FUNCTIONS: [(&str, &str, &str); 5] = [
    (operators::ADD, "pipeline_add", "+"),
    (operators::SUBSTRACT, "pipeline_subtract", "-"),
    (operators::MULTIPLY, "pipeline_multiply", "*"),
    (operators::DIVIDE, "pipeline_divide", "/"),
    (operators::MODULO, "pipeline_modulo", "%"),
];

/// Replaces the arithmetic operators by functions that promote.
pub(super) fn rewrite(expression: &mut IdedExpr) {
    match &mut expression.expr {
        Expr::Call(call) => {
            if let Some((_, function, _)) = FUNCTIONS.iter().find(|(operator, _, _)| *operator == call.func_name) {
                (*function).clone_into(&mut call.func_name);
            }
            if let Some(target) = &mut call.target {
                rewrite(target);
            }
            call.args.iter_mut().for_each(rewrite);
        }
        Expr::Comprehension(inner) => {
            rewrite(&mut inner.iter_range);
            rewrite(&mut inner.accu_init);
            rewrite(&mut inner.loop_cond);
            rewrite(&mut inner.loop_step);
            rewrite(&mut inner.result);
        }
        Expr::List(list) => list.elements.iter_mut().for_each(rewrite),
        Expr::Select(select) => rewrite(&mut select.operand),
        Expr::Map(map) => map.entries.iter_mut().for_each(|entry| rewrite_entry(&mut entry.expr)),
        Expr::Struct(object) => object.entries.iter_mut().for_each(|entry| rewrite_entry(&mut entry.expr)),
        Expr::Ident(_) | Expr::Literal(_) | Expr::Unspecified => {}
    }
}

fn rewrite_entry(entry: &mut EntryExpr) {
    match entry {
        EntryExpr::StructField(field) => rewrite(&mut field.value),
        EntryExpr::MapEntry(entry) => {
            rewrite(&mut entry.key);
            rewrite(&mut entry.value);
        }
    }
}

/// Adds the functions [`rewrite`] names.
pub(super) fn register(context: &mut Context<'_, '_>) -> Result<(), DeclarationError> {
    context.add_function("pipeline_add", |a: Value, b: Value| -> ResolveResult { apply(a, b, |a, b| a + b) })?;
    context.add_function("pipeline_subtract", |a: Value, b: Value| -> ResolveResult { apply(a, b, |a, b| a - b) })?;
    context.add_function("pipeline_multiply", |a: Value, b: Value| -> ResolveResult { apply(a, b, |a, b| a * b) })?;
    context.add_function("pipeline_divide", |a: Value, b: Value| -> ResolveResult { apply(a, b, |a, b| a / b) })?;
    context.add_function("pipeline_modulo", |a: Value, b: Value| -> ResolveResult { apply(a, b, |a, b| a % b) })
}

fn apply(left: Value, right: Value, operation: impl Fn(Value, Value) -> ResolveResult) -> ResolveResult {
    match (left, right) {
        (Value::Int(left), Value::Float(right)) => operation(Value::Float(left as f64), Value::Float(right)),
        (Value::Float(left), Value::Int(right)) => operation(Value::Float(left), Value::Float(right as f64)),
        (left, right) => operation(left, right),
    }
}

/// Puts the operators back into a message.
pub(super) fn readable(message: &str) -> String {
    let mut text = message.to_owned();
    for (operator, function, sign) in FUNCTIONS {
        text = text.replace(function, sign).replace(operator, sign);
    }
    text
}
