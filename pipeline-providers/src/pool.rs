//! A bounded pool of threads for work that keeps a processor core busy.

use std::sync::Arc;
use std::thread::available_parallelism;

use pipeline_core::error::{Error, Result};
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

/// Runs blocking work off the async threads, a bounded number at a time. Clones share the bound.
#[derive(Clone, Debug)]
pub struct CpuPool {
    permits: Arc<Semaphore>,
}

impl CpuPool {
    /// Makes a pool that runs at most `threads` pieces of work at once; zero counts as one.
    pub fn new(threads: usize) -> Self {
        Self { permits: Arc::new(Semaphore::new(threads.clamp(1, Semaphore::MAX_PERMITS))) }
    }

    /// Runs `work` as soon as a place is free and returns what it returns.
    ///
    /// The place is held until the work ends, even when the caller has stopped waiting for it.
    ///
    /// # Errors
    /// What `work` returns; `Unexpected` when it panicked.
    pub async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
        let permit = Arc::clone(&self.permits)
            .acquire_owned()
            .await
            .map_err(|closed| Error::unexpected("processing pool is closed").because(closed))?;
        let task = spawn_blocking(move || {
            let result = work();
            drop(permit);
            result
        });
        match task.await {
            Ok(result) => result,
            Err(failed) if failed.is_panic() => Err(Error::unexpected("processing panicked")),
            Err(failed) => Err(Error::unexpected("processing was cancelled").because(failed)),
        }
    }
}

impl Default for CpuPool {
    /// One place a processor core.
    fn default() -> Self {
        Self::new(available_parallelism().map_or(1, usize::from))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use pipeline_core::error::ErrorKind;

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
        assert_eq!(error.message(), "processing panicked");
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
    async fn zero_threads_still_run_the_work() {
        assert_eq!(CpuPool::new(0).run(|| Ok(1)).await.unwrap(), 1);
    }
}
