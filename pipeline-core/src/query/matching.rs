//! Whether an item is one of those a query asks for.

use serde_json::Value;

use crate::executor::{StageState, Stop};
use crate::id::StageName;
use crate::model::Verdict;
use crate::pipeline::Plan;
use crate::storage::{ItemRecord, ResultRecord};

use super::term::{Comparison, Field, Operand, Query, Test};

/// An item with what is known of it.
#[derive(Clone, Copy, Debug)]
pub struct Candidate<'a> {
    /// The plan of its job.
    pub plan: &'a Plan,
    /// The item.
    pub item: &'a ItemRecord,
    /// The results its state refers to; may be empty when the query does not need them.
    pub results: &'a [ResultRecord],
}

impl Query {
    /// Tells whether every term holds for an item.
    pub fn matches(&self, candidate: Candidate<'_>) -> bool {
        self.terms.iter().all(|term| candidate.passes(&term.test) != term.negated)
    }
}

impl Candidate<'_> {
    fn passes(&self, test: &Test) -> bool {
        let item = self.item;
        match test {
            Test::State(states) => states.contains(&item.status),
            Test::Stage(stages) => self.stops().any(|(stage, ..)| stages.contains(stage)),
            Test::Code(codes) => self.codes().iter().any(|code| codes.iter().any(|wanted| wanted == code)),
            Test::Round(comparison, round) => comparison.holds(item.machine.round.cmp(round)),
            Test::Id(beginnings) => {
                let id = item.id.to_string();
                beginnings.iter().any(|beginning| id.starts_with(beginning.as_str()))
            }
            Test::Name(patterns) => patterns.iter().any(|pattern| is_like(&item.name, pattern)),
            Test::Cost(comparison, cost) => comparison.holds(item.cost.cmp(cost)),
            Test::Tag(tags) => {
                let named = |name: &str| Field { stage: None, name: name.to_owned() };
                let operand = Operand::Texts(tags.clone());
                ["tags", "tag"].iter().any(|name| self.compare(&named(name), Comparison::Is, &operand))
            }
            Test::Field(field, comparison, operand) => self.compare(field, *comparison, operand),
            Test::Text(text) => {
                let wanted = text.to_lowercase();
                let fields = self.results.iter().map(|result| &result.fields);
                item.name.to_lowercase().contains(&wanted)
                    || std::iter::once(&item.input)
                        .chain(fields)
                        .flat_map(|fields| fields.values())
                        .any(|value| has(value, &wanted))
            }
        }
    }

    /// Returns what ended the item's walk: stage, how, and the result it recorded.
    fn stops(&self) -> impl Iterator<Item = (&StageName, &Stop, Option<&ResultRecord>)> {
        self.plan.stages.iter().zip(&self.item.machine.stages).filter_map(|(stage, state)| match state {
            StageState::Stopped { stop, result } => {
                let recorded = result.and_then(|id| self.results.iter().find(|result| result.id == id));
                Some((&stage.name, stop, recorded))
            }
            _ => None,
        })
    }

    fn codes(&self) -> Vec<String> {
        let mut codes = Vec::new();
        for (_, stop, result) in self.stops() {
            match stop {
                Stop::Failed { failure } | Stop::Undecided { failure: Some(failure) } => {
                    codes.push(failure.code.as_str().to_owned());
                }
                Stop::Rejected | Stop::Undecided { failure: None } | Stop::Cancelled => {}
            }
            match result.and_then(|result| result.verdict.as_ref()) {
                Some(Verdict::Fail { reasons }) => codes.extend(reasons.iter().map(|reason| reason.code.clone())),
                Some(Verdict::Uncertain { reason }) => codes.push(reason.code.clone()),
                Some(Verdict::Pass) | None => {}
            }
        }
        codes
    }

    /// Compares the newest value of a name; the input's when no stage has recorded one.
    fn compare(&self, field: &Field, comparison: Comparison, operand: &Operand) -> bool {
        let of_stage = |result: &&ResultRecord| field.stage.as_ref().is_none_or(|stage| result.stage == *stage);
        let recorded = self.results.iter().rev().filter(of_stage).find_map(|result| result.fields.get(&field.name));
        let input = || self.item.input.get(&field.name).filter(|_| field.stage.is_none());
        recorded.or_else(input).is_some_and(|value| compare(value, comparison, operand))
    }
}

fn compare(value: &Value, comparison: Comparison, operand: &Operand) -> bool {
    match (value, operand) {
        (Value::Null, _) => false,
        (Value::Array(values), _) if comparison == Comparison::IsNot => {
            values.iter().all(|value| compare(value, comparison, operand))
        }
        (Value::Array(values), _) => values.iter().any(|value| compare(value, comparison, operand)),
        (_, Operand::Number(number)) => {
            let own = match value {
                Value::Number(own) => own.as_f64(),
                Value::String(text) => text.trim().parse().ok(),
                _ => None,
            };
            own.and_then(|own: f64| own.partial_cmp(number)).is_some_and(|order| comparison.holds(order))
        }
        (_, Operand::Texts(patterns)) => {
            let text = match value {
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            patterns.iter().any(|pattern| is_like(&text, pattern)) == (comparison == Comparison::Is)
        }
    }
}

/// Tells whether a text, already in lower case, is anywhere in a value.
fn has(value: &Value, wanted: &str) -> bool {
    match value {
        Value::String(text) => text.to_lowercase().contains(wanted),
        Value::Array(values) => values.iter().any(|value| has(value, wanted)),
        Value::Object(fields) => fields.values().any(|value| has(value, wanted)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

/// Tells whether a text is like a pattern, in which `*` stands for any text; case does not matter.
fn is_like(text: &str, pattern: &str) -> bool {
    let (text, pattern) = (text.to_lowercase(), pattern.to_lowercase());
    let Some((first, rest)) = pattern.split_once('*') else { return text == pattern };
    let Some(mut left) = text.strip_prefix(first) else { return false };
    let (middle, last) = rest.rsplit_once('*').unwrap_or(("", rest));
    for part in middle.split('*').filter(|part| !part.is_empty()) {
        match left.split_once(part) {
            Some((_, after)) => left = after,
            None => return false,
        }
    }
    left.ends_with(last)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_star_stands_for_any_text() {
        for (text, pattern, like) in [
            ("A Red Car", "a red car", true),
            ("a red car", "red", false),
            ("a red car", "*red*", true),
            ("a red car", "a*car", true),
            ("a red car", "a*d*c*r", true),
            ("a red car", "a*r*d*r*r", false),
            ("aa", "a*a*a", false),
            ("aba", "a*ba", true),
            ("", "*", true),
            ("ab", "ab*b", false),
        ] {
            assert_eq!(is_like(text, pattern), like, "{text} {pattern}");
        }
    }

    #[test]
    fn values_compare_by_what_they_are() {
        let number = |number| Operand::Number(number);
        let text = |text: &str| Operand::Texts(vec![text.to_owned()]);
        for (value, comparison, operand, holds) in [
            (json!(5), Comparison::Less, number(5.5), true),
            (json!("5"), Comparison::Is, number(5.0), true),
            (json!("five"), Comparison::Is, number(5.0), false),
            (json!("five"), Comparison::IsNot, number(5.0), false),
            (json!(["cat", "dog"]), Comparison::Is, text("dog"), true),
            (json!(["cat", "dog"]), Comparison::IsNot, text("dog"), false),
            (json!(["cat", "dog"]), Comparison::IsNot, text("owl"), true),
            (json!(true), Comparison::Is, text("TRUE"), true),
            (json!(null), Comparison::IsNot, text("a"), false),
            (json!("Heron"), Comparison::Is, text("her*"), true),
            (json!("Heron"), Comparison::IsNot, text("her*"), false),
        ] {
            assert_eq!(compare(&value, comparison, &operand), holds, "{value} {comparison:?} {operand:?}");
        }
    }
}
