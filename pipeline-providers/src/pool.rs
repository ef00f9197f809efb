//! A bounded pool of threads for work that keeps a processor core busy.

use std::any::Any;
use std::sync::Arc;
use std::thread::available_parallelism;
use std::time::{Duration, Instant};

use pipeline_core::error::{Error, ErrorKind, Result, Retryability};
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

/// Runs blocking work off the async threads, a bounded number of pieces at a time, each for a bounded time. Clones share
/// the places.
#[derive(Clone, Debug)]
pub struct CpuPool {
    permits: Arc<Semaphore>,
    time_limit: Duration,
}

impl CpuPool {
    /// How long a piece of work may take unless something else is said: ten times what the largest picture within the
    /// limits needs on one slow core, unless it becomes an AVIF.
    pub const TIME_LIMIT: Duration = Duration::from_secs(300);

    /// Makes a pool that runs at most `threads` pieces of work at once; zero counts as one.
    pub fn new(threads: usize) -> Self {
        let permits = Arc::new(Semaphore::new(threads.clamp(1, Semaphore::MAX_PERMITS)));
        Self { permits, time_limit: Self::TIME_LIMIT }
    }

    /// Sets how long a piece of work may take, from when it begins. Waiting for a place does not count.
    pub fn with_time_limit(mut self, limit: Duration) -> Self {
        self.time_limit = limit;
        self
    }

    /// Returns how many places are free now: what a piece of work may take beside its own.
    pub(crate) fn free(&self) -> usize {
        self.permits.available_permits()
    }

    /// Runs `work` as soon as a place is free and returns what it returns.
    ///
    /// The place is held until the work ends, even when the caller has stopped waiting for it or the time is over.
    ///
    /// # Errors
    /// What `work` returns; `Timeout` when it takes longer than the limit; `Unexpected` when it panicked.
    pub async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
        self.run_until(move |_| work()).await
    }

    /// As [`CpuPool::run`], for work that looks at the clock: it is told when its time is over and should end then, so
    /// that its place is free again.
    ///
    /// # Errors
    /// As [`CpuPool::run`].
    pub async fn run_until<T: Send + 'static>(
        &self,
        work: impl FnOnce(Option<Instant>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let permit = Arc::clone(&self.permits)
            .acquire_owned()
            .await
            .map_err(|closed| Error::unexpected("processing pool is closed").because(closed))?;
        // A limit beyond what a clock can show is none.
        let end = Instant::now().checked_add(self.time_limit);
        let task = spawn_blocking(move || {
            let result = work(end);
            drop(permit);
            result
        });
        match timeout(self.time_limit, task).await {
            Ok(Ok(result)) => result,
            Ok(Err(failed)) => Err(match failed.try_into_panic() {
                Ok(panic) => Error::unexpected("processing panicked").because(reason(panic.as_ref())),
                Err(failed) => Error::unexpected("processing was cancelled").because(failed),
            }),
            Err(_) => Err(too_slow().with("limit", format!("{:?}", self.time_limit))),
        }
    }
}

impl Default for CpuPool {
    /// One place a processor core.
    fn default() -> Self {
        Self::new(available_parallelism().map_or(1, usize::from))
    }
}

/// The error for work whose time is over. Not to be retried: the same work takes the same time.
pub(crate) fn too_slow() -> Error {
    Error::new(ErrorKind::Timeout, "processing takes too long").retry(Retryability::Permanent)
}

/// What a panic said.
fn reason(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(|&text| text.to_owned())).unwrap_or_else(|| "no reason".to_owned())
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[tokio::test]
    async fn no_more_than_the_bound_runs_at_once() {
        let pool = CpuPool::new(2);
        let running = Arc::new(AtomicUsize::new(0));
        let most = Arc::new(AtomicUsize::new(0));
        let tasks: Vec<_> = (0..8)
            .map(|_| {
                let (pool, running, most) = (pool.clone(), Arc::clone(&running), Arc::clone(&most));
                tokio::spawn(async move {
                    pool.run(move || {
                        most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                        std::thread::sleep(Duration::from_millis(5));
                        running.fetch_sub(1, Ordering::SeqCst);
                        Ok(())
                    })
                    .await
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap().unwrap();
        }
        assert!(most.load(Ordering::SeqCst) <= 2);
    }

    #[tokio::test]
    async fn a_panic_is_an_error_and_gives_its_place_back() {
        let pool = CpuPool::new(1);
        let error = pool.run::<()>(|| panic!("boom")).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unexpected);
        assert_eq!(pipeline_core::error::chain(&error), "processing panicked: boom");
        let error = pool.run::<()>(|| panic!("boom {}", 2)).await.unwrap_err();
        assert_eq!(pipeline_core::error::chain(&error), "processing panicked: boom 2");
        assert_eq!(pool.run(|| Ok(7)).await.unwrap(), 7);
    }

    #[tokio::test]
    async fn a_place_is_held_until_the_work_ends_though_the_caller_has_gone() {
        let pool = CpuPool::new(1);
        let (started, wait_started) = tokio::sync::oneshot::channel();
        let (go, wait_go) = std::sync::mpsc::channel::<()>();
        let first = tokio::spawn({
            let pool = pool.clone();
            async move {
                pool.run(move || {
                    let _ = started.send(());
                    let _ = wait_go.recv();
                    Ok(())
                })
                .await
            }
        });
        wait_started.await.unwrap();
        first.abort();
        assert!(first.await.unwrap_err().is_cancelled());
        assert_eq!(pool.permits.available_permits(), 0);
        drop(go);
        pool.run(|| Ok(())).await.unwrap();
    }

    #[tokio::test]
    async fn work_whose_time_is_over_is_a_timeout_and_keeps_its_place_until_it_ends() {
        let pool = CpuPool::new(1).with_time_limit(Duration::ZERO);
        let (go, wait_go) = std::sync::mpsc::channel::<()>();
        let (ended, wait_ended) = tokio::sync::oneshot::channel();
        let error = pool
            .run_until(move |end| {
                let _ = wait_go.recv();
                let _ = ended.send(end.is_some_and(|end| end <= Instant::now()));
                Ok(())
            })
            .await
            .unwrap_err();
        assert_eq!((error.kind(), error.retryability()), (ErrorKind::Timeout, Retryability::Permanent));
        assert_eq!(error.to_string(), "processing takes too long (limit=0ns)");
        assert_eq!(pool.permits.available_permits(), 0);
        drop(go);
        assert!(wait_ended.await.unwrap(), "the work is told when its time is over");
        // The place is given back just after the work has said that it ends.
        let place = Arc::clone(&pool.permits).acquire_owned().await.unwrap();
        drop(place);
    }

    #[tokio::test]
    async fn zero_threads_still_run_the_work() {
        assert_eq!(CpuPool::new(0).run(|| Ok(1)).await.unwrap(), 1);
    }
}
