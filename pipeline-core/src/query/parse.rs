//! Reading a query.

use std::str::FromStr;

use crate::id::StageName;
use crate::model::{ItemStatus, Money};

use super::term::{Comparison, Field, Operand, Query, Term, Test};

/// What is wrong with a query.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("column {column}: {message}")]
pub struct QueryError {
    /// Where, in characters from 1.
    pub column: usize,
    /// What is wrong, and what would be accepted.
    pub message: String,
}

/// A longer query is refused before it is read.
const LONGEST: usize = 10_000;

/// The comparisons, longer ones first.
const COMPARISONS: [(&str, Comparison); 7] = [
    ("<=", Comparison::AtMost),
    (">=", Comparison::AtLeast),
    ("!=", Comparison::IsNot),
    ("<", Comparison::Less),
    (">", Comparison::Greater),
    ("=", Comparison::Is),
    (":", Comparison::Is),
];

impl FromStr for Query {
    type Err = QueryError;

    fn from_str(text: &str) -> Result<Self, QueryError> {
        if text.len() > LONGEST {
            return Err(QueryError { column: 1, message: format!("the query is longer than {LONGEST} bytes") });
        }
        let mut reader = Reader { text, at: 0 };
        let mut terms = Vec::new();
        while reader.skip_blanks() {
            terms.push(reader.term()?);
        }
        Ok(Self { terms })
    }
}

struct Reader<'a> {
    text: &'a str,
    /// In bytes.
    at: usize,
}

impl<'a> Reader<'a> {
    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    /// Tells whether something follows.
    fn skip_blanks(&mut self) -> bool {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start().len();
        self.at < self.text.len()
    }

    fn error(&self, at: usize, message: impl Into<String>) -> QueryError {
        let before = self.text.get(..at).unwrap_or(self.text);
        QueryError { column: before.chars().count() + 1, message: message.into() }
    }

    fn term(&mut self) -> Result<Term, QueryError> {
        let begin = self.at;
        let negated = self.rest().starts_with('-');
        self.at += usize::from(negated);
        if self.rest().starts_with('"') {
            let text = self.quoted()?;
            return Ok(Term { negated, test: Test::Text(text) });
        }
        let key_at = self.at;
        let key: String = self.rest().chars().take_while(|c| c.is_alphanumeric() || "_.-".contains(*c)).collect();
        self.at += key.len();
        let Some((sign, comparison)) = COMPARISONS.iter().find(|(sign, _)| self.rest().starts_with(sign)) else {
            // A word without a comparison is a text; it ends at a blank.
            let more: String = self.rest().chars().take_while(|c| !c.is_whitespace()).collect();
            self.at += more.len();
            let word = key + &more;
            if word.is_empty() {
                return Err(self.error(begin, "a term is missing; accepted: key:value, key<number or \"a text\""));
            }
            return Ok(Term { negated, test: Test::Text(word) });
        };
        self.at += sign.len();
        let value_at = self.at;
        let values = self.values()?;
        if key.is_empty() {
            return Err(self.error(key_at, format!("there is no key before `{sign}`")));
        }
        if values.iter().any(String::is_empty) {
            return Err(self.error(value_at, format!("there is no value after `{key}{sign}`")));
        }
        let test = self.test((key_at, &key), *comparison, (value_at, &values))?;
        Ok(Term { negated, test })
    }

    fn quoted(&mut self) -> Result<String, QueryError> {
        let begin = self.at;
        let mut text = String::new();
        let mut characters = self.rest().char_indices().skip(1);
        while let Some((offset, character)) = characters.next() {
            match character {
                '"' => {
                    self.at = begin + offset + 1;
                    return Ok(text);
                }
                '\\' => text.extend(characters.next().map(|(_, next)| next)),
                other => text.push(other),
            }
        }
        Err(self.error(begin, "the text has no end: `\"` is missing"))
    }

    /// Reads one value, or several between commas.
    fn values(&mut self) -> Result<Vec<String>, QueryError> {
        let mut values = Vec::new();
        loop {
            if self.rest().starts_with('"') {
                values.push(self.quoted()?);
            } else {
                let value: String = self.rest().chars().take_while(|c| !c.is_whitespace() && *c != ',').collect();
                self.at += value.len();
                values.push(value);
            }
            if !self.rest().starts_with(',') {
                return Ok(values);
            }
            self.at += 1;
        }
    }

    fn test(
        &self,
        (key_at, key): (usize, &str),
        comparison: Comparison,
        (at, values): (usize, &[String]),
    ) -> Result<Test, QueryError> {
        let only = |allowed: bool, accepted: &str| {
            if allowed {
                Ok(())
            } else {
                Err(self.error(key_at, format!("`{key}` cannot be compared so; accepted: {accepted}")))
            }
        };
        let is = comparison == Comparison::Is;
        match key {
            "state" | "status" => {
                only(is, "state:WORD")?;
                let read =
                    |value: &String| value.parse::<ItemStatus>().map_err(|error| self.error(at, error.to_string()));
                Ok(Test::State(values.iter().map(read).collect::<Result<_, _>>()?))
            }
            "stage" => {
                only(is, "stage:NAME")?;
                Ok(Test::Stage(values.iter().map(|value| self.stage(at, value)).collect::<Result<_, _>>()?))
            }
            "code" => only(is, "code:WORD").map(|()| Test::Code(values.to_vec())),
            "id" => only(is, "id:BEGINNING").map(|()| Test::Id(values.iter().map(|id| id.to_lowercase()).collect())),
            "name" => only(is, "name:TEXT").map(|()| Test::Name(values.to_vec())),
            "tag" => only(is, "tag:TEXT").map(|()| Test::Tag(values.to_vec())),
            "round" => {
                let number = self.one(at, key, values)?;
                let wrong = |_| self.error(at, format!("`{number}` is not a round; accepted: whole numbers from 1"));
                Ok(Test::Round(comparison, number.parse().map_err(wrong)?))
            }
            "cost" => {
                let amount = self.one(at, key, values)?;
                // Nothing is an amount here, though not one that can be spent.
                let zero = amount.parse::<f64>().is_ok_and(|amount| amount == 0.0);
                let wrong = |_| self.error(at, format!("`{amount}` is not an amount; accepted: dollars such as 0.05"));
                Ok(Test::Cost(comparison, if zero { Money::ZERO } else { amount.parse().map_err(wrong)? }))
            }
            _ => {
                let (stage, name) = match key.split_once('.') {
                    Some((stage, name)) => (Some(self.stage(key_at, stage)?), name),
                    None => (None, key),
                };
                let field = Field { stage, name: name.to_owned() };
                let number = match values {
                    [value] => value.parse::<f64>().ok().filter(|number| number.is_finite()),
                    _ => None,
                };
                let operand = match (comparison, number) {
                    (_, Some(number)) => Operand::Number(number),
                    (Comparison::Is | Comparison::IsNot, None) => Operand::Texts(values.to_vec()),
                    (_, None) => {
                        let value = values.join(",");
                        return Err(self.error(at, format!("`{value}` is not a number; `<` and `>` compare numbers")));
                    }
                };
                Ok(Test::Field(field, comparison, operand))
            }
        }
    }

    fn stage(&self, at: usize, name: &str) -> Result<StageName, QueryError> {
        StageName::new(name).map_err(|error| self.error(at, error.to_string()))
    }

    fn one<'b>(&self, at: usize, key: &str, values: &'b [String]) -> Result<&'b str, QueryError> {
        match values {
            [value] => Ok(value),
            _ => Err(self.error(at, format!("`{key}` takes one value"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Vec<Test> {
        text.parse::<Query>().unwrap().terms.into_iter().map(|term| term.test).collect()
    }

    #[test]
    fn terms_are_read_as_they_are_documented() {
        let field = |stage: Option<&str>, name: &str| Field {
            stage: stage.map(|stage| StageName::new(stage).unwrap()),
            name: name.to_owned(),
        };
        let query: Query =
            "state:failed,rejected  -stage:qc qc.sharpness<=100.5 tag:\"red, car\" \"a \\\"b\" word".parse().unwrap();
        assert_eq!(
            query.terms.iter().map(|term| term.negated).collect::<Vec<_>>(),
            [false, true, false, false, false, false]
        );
        let tests: Vec<Test> = query.terms.into_iter().map(|term| term.test).collect();
        assert_eq!(
            tests,
            [
                Test::State(vec![ItemStatus::Failed, ItemStatus::Rejected]),
                Test::Stage(vec![StageName::new("qc").unwrap()]),
                Test::Field(field(Some("qc"), "sharpness"), Comparison::AtMost, Operand::Number(100.5)),
                Test::Tag(vec!["red, car".to_owned()]),
                Test::Text("a \"b".to_owned()),
                Test::Text("word".to_owned()),
            ]
        );
        assert_eq!(
            parsed("round>1 cost>=0.05 cost=0"),
            [
                Test::Round(Comparison::Greater, 1),
                Test::Cost(Comparison::AtLeast, Money::from_micros(50_000)),
                Test::Cost(Comparison::Is, Money::ZERO),
            ]
        );
        assert_eq!(
            parsed("keyword!=heron"),
            [Test::Field(field(None, "keyword"), Comparison::IsNot, Operand::Texts(vec!["heron".to_owned()]))]
        );
        assert_eq!(parsed("  "), []);
    }

    #[test]
    fn what_is_wrong_is_told_with_its_column_and_what_is_accepted() {
        for (text, column, word) in [
            ("state:done", 7, "succeeded"),
            ("ok state<failed", 4, "state:WORD"),
            ("name:a \"open", 8, "no end"),
            ("sharpness<high", 11, "not a number"),
            ("round:0x", 7, "whole numbers"),
            ("cost<cheap", 6, "dollars"),
            ("a:1 :b", 5, "no key"),
            ("ü stage:", 9, "no value"),
            ("round:1,2", 7, "one value"),
            ("a:1 -", 5, "missing"),
        ] {
            let error = text.parse::<Query>().unwrap_err();
            assert!(error.column == column && error.message.contains(word), "{text}: {error}");
        }
    }
}
