//! Every planted bug is found, by name.

use pipeline_testkit::simulation::{Campaign, Options, Planted};

/// A bug is found within so many histories. Without one, none of them fails.
const HISTORIES: u64 = 520;

#[track_caller]
fn is_found(planted: Planted) {
    let options = Options { planted: Some(planted), ..Options::default() };
    let report = Campaign { seed: 1, histories: HISTORIES, options }.run();
    let name = planted.name();
    let found = report.failed.first().map(ToString::to_string);
    assert!(found.is_some(), "`{name}` was not found in {HISTORIES} histories");
    println!("{name}: found by {}", found.unwrap_or_default());
}

#[test]
fn without_a_planted_bug_nothing_is_found() {
    let report = Campaign { seed: 1, histories: HISTORIES, options: Options::default() }.run();
    assert!(report.failed.is_empty(), "{report}");
}

macro_rules! found {
    ($($test:ident: $planted:ident;)+) => {
        $(#[test]
        fn $test() {
            is_found(Planted::$planted);
        })+

        #[test]
        fn every_planted_bug_has_its_test() {
            assert_eq!([$(Planted::$planted),+], *Planted::ALL);
        }
    };
}

found! {
    a_write_without_a_look_at_the_token: TokenIgnored;
    a_claim_that_does_not_raise_the_token: TokenNotRaised;
    the_paid_response_of_a_zombie_that_is_dropped: LateSettleDropped;
    an_intent_before_its_admission: IntentBeforeAdmission;
    a_cancellation_acknowledged_between_admission_and_intent: CancelBetween;
    a_cancellation_that_is_looked_at_only_at_the_start: CancelLate;
    events_outside_the_transaction_of_their_state: EventsApart;
    a_crash_count_that_is_reset: CrashesForgotten;
    a_crash_of_a_neighbour_that_is_counted: NeighbourCounted;
    a_batch_that_is_formed_anew_after_a_crash: BatchReformed;
    a_lease_that_is_renewed_after_it_ran_out: LeaseRenewed;
    an_open_call_that_is_not_looked_for: OpenCallOverlooked;
    a_task_of_the_vendor_that_is_not_remembered: TaskForgotten;
    a_failure_of_an_earlier_sending_that_is_believed: StaleFailure;
    a_claim_whose_answer_was_lost_and_that_is_stranded: ClaimStranded;
    a_budget_that_is_reserved_after_the_call: ReservedAfterwards;
    a_permanent_error_that_is_retried: PermanentRetried;
    a_key_with_the_number_of_the_try: KeyOfEachTry;
    an_intent_after_its_call: CallBeforeIntent;
}
