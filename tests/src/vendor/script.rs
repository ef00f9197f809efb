//! What a fake vendor does: its terms, and its replies in order.

use std::collections::VecDeque;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

/// What the vendor does with one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply {
    /// Charges for all pictures asked for and delivers them.
    Deliver,
    /// Charges for at most this many pictures and delivers them.
    DeliverOnly(u32),
    /// Says that the key is not accepted, and repeats the key in the body.
    Unauthorized,
    /// Says that there were too many requests.
    Throttled {
        /// `Retry-After`, in whole seconds.
        after: u64,
    },
    /// Answers with this status and a JSON body.
    Status(u16),
    /// Says that the safety system refused.
    Refused,
    /// Charges, and answers with something that is no JSON.
    Garbage,
    /// Charges, and answers with JSON of the wrong shape that repeats the key.
    WrongShape,
    /// Charges, and answers with a body that has no end.
    Flood,
    /// Closes the connection in the middle of the answer.
    Reset {
        /// Whether it charges first.
        charged: bool,
    },
    /// Never answers.
    Hang {
        /// Whether it charges first.
        charged: bool,
    },
}

/// A time in which the vendor answers everything with status 503.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outage {
    /// After this many requests, for as many.
    Requests {
        /// Requests answered before.
        after: u64,
        /// Requests refused then.
        count: u64,
    },
    /// Again and again.
    Spans {
        /// From the beginning of one to the beginning of the next; the first one begins this long after the start.
        every: Duration,
        /// How long each one lasts.
        lasts: Duration,
    },
}

/// Answers that come in small pieces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Drip {
    /// The size of a piece.
    pub bytes: usize,
    /// The time between two.
    pub pause: Duration,
}

/// A request as the vendor sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The idempotency key it carries.
    pub idempotency_key: Option<String>,
    /// How many pictures it asks for.
    pub pictures: u32,
}

type Pause = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Does something before the vendor looks at a request.
#[derive(Clone)]
pub(super) struct Hook(pub(super) Arc<dyn Fn(Seen) -> Pause + Send + Sync>);

impl fmt::Debug for Hook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hook")
    }
}

/// What a fake vendor does.
#[derive(Clone, Debug)]
pub struct VendorScript {
    pub(super) key: Option<String>,
    pub(super) idempotent: bool,
    pub(super) latency: Duration,
    pub(super) price_micros: i64,
    pub(super) quotes: bool,
    pub(super) links: bool,
    pub(super) lookup: bool,
    pub(super) submit_latency: Duration,
    pub(super) forget_after: Option<Duration>,
    pub(super) fail_tasks_every: Option<u64>,
    pub(super) fail_every: Option<(u64, u16)>,
    pub(super) throttle_every: Option<(u64, u64)>,
    pub(super) reset_every: Option<(u64, bool)>,
    pub(super) outage: Option<Outage>,
    pub(super) faults_on_polls: bool,
    pub(super) drip: Option<Drip>,
    pub(super) replies: VecDeque<Reply>,
    pub(super) otherwise: Reply,
    pub(super) polls: VecDeque<Reply>,
    pub(super) hook: Option<Hook>,
}

impl Default for VendorScript {
    fn default() -> Self {
        Self {
            key: None,
            idempotent: false,
            latency: Duration::ZERO,
            price_micros: 40_000,
            quotes: true,
            links: false,
            lookup: false,
            submit_latency: Duration::ZERO,
            forget_after: None,
            fail_tasks_every: None,
            fail_every: None,
            throttle_every: None,
            reset_every: None,
            outage: None,
            faults_on_polls: false,
            drip: None,
            replies: VecDeque::new(),
            otherwise: Reply::Deliver,
            polls: VecDeque::new(),
            hook: None,
        }
    }
}

impl VendorScript {
    /// A vendor that delivers at once to everyone for four cents a picture.
    pub fn new() -> Self {
        Self::default()
    }

    /// Accepts only this key.
    pub fn key(mut self, key: impl Into<String>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// Charges a repeated idempotency key only once and answers as the first time.
    pub fn idempotent(mut self) -> Self {
        self.idempotent = true;
        self
    }

    /// Thinks this long before every answer; a task takes this long, and is accepted at once.
    pub fn latency(mut self, latency: Duration) -> Self {
        self.latency = latency;
        self
    }

    /// Asks for this many millionths of a dollar a picture.
    pub fn price_micros(mut self, micros: i64) -> Self {
        self.price_micros = micros;
        self
    }

    /// Does not say in its answers what they cost.
    pub fn silent_about_cost(mut self) -> Self {
        self.quotes = false;
        self
    }

    /// Delivers links instead of the pictures themselves.
    pub fn links(mut self) -> Self {
        self.links = true;
        self
    }

    /// Finds a task by its idempotency key, too.
    pub fn lookup(mut self) -> Self {
        self.lookup = true;
        self
    }

    /// Thinks this long before it accepts or refuses a task.
    pub fn submit_latency(mut self, latency: Duration) -> Self {
        self.submit_latency = latency;
        self
    }

    /// Knows a task no more this long after it was submitted.
    pub fn forget_after(mut self, time: Duration) -> Self {
        self.forget_after = Some(time);
        self
    }

    /// Ends every n-th task as failed; such a task is not charged.
    pub fn fail_tasks_every(mut self, n: u64) -> Self {
        self.fail_tasks_every = Some(n.max(1));
        self
    }

    /// Answers every n-th request with status 500.
    pub fn fail_every(self, n: u64) -> Self {
        self.fail_every_with(n, 500)
    }

    /// Answers every n-th request with this status.
    pub fn fail_every_with(mut self, n: u64, status: u16) -> Self {
        self.fail_every = Some((n.max(1), status));
        self
    }

    /// Says to every n-th request that there were too many, and asks to wait this many seconds.
    pub fn throttle_every(mut self, n: u64, after: u64) -> Self {
        self.throttle_every = Some((n.max(1), after));
        self
    }

    /// Cuts the connection of every n-th request, before or after it has charged.
    pub fn reset_every(mut self, n: u64, charged: bool) -> Self {
        self.reset_every = Some((n.max(1), charged));
        self
    }

    /// Is out for a while.
    pub fn outage(mut self, outage: Outage) -> Self {
        self.outage = Some(outage);
        self
    }

    /// Counts polls as requests for outages and whatever happens to every n-th request.
    pub fn faults_on_polls(mut self) -> Self {
        self.faults_on_polls = true;
        self
    }

    /// Sends every answer in small pieces.
    pub fn drip(mut self, drip: Drip) -> Self {
        self.drip = Some(drip);
        self
    }

    /// The replies to the first polls, in order; [`Reply::Deliver`] tells how the task stands.
    pub fn polls(mut self, replies: impl IntoIterator<Item = Reply>) -> Self {
        self.polls.extend(replies);
        self
    }

    /// The replies to the first requests, in order.
    pub fn replies(mut self, replies: impl IntoIterator<Item = Reply>) -> Self {
        self.replies.extend(replies);
        self
    }

    /// The reply to every request after those; [`Reply::Deliver`] unless said otherwise.
    pub fn otherwise(mut self, reply: Reply) -> Self {
        self.otherwise = reply;
        self
    }

    /// Does something when a request arrives, before it is looked at or charged.
    pub fn on_request<F, Fut>(mut self, hook: F) -> Self
    where
        F: Fn(Seen) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        self.hook = Some(Hook(Arc::new(move |seen| Box::pin(hook(seen)))));
        self
    }

    /// Returns what happens to the `turn`-th request, the first of them made `since` after the start, unless the
    /// replies say.
    pub(super) fn fault(&self, turn: u64, since: Duration) -> Option<Reply> {
        let out = match self.outage {
            Some(Outage::Requests { after, count }) => turn > after && turn - after <= count,
            Some(Outage::Spans { every, lasts }) => {
                let into = since.as_nanos() % every.as_nanos().max(1);
                since >= every && into < lasts.as_nanos()
            }
            None => false,
        };
        let due = |n: u64| turn.is_multiple_of(n);
        if out {
            return Some(Reply::Status(503));
        }
        let failed = self.fail_every.filter(|(n, _)| due(*n)).map(|(_, status)| Reply::Status(status));
        let cut = self.reset_every.filter(|(n, _)| due(*n)).map(|(_, charged)| Reply::Reset { charged });
        let slowed = self.throttle_every.filter(|(n, _)| due(*n)).map(|(_, after)| Reply::Throttled { after });
        failed.or(cut).or(slowed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_come_when_the_script_says() {
        let script = VendorScript::new().fail_every_with(4, 502).reset_every(6, true).throttle_every(3, 7);
        let all: Vec<_> = (1..=6).map(|turn| script.fault(turn, Duration::ZERO)).collect();
        let slowed = Some(Reply::Throttled { after: 7 });
        let expected = [None, None, slowed, Some(Reply::Status(502)), None, Some(Reply::Reset { charged: true })];
        assert_eq!(all, expected);
        let script = VendorScript::new().outage(Outage::Requests { after: 2, count: 2 });
        let out: Vec<_> = (1..=5).map(|turn| script.fault(turn, Duration::ZERO).is_some()).collect();
        assert_eq!(out, [false, false, true, true, false]);
        let spans = Outage::Spans { every: Duration::from_secs(10), lasts: Duration::from_secs(2) };
        let script = VendorScript::new().outage(spans);
        let out: Vec<_> = [1, 10, 11, 12, 21, 29].map(|at| script.fault(1, Duration::from_secs(at)).is_some()).into();
        assert_eq!(out, [false, true, true, false, true, false]);
    }
}
