//! A query as it is understood.

use crate::id::StageName;
use crate::model::{ItemStatus, Money};

/// Which items: those for which all terms hold.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Query {
    /// In the order in which they were typed.
    pub terms: Vec<Term>,
}

/// One condition.
#[derive(Clone, Debug, PartialEq)]
pub struct Term {
    /// Whether it holds for those for which the test does not.
    pub negated: bool,
    /// The test.
    pub test: Test,
}

/// What is tested.
#[derive(Clone, Debug, PartialEq)]
pub enum Test {
    /// In one of these states.
    State(Vec<ItemStatus>),
    /// One of these stages ended its walk.
    Stage(Vec<StageName>),
    /// A failure or a reason with one of these codes ended its walk.
    Code(Vec<String>),
    /// The number of its round.
    Round(Comparison, u32),
    /// Its id begins with one of these.
    Id(Vec<String>),
    /// Its name is one of these patterns.
    Name(Vec<String>),
    /// What it has cost.
    Cost(Comparison, Money),
    /// It has one of these tags.
    Tag(Vec<String>),
    /// What was recorded for it, or its input.
    Field(Field, Comparison, Operand),
    /// A text is anywhere in what people can see of it.
    Text(String),
}

/// The name of a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// Only what this stage has recorded.
    pub stage: Option<StageName>,
    /// The name of the output, or of the column of the input.
    pub name: String,
}

/// How two values are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// Equal; for texts also as a pattern.
    Is,
    /// Not equal.
    IsNot,
    /// Less.
    Less,
    /// Less or equal.
    AtMost,
    /// Greater.
    Greater,
    /// Greater or equal.
    AtLeast,
}

/// What a value is compared with.
#[derive(Clone, Debug, PartialEq)]
pub enum Operand {
    /// A number.
    Number(f64),
    /// One of these patterns.
    Texts(Vec<String>),
}

impl Query {
    /// Tells whether results are needed to answer it.
    pub fn needs_results(&self) -> bool {
        self.terms.iter().any(|term| match term.test {
            Test::Code(_) | Test::Tag(_) | Test::Field(..) | Test::Text(_) => true,
            Test::State(_) | Test::Stage(_) | Test::Round(..) | Test::Id(_) | Test::Name(_) | Test::Cost(..) => false,
        })
    }

    /// Returns the states the items must be in; empty when any state may be.
    pub fn statuses(&self) -> Vec<ItemStatus> {
        let wanted = |status: &ItemStatus| {
            self.terms.iter().all(|term| match &term.test {
                Test::State(states) => states.contains(status) != term.negated,
                _ => true,
            })
        };
        if self.terms.iter().any(Term::restricts_states) {
            ItemStatus::ALL.iter().copied().filter(wanted).collect()
        } else {
            Vec::new()
        }
    }

    /// Returns every stage it names.
    pub fn stages(&self) -> Vec<&StageName> {
        let mut named = Vec::new();
        for term in &self.terms {
            match &term.test {
                Test::Stage(stages) => named.extend(stages),
                Test::Field(field, ..) => named.extend(&field.stage),
                _ => {}
            }
        }
        named
    }
}

impl Term {
    /// Tells whether it says in which states items must be.
    pub fn restricts_states(&self) -> bool {
        matches!(self.test, Test::State(_))
    }
}

impl Comparison {
    /// Tells whether it holds between two values in this order.
    pub fn holds(self, order: std::cmp::Ordering) -> bool {
        match self {
            Self::Is => order.is_eq(),
            Self::IsNot => order.is_ne(),
            Self::Less => order.is_lt(),
            Self::AtMost => order.is_le(),
            Self::Greater => order.is_gt(),
            Self::AtLeast => order.is_ge(),
        }
    }
}
