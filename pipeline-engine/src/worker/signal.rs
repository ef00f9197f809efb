//! A value that many walks listen to, and are woken by in the order they began to wait: with `tokio::sync::watch`, which
//! wakes them in any order, no run could be repeated as it was.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;

#[derive(Debug)]
struct Shared<T> {
    /// The value, and how often it was set.
    value: Mutex<(T, u64)>,
    bell: Notify,
}

impl<T: Copy> Shared<T> {
    fn get(&self) -> (T, u64) {
        *self.value.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Sets the value.
#[derive(Debug)]
pub(crate) struct Signal<T>(Arc<Shared<T>>);

/// Hears of it.
#[derive(Clone, Debug)]
pub(crate) struct Listener<T> {
    shared: Arc<Shared<T>>,
    seen: u64,
}

impl<T: Copy> Signal<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(Arc::new(Shared { value: Mutex::new((value, 0)), bell: Notify::new() }))
    }

    pub(crate) fn set(&self, value: T) {
        self.change(|old| {
            *old = value;
            true
        });
    }

    /// Sets the value, when `set` says that it has.
    pub(crate) fn change(&self, set: impl FnOnce(&mut T) -> bool) {
        {
            let mut held = self.0.value.lock().unwrap_or_else(PoisonError::into_inner);
            if !set(&mut held.0) {
                return;
            }
            held.1 += 1;
        }
        self.0.bell.notify_waiters();
    }

    /// Returns a listener that has seen the value as it is.
    pub(crate) fn listen(&self) -> Listener<T> {
        Listener { shared: Arc::clone(&self.0), seen: self.0.get().1 }
    }
}

impl<T: Copy> Listener<T> {
    /// Returns the value, which is seen then.
    pub(crate) fn get(&mut self) -> T {
        let (value, count) = self.shared.get();
        self.seen = count;
        value
    }

    /// Waits until the value has been set since it was last seen.
    pub(crate) async fn changed(&mut self) {
        loop {
            // Made before the look, so that what comes after it is heard.
            let rung = self.shared.bell.notified();
            let count = self.shared.get().1;
            if count != self.seen {
                self.seen = count;
                return;
            }
            rung.await;
        }
    }
}
