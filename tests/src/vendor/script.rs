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
    pub(super) fail_every: Option<u64>,
    pub(super) replies: VecDeque<Reply>,
    pub(super) otherwise: Reply,
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
            fail_every: None,
            replies: VecDeque::new(),
            otherwise: Reply::Deliver,
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

    /// Thinks this long before every answer.
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

    /// Answers every n-th request with status 500.
    pub fn fail_every(mut self, n: u64) -> Self {
        self.fail_every = Some(n.max(1));
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
}
