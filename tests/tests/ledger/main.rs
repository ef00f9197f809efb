//! Paid calls from end to end: nothing bought twice, nothing paid for lost, no outage taken for a verdict.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a failed step is a failed test")]

/// Runs each test of a file on both stores.
macro_rules! on_both_stores {
    ($($name:ident),+ $(,)?) => {
        mod memory {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::$name($crate::shop::Kind::Memory).await;
            })+
        }
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::$name($crate::shop::Kind::Sqlite).await;
            })+
        }
    };
}

mod attempts;
mod checks;
mod crashes;
mod delivery;
mod events;
mod money;
mod orders;
mod reuse;
mod shop;
mod sluice;
mod stories;
mod tasks;
