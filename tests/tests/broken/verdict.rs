//! What a suite says of a backend: which of its clauses fail, and why.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

use futures::FutureExt as _;
use pipeline_testkit::conformance::Clause;

/// Where and why each clause failed, by its name.
pub(crate) type Failures = BTreeMap<&'static str, String>;

thread_local! {
    /// Whether the panics of this thread are told to nobody but us.
    static QUIET: Cell<bool> = const { Cell::new(false) };
    static LAST: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Lets the panics of a clause be kept instead of printed.
fn listen() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let usual = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            if QUIET.get() {
                LAST.set(panic.to_string());
            } else {
                usual(panic);
            }
        }));
    });
}

/// Tests every clause, each on a backend of its own.
pub(crate) async fn failures<B>(clauses: &[Clause<B>], make: impl Fn() -> B) -> Failures {
    listen();
    let mut failures = Failures::new();
    for clause in clauses {
        let backend = make();
        QUIET.set(true);
        let outcome = AssertUnwindSafe(clause.test(&backend)).catch_unwind().await;
        QUIET.set(false);
        if outcome.is_err() {
            let why = LAST.take();
            // Whatever else panics is a mistake of the wrapper, not a find of the suite.
            assert!(why.contains("conformance/"), "{}: {why}", clause.name);
            failures.insert(clause.name, why);
        }
    }
    failures
}

/// Asserts that a breach is found by the clause it breaks, and otherwise only by those that meet it, too.
#[track_caller]
pub(crate) fn assert_found(failures: &Failures, clause: &'static str, also: &[&'static str]) {
    let found: BTreeSet<&str> = failures.keys().copied().collect();
    assert!(found.contains(clause), "`{clause}` passes; what fails is {found:?}");
    let expected: BTreeSet<&str> = also.iter().copied().chain([clause]).collect();
    assert_eq!(found, expected, "other clauses than those named fail: {failures:#?}");
}
