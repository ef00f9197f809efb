//! The vendor's books: what was asked for, what was sold, and what it came to.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::picture;
use super::script::{Reply, Seen, VendorScript};

/// What the vendor has charged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Charges {
    /// How many requests were charged.
    pub calls: u64,
    /// How many pictures.
    pub pictures: u64,
    /// How much, in millionths of a dollar.
    pub micros: i64,
}

/// What the vendor has seen and charged, in detail: the body of `GET /charges`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Statement {
    /// How many requests were charged.
    pub charges: u64,
    /// How many pictures.
    pub pictures: u64,
    /// How much, in millionths of a dollar.
    pub micros: i64,
    /// How often each idempotency key was charged.
    pub by_key: BTreeMap<String, u64>,
    /// How often each task or order was charged.
    pub by_task: BTreeMap<String, u64>,
    /// How many charges were for exactly what had been charged before: the same prompt, size and seeds.
    pub repeated: u64,
    /// Orders and tasks submitted since the vendor was started, charged or not.
    pub requests: u64,
    /// Polls answered since the vendor was started.
    pub polls: u64,
}

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(super) struct Order {
    pub(super) prompt: String,
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) n: u32,
    #[serde(default)]
    pub(super) seed: u64,
    /// One for each picture; `seed` and the numbers after it when there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) seeds: Vec<u64>,
}

/// One order taken. Everything delivered follows from it, so that it outlives the vendor's process.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Sale {
    pub(super) id: String,
    pub(super) key: Option<String>,
    pub(super) order: Order,
    pub(super) pictures: u32,
    pub(super) micros: i64,
    /// A task that will end as failed, and is not charged.
    pub(super) fails: bool,
    /// Milliseconds since 1970.
    pub(super) sold_at: u64,
    pub(super) ready_at: u64,
}

impl Sale {
    pub(super) fn seed(&self, index: u32) -> u64 {
        let listed = self.order.seeds.get(index as usize).copied();
        listed.unwrap_or_else(|| self.order.seed.wrapping_add(u64::from(index)))
    }

    /// Returns the delivery; `files` is the address of the pictures when they come as links.
    pub(super) fn delivery(&self, quotes: bool, files: Option<&str>) -> Result<Value, png::EncodingError> {
        let mut pictures = Vec::new();
        for index in 0..self.pictures {
            let mut picture = json!({ "index": index, "seed": self.seed(index) });
            match files {
                Some(address) => picture["url"] = json!(format!("{address}/{}-{index}", self.id)),
                None => picture["b64"] = json!(STANDARD.encode(self.file(index)?)),
            }
            pictures.push(picture);
        }
        let mut answer = json!({ "id": self.id, "images": pictures });
        if quotes {
            answer["cost_micros"] = json!(self.micros);
        }
        Ok(answer)
    }

    pub(super) fn file(&self, index: u32) -> Result<Vec<u8>, png::EncodingError> {
        picture::draw(self.order.width, self.order.height, self.seed(index))
    }
}

/// The vendor's books.
#[derive(Debug)]
pub(super) struct Books {
    pub(super) script: VendorScript,
    pub(super) requests: Vec<Seen>,
    pub(super) polls: u64,
    started: Instant,
    turns: u64,
    sales: Vec<Sale>,
    by_id: HashMap<String, usize>,
    by_key: HashMap<String, usize>,
    log: Option<File>,
}

impl Books {
    /// Opens books; what a log file already holds was sold before.
    pub(super) fn open(script: VendorScript, log: Option<&Path>) -> io::Result<Self> {
        let mut books = Self {
            script,
            requests: Vec::new(),
            polls: 0,
            started: Instant::now(),
            turns: 0,
            sales: Vec::new(),
            by_id: HashMap::new(),
            by_key: HashMap::new(),
            log: None,
        };
        if let Some(path) = log {
            let file = OpenOptions::new().create(true).append(true).read(true).open(path)?;
            let text = std::fs::read(path)?;
            // A line that was cut was never answered.
            let whole = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
            file.set_len(whole as u64)?;
            for line in
                text.get(..whole).unwrap_or_default().split(|byte| *byte == b'\n').filter(|line| !line.is_empty())
            {
                books.enter(serde_json::from_slice(line)?);
            }
            books.log = Some(file);
        }
        Ok(books)
    }

    /// Returns what happens to the next request or poll, when it is nothing usual.
    pub(super) fn turn(&mut self, poll: bool) -> Option<Reply> {
        if poll && !self.script.faults_on_polls {
            return self.script.polls.pop_front();
        }
        self.turns += 1;
        let queue = if poll { &mut self.script.polls } else { &mut self.script.replies };
        let scripted = queue.pop_front();
        self.script.fault(self.turns, self.started.elapsed()).or(scripted)
    }

    /// Takes an order: charges, writes it down durably, and returns it. A key known already is not charged again.
    pub(super) fn sell(&mut self, order: Order, count: u32, key: Option<&str>, task: bool) -> io::Result<Sale> {
        if let Some(sale) = key.filter(|_| self.script.idempotent).and_then(|key| self.sale_of_key(key)) {
            return Ok(sale.clone());
        }
        let number = self.sales.len() as u64 + 1;
        let fails = task && self.script.fail_tasks_every.is_some_and(|n| number.is_multiple_of(n));
        let sold_at = now();
        let sale = Sale {
            id: format!("{}-{number}", if task { "task" } else { "order" }),
            key: key.map(str::to_owned),
            order,
            pictures: if fails { 0 } else { count },
            micros: if fails { 0 } else { self.script.price_micros * i64::from(count) },
            fails,
            sold_at,
            ready_at: sold_at + if task { millis(self.script.latency) } else { 0 },
        };
        if let Some(log) = &mut self.log {
            let mut line = serde_json::to_vec(&sale)?;
            line.push(b'\n');
            log.write_all(&line)?;
            log.sync_data()?;
        }
        self.enter(sale.clone());
        Ok(sale)
    }

    fn enter(&mut self, sale: Sale) {
        let place = self.sales.len();
        self.by_id.insert(sale.id.clone(), place);
        if let Some(key) = &sale.key {
            self.by_key.entry(key.clone()).or_insert(place);
        }
        self.sales.push(sale);
    }

    /// Returns what was sold under an id, unless it is forgotten.
    pub(super) fn sale(&self, id: &str) -> Option<&Sale> {
        let sale = self.sales.get(*self.by_id.get(id)?)?;
        let age = Duration::from_millis(now().saturating_sub(sale.sold_at));
        self.script.forget_after.is_none_or(|limit| age < limit).then_some(sale)
    }

    pub(super) fn sale_of_key(&self, key: &str) -> Option<&Sale> {
        self.sales.get(*self.by_key.get(key)?)
    }

    pub(super) fn charges(&self) -> Charges {
        let charged = self.sales.iter().filter(|sale| !sale.fails);
        charged.fold(Charges::default(), |sum, sale| Charges {
            calls: sum.calls + 1,
            pictures: sum.pictures + u64::from(sale.pictures),
            micros: sum.micros + sale.micros,
        })
    }

    pub(super) fn statement(&self) -> Statement {
        let Charges { calls, pictures, micros } = self.charges();
        let (requests, polls) = (self.requests.len() as u64, self.polls);
        let mut statement = Statement { charges: calls, pictures, micros, requests, polls, ..Statement::default() };
        let mut known = HashSet::new();
        for sale in self.sales.iter().filter(|sale| !sale.fails) {
            *statement.by_task.entry(sale.id.clone()).or_default() += 1;
            if let Some(key) = &sale.key {
                *statement.by_key.entry(key.clone()).or_default() += 1;
            }
            statement.repeated += u64::from(!known.insert(&sale.order));
        }
        statement
    }
}

/// Milliseconds since 1970.
pub(super) fn now() -> u64 {
    millis(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default())
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(seed: u64) -> Order {
        Order { prompt: "a heron".to_owned(), width: 8, height: 8, n: 2, seed, seeds: Vec::new() }
    }

    #[test]
    fn what_was_sold_is_known_after_a_restart_and_a_line_that_was_cut_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let open = || Books::open(VendorScript::new().idempotent(), Some(&path)).unwrap();
        let mut books = open();
        let sold = books.sell(order(1), 2, Some("k1"), true).unwrap();
        books.sell(order(1), 2, Some("k1"), true).unwrap();
        books.sell(order(1), 1, None, false).unwrap();
        let before = books.statement();
        assert_eq!((before.charges, before.pictures, before.micros, before.repeated), (2, 3, 120_000, 1));
        assert_eq!(before.by_key, [("k1".to_owned(), 1)].into());
        OpenOptions::new().append(true).open(&path).unwrap().write_all(b"{\"id\":\"cut").unwrap();
        let mut books = open();
        assert_eq!(books.statement(), before);
        assert_eq!(books.sale("task-1").unwrap().order, sold.order);
        assert_eq!(books.sell(order(9), 2, Some("k1"), true).unwrap().id, "task-1");
        assert_eq!(books.sell(order(3), 1, None, true).unwrap().id, "task-3");
        assert_eq!(open().statement().charges, 3);
    }

    #[test]
    fn a_task_that_fails_is_not_charged() {
        let mut books = Books::open(VendorScript::new().fail_tasks_every(2), None).unwrap();
        let fails: Vec<bool> = (0..4).map(|n| books.sell(order(n), 1, None, true).unwrap().fails).collect();
        assert_eq!((fails.as_slice(), books.charges().calls), ([false, true, false, true].as_slice(), 2));
    }
}
