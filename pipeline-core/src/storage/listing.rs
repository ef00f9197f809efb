//! Which jobs to list, in which order, and where a page begins.

use std::fmt;
use std::str::FromStr;

use crate::error::{Error, Result};
use crate::id::JobId;
use crate::model::JobStatus;
use crate::time::Timestamp;

use super::job::JobRecord;

/// Which jobs to list, newest first unless said otherwise.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JobQuery {
    /// Only ids that begin so.
    pub id_prefix: Option<String>,
    /// Only this label.
    pub label: Option<String>,
    /// Only labels that begin so, letter for letter.
    pub label_prefix: Option<String>,
    /// Only this owner's.
    pub owner: Option<String>,
    /// Only these states; empty means all.
    pub statuses: Vec<JobStatus>,
    /// Only of this pipeline.
    pub pipeline: Option<String>,
    /// Only those submitted at this time or later.
    pub since: Option<Timestamp>,
    /// Only those submitted before this time.
    pub until: Option<Timestamp>,
    /// Only those made from this job.
    pub parent: Option<JobId>,
    /// Only those of which a person has retried an item, or only the others.
    pub retried: Option<bool>,
    /// In which order.
    pub order: JobOrder,
    /// Only those that come after this place.
    pub after: Option<JobCursor>,
    /// At most this many; 0 means 100.
    pub limit: u32,
}

impl JobQuery {
    /// Returns where the page begins.
    ///
    /// # Errors
    /// `Invalid` for a cursor of another order.
    pub fn place(&self) -> Result<Option<&JobCursor>> {
        match &self.after {
            Some(cursor) if cursor.order != self.order => Err(Error::invalid("the cursor belongs to another order")
                .with("cursor", cursor)
                .with("order", self.order)
                .with("accepted", format!("order {}", cursor.order))),
            after => Ok(after.as_ref()),
        }
    }

    /// Returns the least label with the wanted prefix, and the first beyond them; `None` for the second when there is none.
    pub fn labels(&self) -> Option<(&str, Option<String>)> {
        let prefix = self.label_prefix.as_deref()?;
        let mut beyond = prefix.to_owned();
        while let Some(last) = beyond.pop() {
            // Texts compare by code points: UTF-8 keeps their order.
            let next = (u32::from(last) + 1..=u32::from(char::MAX)).find_map(char::from_u32);
            if let Some(next) = next {
                beyond.push(next);
                return Some((prefix, Some(beyond)));
            }
        }
        Some((prefix, None))
    }
}

/// What jobs are ordered by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum JobSort {
    /// When they were submitted.
    #[default]
    Created,
    /// When they ended; those that have not come after all that have.
    Ended,
    /// Their priority.
    Priority,
    /// Their label, by code points.
    Label,
    /// What they have cost. There is no index for it: every job that passes the filters is read.
    Cost,
}

impl JobSort {
    /// Every order, as documented.
    pub const ALL: &[Self] = &[Self::Created, Self::Ended, Self::Priority, Self::Label, Self::Cost];

    /// Returns the word users see.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Ended => "ended",
            Self::Priority => "priority",
            Self::Label => "label",
            Self::Cost => "cost",
        }
    }
}

/// An order of jobs; newest first by default. As text, a minus before the word turns it round.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct JobOrder {
    /// What they are ordered by.
    pub by: JobSort,
    /// The greatest first.
    pub descending: bool,
}

impl Default for JobOrder {
    fn default() -> Self {
        Self { by: JobSort::Created, descending: true }
    }
}

impl fmt::Display for JobOrder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", if self.descending { "-" } else { "" }, self.by.as_str())
    }
}

impl FromStr for JobOrder {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let (word, descending) = text.strip_prefix('-').map_or((text, false), |word| (word, true));
        let by = JobSort::ALL.iter().copied().find(|sort| sort.as_str() == word);
        by.map(|by| Self { by, descending }).ok_or_else(|| {
            let words: Vec<&str> = JobSort::ALL.iter().map(|sort| sort.as_str()).collect();
            Error::invalid("jobs cannot be sorted by that")
                .with("sort", text)
                .with("accepted", format!("{}, with - before it for the greatest first", words.join(", ")))
        })
    }
}

/// What a job is placed by in an order.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum JobKeyOf {
    /// A time in microseconds, a priority, or an amount in millionths.
    Number(i64),
    /// A label.
    Text(String),
}

/// A place in an order of jobs: right after a job. Its text is opaque.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobCursor {
    /// The order.
    pub order: JobOrder,
    /// What the job is placed by.
    pub key: JobKeyOf,
    /// The job.
    pub id: JobId,
}

impl JobCursor {
    /// Returns the place of a job.
    pub fn of(job: &JobRecord, order: JobOrder) -> Self {
        let key = match order.by {
            JobSort::Created => JobKeyOf::Number(job.created_at.as_micros()),
            JobSort::Ended => JobKeyOf::Number(job.ended_at.map_or(i64::MAX, Timestamp::as_micros)),
            JobSort::Priority => JobKeyOf::Number(i64::from(job.priority)),
            JobSort::Label => JobKeyOf::Text(job.label.clone()),
            JobSort::Cost => JobKeyOf::Number(job.cost.as_micros()),
        };
        Self { order, key, id: job.id }
    }
}

impl fmt::Display for JobCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let turned = if self.order.descending { 'd' } else { 'a' };
        write!(f, "{}.{turned}.{}.", self.order.by.as_str(), self.id)?;
        match &self.key {
            JobKeyOf::Number(number) => write!(f, "{number}"),
            // Letters and digits only, whatever the label is made of.
            JobKeyOf::Text(text) => text.bytes().try_for_each(|byte| write!(f, "{byte:02x}")),
        }
    }
}

impl FromStr for JobCursor {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        read(text).ok_or_else(|| {
            Error::invalid("this is no cursor of a list of jobs")
                .with("cursor", text)
                .with("accepted", "the one an earlier page has told, as it is")
        })
    }
}

fn read(text: &str) -> Option<JobCursor> {
    let mut parts = text.splitn(4, '.');
    let by = parts.next()?;
    let by = JobSort::ALL.iter().copied().find(|sort| sort.as_str() == by)?;
    let descending = match parts.next()? {
        "d" => true,
        "a" => false,
        _ => return None,
    };
    let id = parts.next()?.parse().ok()?;
    let key = parts.next()?;
    let key = if by == JobSort::Label { JobKeyOf::Text(unhex(key)?) } else { JobKeyOf::Number(key.parse().ok()?) };
    Some(JobCursor { order: JobOrder { by, descending }, key, id })
}

fn unhex(text: &str) -> Option<String> {
    let digits: Option<Vec<u8>> = text.chars().map(|digit| Some(digit.to_digit(16)? as u8)).collect();
    let digits = digits.filter(|digits| digits.len() % 2 == 0)?;
    let bytes = digits.chunks_exact(2).filter_map(|pair| Some(pair.first()? << 4 | pair.get(1)?)).collect();
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_reads_back() {
        for text in ["created", "-created", "ended", "-priority", "label", "-cost"] {
            assert_eq!(text.parse::<JobOrder>().unwrap().to_string(), text);
        }
        for wrong in ["", "-", "--created", "Created", "size"] {
            let error = wrong.parse::<JobOrder>().unwrap_err().to_string();
            assert!(error.contains("created, ended, priority, label, cost"), "{error}");
        }
    }

    #[test]
    fn a_cursor_reads_back_whatever_the_label_is_and_nothing_else_is_one() {
        let id: JobId = "0198c1a2-7c3e-7000-8000-000000000000".parse().unwrap();
        for (order, key) in [
            ("-created", JobKeyOf::Number(-5)),
            ("ended", JobKeyOf::Number(i64::MAX)),
            ("label", JobKeyOf::Text(String::new())),
            ("-label", JobKeyOf::Text("a.b ü\u{1f431}\n".to_owned())),
        ] {
            let cursor = JobCursor { order: order.parse().unwrap(), key, id };
            let text = cursor.to_string();
            assert!(text.chars().all(|c| c.is_ascii_alphanumeric() || ".-".contains(c)), "{text}");
            assert_eq!(text.parse::<JobCursor>().unwrap(), cursor);
        }
        for wrong in ["", "created", "created.d", "created.x.0198c1a2-7c3e-7000-8000-000000000000.1", "label.a.x.zz"] {
            assert!(wrong.parse::<JobCursor>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_prefix_is_a_range_of_labels() {
        let range = |prefix: &str| {
            let query = JobQuery { label_prefix: Some(prefix.to_owned()), ..JobQuery::default() };
            query.labels().map(|(least, beyond)| (least.to_owned(), beyond)).unwrap()
        };
        assert_eq!(range("ab").1.as_deref(), Some("ac"));
        assert_eq!(range("a\u{d7ff}").1.as_deref(), Some("a\u{e000}"), "no code point is a surrogate");
        assert_eq!(range("a\u{10ffff}").1.as_deref(), Some("b"));
        assert_eq!(range("\u{10ffff}").1, None);
        assert_eq!(range("").1, None);
    }
}
