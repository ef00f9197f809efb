//! The port of the budgets: what a job, or an owner's jobs together, may spend.

use std::fmt;
use std::str::FromStr;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::id::JobId;
use crate::model::Money;

use super::gate::GateKey;

/// Whose budget it is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BudgetKey {
    /// One job's.
    Job(JobId),
    /// That of all jobs of an owner together.
    Owner(String),
}

impl BudgetKey {
    /// Returns the gate at which what the budget holds back waits.
    pub fn gate(&self) -> GateKey {
        GateKey::new(format!("{GATE}{self}"))
    }

    /// Returns the budget that holds back what waits at a gate; `None` when that is another one.
    pub fn of_gate(gate: &str) -> Option<Self> {
        gate.strip_prefix(GATE)?.parse().ok()
    }
}

/// How the gates of budgets begin.
const GATE: &str = "budget:";

impl fmt::Display for BudgetKey {
    /// Prints `job:ID` or `owner:NAME`, as stored and shown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Job(id) => write!(f, "job:{id}"),
            Self::Owner(name) => write!(f, "owner:{name}"),
        }
    }
}

impl FromStr for BudgetKey {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let wrong =
            || Error::invalid("this does not name a budget").with("key", text).with("accepted", "job:ID or owner:NAME");
        match text.split_once(':') {
            Some(("job", id)) => id.parse().map(Self::Job).map_err(|_| wrong()),
            Some(("owner", name)) => Ok(Self::Owner(name.to_owned())),
            Some(_) | None => Err(wrong()),
        }
    }
}

impl Serialize for BudgetKey {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Which of the two budgets of a call is in its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BudgetScope {
    /// The job's.
    Job,
    /// Its owner's.
    Owner,
}

/// What closed a budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Closed {
    /// A call that wants so much would pass it; of several, the least.
    Wants(Money),
    /// Nobody knows what a call may cost at most.
    Unpriced,
}

/// A budget as it stands: the one rule all stores share.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Budget {
    /// Whose it is.
    pub key: BudgetKey,
    /// What may be spent, over all time.
    pub amount: Money,
    /// What settled calls have cost.
    pub spent: Money,
    /// What calls without a known outcome may cost at most.
    pub reserved: Money,
    /// Why paid work waits; `None` while the budget is open.
    pub closed: Option<Closed>,
}

impl Budget {
    /// Makes an open budget of which nothing is spent.
    pub fn new(key: BudgetKey, amount: Money) -> Self {
        Self { key, amount, spent: Money::ZERO, reserved: Money::ZERO, closed: None }
    }

    /// Tells which of a call's budgets it is.
    pub fn scope(&self) -> BudgetScope {
        match self.key {
            BudgetKey::Job(_) => BudgetScope::Job,
            BudgetKey::Owner(_) => BudgetScope::Owner,
        }
    }

    /// Returns what is neither spent nor reserved.
    pub fn left(&self) -> Money {
        let used = self.spent + self.reserved;
        Money::from_micros(self.amount.as_micros().saturating_sub(used.as_micros()).max(0))
    }

    /// Reserves what a call may cost at most, where that is known. What costs nothing always passes.
    ///
    /// # Errors
    /// When it may not pass: why. The budget is closed then, and nothing is reserved.
    pub fn admit(&mut self, price: Option<Money>) -> std::result::Result<(), Closed> {
        let Some(price) = price else {
            self.closed = Some(Closed::Unpriced);
            return Err(Closed::Unpriced);
        };
        if price > Money::ZERO && !self.fits(price) {
            let least = match self.closed {
                Some(Closed::Wants(wanted)) => wanted.min(price),
                Some(Closed::Unpriced) | None => price,
            };
            self.closed = Some(Closed::Wants(least));
            return Err(Closed::Wants(price));
        }
        self.reserved += price;
        Ok(())
    }

    /// Turns a call's reservation into what it cost, and opens when what was refused has room now.
    pub fn settle(&mut self, reserved: Money, cost: Money) {
        self.reserved = Money::from_micros(self.reserved.as_micros().saturating_sub(reserved.as_micros()));
        self.spent += cost;
        if let Some(Closed::Wants(wanted)) = self.closed
            && self.fits(wanted)
        {
            self.closed = None;
        }
    }

    /// Changes what may be spent. The budget is open then: whatever was refused may ask again, once.
    pub fn set(&mut self, amount: Money) {
        self.amount = amount;
        self.closed = None;
    }

    fn fits(&self, price: Money) -> bool {
        self.spent + self.reserved + price <= self.amount
    }
}

/// Keeps the budgets. Calls reserve of them in [`super::WorkQueue::commit`].
///
/// # Contract
/// 1. *Never passed.* A commit with the intent of a call is refused, whole, when what was spent, what is reserved and what
///    the call may cost at most would pass the budget of its job or of the job's owner, over all processes.
/// 2. *Reserved until known.* An open or unknown call keeps its reservation, also when it is opened again; settled, it
///    counts with what it cost.
/// 3. *Closed.* While the budget of a job or of its owner is closed by a refusal, `claim` hands out nothing of the job that
///    comes to a gate next, and `next_at` does not count it. What a session held that has ended, and has a call without a
///    known outcome, goes on with that call, and comes to no gate.
/// 4. *Opened.* `set_budget` opens a budget whatever the amount, and so does a settlement that makes room for what was
///    refused. What waited is handed out then.
/// 5. *At any time.* A budget counts what was spent and reserved before it was set.
/// 6. *Unpriced.* While a budget is set, a call of which nobody knows what it may cost at most is refused.
/// 7. *Only good ones.* An amount that is not more than nothing is `Invalid`, a job that is not there is `NotFound`, one that
///    has ended is a `Conflict`; nothing is changed.
#[async_trait]
pub trait BudgetKeeper {
    /// Sets what may be spent, or that there is no budget; returns how it stands.
    async fn set_budget(&self, key: BudgetKey, amount: Option<Money>) -> Result<Option<Budget>>;

    /// Lists the budgets of owners and of jobs that have not ended, by key.
    async fn budgets(&self) -> Result<Vec<Budget>>;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dollars(dollars: i64) -> Money {
        Money::from_micros(dollars * 1_000_000)
    }

    fn budget(amount: i64) -> Budget {
        Budget::new(BudgetKey::Owner("me".to_owned()), dollars(amount))
    }

    #[test]
    fn a_budget_reserves_to_the_last_cent_and_no_further() {
        let mut budget = budget(3);
        assert_eq!((budget.admit(Some(dollars(2))), budget.admit(Some(dollars(1)))), (Ok(()), Ok(())));
        assert_eq!(budget.admit(Some(Money::from_micros(1))), Err(Closed::Wants(Money::from_micros(1))));
        assert_eq!((budget.left(), budget.reserved), (Money::ZERO, dollars(3)));
        assert_eq!(budget.admit(Some(Money::ZERO)), Ok(()), "what costs nothing passes");
    }

    #[test]
    fn it_opens_when_the_least_of_what_was_refused_has_room() {
        let mut budget = budget(3);
        budget.admit(Some(dollars(3))).unwrap();
        assert!(budget.admit(Some(dollars(2))).is_err() && budget.admit(Some(dollars(3))).is_err());
        assert_eq!(budget.closed, Some(Closed::Wants(dollars(2))));
        budget.settle(dollars(3), dollars(2));
        assert_eq!(budget.closed, Some(Closed::Wants(dollars(2))), "one is left, and two are wanted");
        budget.set(dollars(4));
        assert_eq!((budget.closed, budget.admit(Some(dollars(2)))), (None, Ok(())));
        budget.settle(dollars(2), Money::ZERO);
        assert_eq!((budget.spent, budget.reserved), (dollars(2), Money::ZERO));
    }

    #[test]
    fn what_nobody_knows_the_price_of_never_passes() {
        let mut budget = budget(1_000);
        assert_eq!(budget.admit(None), Err(Closed::Unpriced));
        budget.settle(Money::ZERO, Money::ZERO);
        assert_eq!(budget.closed, Some(Closed::Unpriced), "no settlement makes the price known");
    }

    #[test]
    fn a_key_reads_back_as_written() {
        let owner = BudgetKey::Owner("a: b".to_owned());
        assert_eq!(owner.to_string().parse::<BudgetKey>().unwrap(), owner);
        assert_eq!(BudgetKey::of_gate(owner.gate().as_str()), Some(owner));
        assert_eq!(BudgetKey::of_gate("provider:owner:me"), None);
        assert!("job:7".parse::<BudgetKey>().is_err() && "me".parse::<BudgetKey>().is_err());
    }
}
