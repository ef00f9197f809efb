//! The clauses of each suite, and the macros that turn them into tests of a backend.

use std::future::Future;
use std::pin::Pin;

use super::fixture::Bench;
use super::{LogBook, Shelf};

/// Hands the names of the clauses of the record store's ports to the macro in brackets, after what else is given.
#[doc(hidden)]
#[macro_export]
macro_rules! store_clauses {
    ([$($then:tt)+] $($given:tt)*) => {
        $($then)+! {
            $($given)*
            job_1_durable_submit,
            job_2_whole_submit,
            job_3_unique,
            job_4_counts_reconcile,
            job_5_order_and_cursor,
            job_6_not_found,
            job_7_control,
            job_8_cancel,
            job_9_plan_as_stored,
            job_10_repeated_submit,
            job_11_abandon,
            job_12_revisions,
            job_13_filters,
            item_1_not_found,
            item_2_order_and_cursor,
            item_3_replaced,
            item_4_history,
            item_5_tallies,
            item_6_reused,
            item_7_filters,
            queue_1_one_holder,
            queue_2_fence,
            queue_3_atomic,
            queue_4_only_what_is_due,
            queue_5_whole_units,
            queue_6_quiet,
            queue_7_dead_sessions,
            queue_8_release,
            queue_9_the_end,
            queue_10_children,
            queue_11_the_stores_clock,
            queue_12_next_at,
            queue_13_ageing,
            queue_14_not_before,
            queue_15_turns,
            queue_16_job_concurrency,
            queue_17_pause_of_everything,
            queue_18_intents_ask,
            queue_19_keep_only,
            queue_20_rates,
            gate_1_closed,
            gate_2_longest_wins,
            gate_3_concurrency,
            gate_4_rate,
            gate_5_breaker,
            gate_6_by_itself,
            budget_1_never_passed,
            budget_2_reserved_until_known,
            budget_3_closed,
            budget_4_opened,
            budget_5_at_any_time,
            budget_6_unpriced,
            budget_7_only_good_ones,
            ledger_1_not_fenced,
            ledger_2_once,
            ledger_3_durable,
            ledger_4_not_found,
            ledger_5_by_item,
            ledger_6_attached,
            ledger_7_used_up,
            ledger_8_opened_again,
            ledger_9_resolved,
            ledger_10_by_its_id,
            ledger_11_answered,
            ledger_12_added_up,
            review_1_only_what_was_read,
            review_2_together,
            review_3_the_job_opens,
            review_4_a_mark,
            review_5_append_only,
            review_6_not_found,
            event_1_gapless,
            event_2_replay,
            event_3_nothing_early,
            hook_1_named_once,
            hook_2_from_now_on,
            hook_3_one_at_a_time,
            hook_4_only_who_holds_it,
            hook_5_in_order,
            hook_6_paused,
            hook_7_kept,
            hook_8_removed,
            historian_1_states,
            historian_2_times,
            historian_3_failures,
            historian_4_descent,
            historian_5_later_rounds,
            historian_6_of_one_item,
            registry_1_one_owner_a_name,
            registry_2_repeatable,
            registry_3_take_over,
            registry_4_first_come,
            steward_1_counted,
            steward_2_mentioned,
            steward_3_sound,
            steward_4_found,
            steward_5_renamed,
            steward_6_deleted,
            steward_7_swept,
            steward_8_money_stays,
            template_1_kept,
            template_2_replaced_on_purpose,
            template_3_listed,
            template_4_not_found,
            schedule_1_kept,
            schedule_2_due,
            schedule_3_one_takes_it,
            schedule_4_settled_once,
            schedule_5_paused,
            schedule_6_not_found,
        }
    };
}

/// Hands the names of the clauses of the artifact store's port to the macro in brackets, after what else is given.
#[doc(hidden)]
#[macro_export]
macro_rules! artifact_clauses {
    ([$($then:tt)+] $($given:tt)*) => {
        $($then)+! {
            $($given)*
            artifact_1_durable,
            artifact_2_write_once,
            artifact_3_sniffed,
            artifact_4_checked,
            artifact_5_locate,
            artifact_6_listed,
            artifact_7_removed,
            artifact_8_renewed,
        }
    };
}

/// Hands the names of the clauses of the port of the logs to the macro in brackets, after what else is given.
#[doc(hidden)]
#[macro_export]
macro_rules! log_clauses {
    ([$($then:tt)+] $($given:tt)*) => {
        $($then)+! {
            $($given)*
            log_1_kept,
            log_2_in_order,
            log_3_chosen,
            log_4_nothing_is_missed,
            log_5_removed,
            log_6_counted,
        }
    };
}

/// Makes one test for each clause of the record store's ports. `$make` is a function that returns a future of a fresh
/// [`Bench`], or `None` when the tests are to be skipped.
#[macro_export]
macro_rules! store_conformance {
    ($name:ident, $make:path) => {
        $crate::store_clauses! { [$crate::conformance_tests] $name, $make; }
    };
}

/// Makes one test for each clause of the artifact store's port. `$make` is a function that returns a future of a fresh
/// [`Shelf`], or `None` when the tests are to be skipped.
#[macro_export]
macro_rules! artifact_conformance {
    ($name:ident, $make:path) => {
        $crate::artifact_clauses! { [$crate::conformance_tests] $name, $make; }
    };
}

/// Makes one test for each clause of the port of the logs. `$make` is a function that returns a future of a fresh
/// [`LogBook`], or `None` when the tests are to be skipped.
#[macro_export]
macro_rules! log_conformance {
    ($name:ident, $make:path) => {
        $crate::log_clauses! { [$crate::conformance_tests] $name, $make; }
    };
}

/// Makes a module with one test for each of the named clauses.
#[doc(hidden)]
#[macro_export]
macro_rules! conformance_tests {
    ($name:ident, $make:path; $($clause:ident),+ $(,)?) => {
        mod $name {
            $(
                #[tokio::test]
                async fn $clause() {
                    let made: Option<_> = $make().await.into();
                    if let Some(made) = made {
                        $crate::conformance::$clause(&made).await;
                    }
                }
            )+
        }
    };
}

/// A clause of a suite: its name, and the test of it.
#[derive(Clone, Copy, Debug)]
pub struct Clause<B> {
    /// The port, the number and what it says, as the function that tests it is called.
    pub name: &'static str,
    test: fn(&B) -> Test<'_>,
}

type Test<'a> = Pin<Box<dyn Future<Output = ()> + 'a>>;

impl<B> Clause<B> {
    /// Tests a backend; panics when it breaks the clause.
    pub async fn test(&self, backend: &B) {
        (self.test)(backend).await;
    }
}

/// Makes the list of the named clauses.
macro_rules! clauses {
    ($($clause:ident),+ $(,)?) => {
        &[$(Clause { name: stringify!($clause), test: |backend| Box::pin(super::$clause(backend)) }),+]
    };
}

/// The clauses of the record store's ports.
pub const STORE_CLAUSES: &[Clause<Bench>] = store_clauses! { [clauses] };

/// The clauses of the artifact store's port.
pub const ARTIFACT_CLAUSES: &[Clause<Shelf>] = artifact_clauses! { [clauses] };

/// The clauses of the port of the logs.
pub const LOG_CLAUSES: &[Clause<LogBook>] = log_clauses! { [clauses] };
