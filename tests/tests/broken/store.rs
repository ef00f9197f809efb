//! A record store that keeps all of its contract but what is broken, around the memory store.

use std::collections::{BTreeMap, BTreeSet};
use std::future::ready;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pipeline_core::id::{CallId, Digest, ItemId, JobId, SessionId, Token};
use pipeline_core::model::FailureCode;
use pipeline_core::storage::{CallRecord, Commit, GateKey, Lane, Settlement, Store, StoreInfo};
use pipeline_core::time::{Clock as _, Timestamp};
use pipeline_store::MemoryStore;
use pipeline_testkit::conformance::STORE_CLAUSES;
use pipeline_testkit::conformance::fixture::{Bench, SteppedClock};

/// A memory store with a breach. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Broken {
    pub(crate) store: MemoryStore,
    pub(crate) breach: Option<Breach>,
    /// Whether this is another store on the same data: what a crash has left, or another process.
    pub(crate) reopened: bool,
    clock: Arc<SteppedClock>,
    notes: Arc<Mutex<Notes>>,
}

/// What breaches need to know of what came before.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    /// The roots each job was submitted with.
    pub(crate) roots: BTreeMap<JobId, u64>,
    /// The labels of second submits.
    pub(crate) labels: BTreeMap<JobId, String>,
    /// Who used an idempotency key, for what.
    pub(crate) keys: BTreeMap<(String, String), (JobId, Digest)>,
    /// Jobs that were abandoned.
    pub(crate) abandoned: BTreeSet<JobId>,
    /// When a job was last served, and at which turn.
    pub(crate) served: BTreeMap<JobId, (Timestamp, u64)>,
    /// Claims so far.
    pub(crate) turn: u64,
    /// Who was handed an item last, under which token.
    pub(crate) holders: BTreeMap<ItemId, (SessionId, Token)>,
    /// The first token of an item.
    pub(crate) first: BTreeMap<ItemId, Token>,
    /// The units of root items.
    pub(crate) units: BTreeMap<ItemId, ItemId>,
    /// Items that were replaced.
    pub(crate) replaced: Vec<ItemId>,
    /// Children of jobs that were being cancelled.
    pub(crate) late_children: BTreeSet<ItemId>,
    /// Commits that keep their item and say when it may be claimed.
    pub(crate) parked: BTreeMap<ItemId, Commit>,
    /// Until when sessions live.
    pub(crate) leases: BTreeMap<SessionId, Timestamp>,
    /// Who wrote the intent of a call.
    pub(crate) callers: BTreeMap<CallId, SessionId>,
    /// The first deadline of a call.
    pub(crate) deadlines: BTreeMap<CallId, Timestamp>,
    /// Outcomes after the first.
    pub(crate) outcomes: BTreeMap<CallId, Settlement>,
    /// Tasks after the first.
    pub(crate) tasks: BTreeMap<CallId, String>,
    /// The reasons of later closings.
    pub(crate) reasons: BTreeMap<GateKey, String>,
    /// When a minute of a gate began, how many passed in it, and how many may.
    pub(crate) minutes: BTreeMap<GateKey, (Timestamp, u32, u32)>,
    /// Who was promised a name.
    pub(crate) names: BTreeMap<(String, String), ItemId>,
    /// Whose fingerprints were stored, in order.
    pub(crate) marked: Vec<ItemId>,
    /// Jobs whose end is told wrongly, and when it was.
    pub(crate) ends: BTreeMap<JobId, Option<Timestamp>>,
    /// Items by what once ended their walk.
    pub(crate) failed: BTreeMap<ItemId, (JobId, FailureCode)>,
    /// The last revision of a job.
    pub(crate) revised: BTreeMap<JobId, u32>,
    /// The answers a job has been told of for a request.
    pub(crate) answers: BTreeMap<(JobId, Digest), Vec<CallRecord>>,
    /// The calls of deleted jobs.
    pub(crate) deleted: BTreeSet<CallId>,
    /// The lanes handed out last.
    pub(crate) lanes: Vec<Lane>,
    /// What was done to the data behind the store's back.
    pub(crate) spoiled: Vec<String>,
}

impl Broken {
    /// Tells whether this is what is broken.
    pub(crate) fn is(&self, breach: Breach) -> bool {
        self.breach == Some(breach)
    }

    /// Tells whether this is broken for another store on the same data.
    pub(crate) fn is_lost(&self, breach: Breach) -> bool {
        self.reopened && self.is(breach)
    }

    pub(crate) fn notes(&self) -> MutexGuard<'_, Notes> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn time(&self) -> Timestamp {
        self.clock.now()
    }
}

impl Store for Broken {
    fn info(&self) -> StoreInfo {
        self.store.info()
    }
}

fn bench(breach: Option<Breach>) -> Bench {
    let clock = SteppedClock::new();
    let store = MemoryStore::with_clock(clock.clone());
    let broken = Broken { store, breach, reopened: false, clock: clock.clone(), notes: Arc::default() };
    let again = Broken { reopened: true, ..broken.clone() };
    let spoiled = broken.clone();
    Bench::new(broken, clock, ()).reopened_by(move || ready(again.clone())).spoiled_by(move |statement| {
        spoiled.notes().spoiled.push(statement);
        ready(())
    })
}

crate::breaches::breaches! {
    Breach of STORE_CLAUSES, in bench;
    job_1_durable_submit {
        a_submit_that_a_crash_undoes = SubmitLost, also queue_3_atomic, review_2_together, steward_5_renamed;
        a_refused_submit_that_leaves_its_first_items = PartOfASubmitKept;
    }
    job_2_whole_submit {
        a_job_without_items_that_stays_open = EmptyJobLeftOpen;
        an_event_that_counts_items_for_leaves = ItemsToldForLeaves;
    }
    job_3_unique {
        a_second_submit_of_an_id_that_is_accepted = SecondSubmitAccepted;
        a_second_submit_that_is_refused_and_renames_the_job = SecondSubmitRenames;
    }
    job_4_counts_reconcile {
        what_is_held_counts_as_pending_too = HeldCountedTwice;
        a_list_with_the_counts_of_the_submit = ListedCountsLate;
    }
    job_5_order_and_cursor {
        jobs_listed_oldest_first = JobsOldestFirst, also job_13_filters;
        a_cursor_that_returns_its_own_job = CursorIncluded;
        a_cursor_of_another_order_that_is_accepted = CursorOfAnyOrder;
        an_order_that_is_ignored = OrderIgnored;
        an_order_that_cannot_be_turned_round = TurnedRoundUnheard;
    }
    job_6_not_found {
        the_control_of_no_job_is_a_conflict = MissingJobConflicts, also steward_6_deleted;
        the_plan_of_no_job_is_corrupt = MissingPlanCorrupt, also steward_6_deleted;
    }
    job_7_control {
        a_cancellation_that_can_be_taken_back = CancelTakenBack;
        the_same_control_told_again = SameControlTold;
        an_ended_job_that_takes_a_control = EndedJobControlled;
    }
    job_8_cancel {
        an_item_given_back_to_a_cancelled_job_that_stays_held = GivenBackStaysHeld;
        children_of_a_cancelled_job_that_wait = LateChildrenPending;
    }
    job_9_plan_as_stored {
        settings_with_sorted_keys = SettingsSorted;
        a_seed_stored_as_a_double = SeedRounded;
    }
    job_10_repeated_submit {
        a_key_compared_over_all_owners = KeyOfAllOwners, also budget_1_never_passed, budget_3_closed, budget_5_at_any_time, ledger_11_answered, ledger_12_added_up, job_13_filters, hook_2_from_now_on, hook_3_one_at_a_time, hook_4_only_who_holds_it, hook_5_in_order, hook_6_paused, hook_7_kept, hook_8_removed;
        a_body_that_is_not_compared = BodyNotCompared;
        a_key_looked_up_before_its_job_is_stored = KeyLookedUpBefore, also steward_6_deleted;
    }
    job_11_abandon {
        an_abandoned_job_that_waits_for_its_holders = AbandonWaits,
            also steward_6_deleted, steward_7_swept, steward_8_money_stays;
        a_call_of_an_abandoned_job_that_cannot_be_settled = AbandonedCallLost, also steward_8_money_stays;
    }
    job_12_revisions {
        a_revision_that_takes_the_place_of_the_plan = RevisionReplacesPlan;
        the_same_settings_stored_again = SameRevisedAgain;
        an_unknown_revision_that_is_the_plan = UnknownRevisionIsThePlan;
    }
    job_13_filters {
        a_prefix_that_is_a_pattern = PrefixIsAPattern;
        a_prefix_compared_with_its_case = PrefixWithCase;
        the_jobs_of_all_owners = OwnersMixed;
        a_beginning_of_labels_without_case = LabelPrefixWithoutCase;
        an_end_of_the_time_that_is_included = UntilIncluded;
        the_children_of_every_job = ParentIgnored;
        states_of_jobs_of_which_the_first_counts = FirstJobStateOnly;
        retries_that_are_overlooked = RetriesOverlooked;
    }
    item_1_not_found {
        an_unknown_item_that_is_corrupt = MissingItemCorrupt, also job_1_durable_submit, steward_6_deleted;
        an_unknown_result_that_is_an_error = MissingResultRefused;
    }
    item_2_order_and_cursor {
        a_cursor_without_the_slot = CursorWithoutSlot;
        a_cursor_that_is_ignored = CursorIgnored, also item_7_filters;
        a_filter_that_does_not_know_who_is_held = HeldOverlooked, also item_7_filters;
        a_prefix_of_items_that_is_ignored = ItemPrefixIgnored, also item_7_filters;
    }
    item_3_replaced {
        a_replaced_item_that_is_listed = ReplacedListed, also queue_10_children;
        a_replaced_item_that_is_gone = ReplacedGone;
    }
    item_4_history {
        a_history_of_the_last_round = OldRoundsGone;
        a_history_newest_first = HistoryBackwards, also item_6_reused;
    }
    item_5_tallies {
        a_sum_of_squares_that_is_the_square_of_the_sum = SquareOfTheSum;
        stages_without_cost_that_are_left_out = FreeStagesLeftOut;
    }
    item_6_reused {
        bought_results_that_count_as_reused = BoughtCountsAsReused;
    }
    item_7_filters {
        a_stage_of_items_that_is_ignored = StageOfItemsIgnored;
        a_code_that_is_ignored = CodeIgnored;
        a_round_that_is_ignored = RoundIgnored;
        a_code_that_a_new_round_keeps = CodeOfOldRounds;
    }
    queue_1_one_holder {
        two_claims_at_once_that_hand_out_the_same = HandedOutTwice;
        a_claim_that_does_not_raise_the_token = TokenNotRaised,
            also queue_2_fence, queue_7_dead_sessions, queue_19_keep_only;
        a_claim_that_is_always_the_first = EachClaimIsTheFirst;
        a_claim_that_is_never_the_first = NoClaimIsTheFirst;
    }
    queue_2_fence {
        a_token_that_is_not_compared = TokenNotCompared, also queue_18_intents_ask, ledger_7_used_up;
        a_session_that_is_not_compared = SessionNotCompared;
        a_job_that_is_not_compared = JobNotCompared;
        a_stale_commit_that_takes_its_batch_along = StaleTakesItsBatch, also event_1_gapless;
    }
    queue_3_atomic {
        a_batch_written_in_parts = BatchInParts;
        intents_that_a_crash_parts_from_their_state = IntentsLost, also ledger_6_attached, steward_8_money_stays;
    }
    queue_4_only_what_is_due {
        a_priority_that_is_ignored = PriorityIgnored, also job_5_order_and_cursor, queue_13_ageing;
        a_job_just_served_that_is_served_again = ServedForgotten;
        a_time_to_come_that_is_ignored = WaitIgnored,
            also queue_5_whole_units, queue_11_the_stores_clock, queue_12_next_at;
        a_session_for_one_job_that_takes_others = FocusForgotten, also queue_7_dead_sessions, budget_3_closed, ledger_11_answered, job_5_order_and_cursor;
    }
    queue_5_whole_units {
        a_limit_that_cuts_units = LimitCutsUnits, also queue_10_children, queue_16_job_concurrency;
        a_unit_of_two_jobs = UnitOverJobs;
    }
    queue_6_quiet {
        a_start_at_every_claim = StartedAtEachClaim;
        a_claim_that_writes_an_event = ClaimTold,
            also job_7_control, queue_9_the_end, event_1_gapless, event_2_replay, event_3_nothing_early,
            historian_6_of_one_item, hook_5_in_order, steward_1_counted, steward_3_sound, steward_7_swept;
    }
    queue_7_dead_sessions {
        a_lease_that_does_not_run_out = LeaseEndless,
            also job_8_cancel, queue_2_fence, queue_11_the_stores_clock, gate_3_concurrency, ledger_1_not_fenced;
        a_heartbeat_that_revives_the_dead = DeadRevived, also queue_8_release;
        a_take_over_that_forgets_what_ran = StartForgotten;
        a_control_that_counts_the_dead_as_holders = DeadBeforeControl, also job_8_cancel;
    }
    queue_8_release {
        a_closed_session_that_holds_until_its_lease_ends = CloseForgotten,
            also job_4_counts_reconcile, job_8_cancel, queue_1_one_holder, queue_2_fence, queue_15_turns, budget_3_closed;
        claims_given_back_that_keep_their_wait = ParkedStaysParked;
        a_session_opened_twice = OpenedTwice;
    }
    queue_9_the_end {
        the_end_of_the_job_told_before_that_of_its_item = FinishedFirst, also job_8_cancel;
        a_job_that_ended_when_it_was_submitted = EndedWhenSubmitted, also job_5_order_and_cursor;
        failures_shown_as_success = FailuresOverlooked, also review_3_the_job_opens;
    }
    queue_10_children {
        a_parent_that_keeps_its_leaves = ParentKeepsLeaves, also job_8_cancel, steward_7_swept, steward_8_money_stays;
    }
    queue_11_the_stores_clock {
        times_kept_in_milliseconds = TimesInMilliseconds;
        a_lease_that_holds_at_its_end = LeaseInclusive,
            also job_8_cancel, queue_2_fence, queue_7_dead_sessions, ledger_1_not_fenced;
    }
    queue_12_next_at {
        a_next_time_rounded_up = NextRoundedUp, also queue_14_not_before, queue_15_turns, gate_6_by_itself;
        the_latest_of_the_next_times = NextIsTheLatest;
        a_next_time_that_overlooks_what_is_due = DueOverlooked;
        a_next_time_although_no_time_helps = NextNever, also queue_15_turns, budget_3_closed;
    }
    queue_13_ageing {
        jobs_that_do_not_age = NoAgeing;
        an_age_that_is_not_reset_by_service = AgeSinceSubmit;
    }
    queue_14_not_before {
        a_start_that_is_ignored = StartIgnored;
    }
    queue_15_turns {
        a_key_that_is_ignored = TurnsIgnored, also review_3_the_job_opens;
        one_turn_a_key_whatever_its_limit = OneTurnAKey;
    }
    queue_16_job_concurrency {
        a_concurrency_of_a_job_that_is_ignored = JobConcurrencyIgnored;
        a_unit_that_counts_as_its_items = UnitCountsItsItems;
    }
    queue_17_pause_of_everything {
        a_pause_that_hands_out = PauseHandsOut;
        a_pause_that_lets_calls_be_opened = PauseOpensCalls;
        a_pause_heartbeats_do_not_tell = PauseUntold;
        a_pause_of_one_process = PauseOfOneProcess;
    }
    queue_18_intents_ask {
        a_refused_commit_written_but_for_its_calls = RefusedInPart;
        a_refusal_that_takes_its_batch_along = RefusalTakesItsBatch;
        a_refusal_before_the_fence = RefusalBeforeFence;
        a_pause_of_a_job_in_one_process = JobPauseOfOneProcess;
    }
    queue_19_keep_only {
        everything_kept = EverythingKept;
        nothing_kept = NothingKept;
        what_others_hold_given_back = OthersGiveBack;
    }
    queue_20_rates {
        rates_since_the_submit = RatesSinceSubmit;
        rates_of_the_jobs_that_are_left = RatesOfOpenJobs;
        rates_of_one_job = RatesOfOneJob;
    }
    gate_1_closed {
        a_closed_gate_that_lets_intents_pass = ClosedGatePasses, also gate_5_breaker;
        a_closed_gate_whose_items_are_handed_out = ClosedGateHandsOut, also gate_6_by_itself;
        a_gate_closed_for_one_process = ClosedForOneProcess;
    }
    gate_2_longest_wins {
        a_shorter_pause_that_wins = ShorterPauseWins;
        a_longer_pause_of_which_only_the_reason_is_kept = FirstPauseStays;
    }
    gate_3_concurrency {
        a_concurrency_that_is_ignored = ConcurrencyIgnored;
        a_concurrency_of_each_process = ConcurrencyOfEachProcess;
        a_call_beyond_its_deadline_that_holds_its_place = DeadlineIgnored, also ledger_8_opened_again;
    }
    gate_4_rate {
        a_rate_that_is_ignored = RateIgnored;
        a_rate_of_each_process = RateOfEachProcess;
        a_rate_that_begins_anew_each_minute = RateOfFixedMinutes;
    }
    gate_5_breaker {
        outages_that_are_not_counted = OutagesNotCounted;
        a_breaker_that_lets_many_try = ManyTry;
        a_failed_try_that_ends_the_row = FailedTryEndsRow;
        a_stray_outage_that_makes_the_pause_longer = StrayOutageCounts;
    }
    gate_6_by_itself {
        a_pause_in_minutes_for_seconds = PauseTooLong, also gate_1_closed, gate_2_longest_wins;
        a_gate_whose_time_wakes_nobody = GateWakesNobody;
    }
    budget_1_never_passed {
        a_budget_of_each_process = BudgetOfEachProcess;
        reservations_that_a_call_makes_after_its_answer = ReservedAfterwards, also budget_2_reserved_until_known, budget_3_closed, budget_4_opened, budget_5_at_any_time, budget_6_unpriced, ledger_3_durable, ledger_12_added_up;
    }
    budget_2_reserved_until_known {
        an_unknown_outcome_that_frees_its_reservation = UnknownFrees;
    }
    budget_3_closed {
        a_closed_budget_whose_items_are_handed_out = ClosedBudgetHandsOut, also budget_4_opened;
        a_closed_budget_that_is_waited_for = ClosedBudgetWakes;
    }
    budget_4_opened {
        a_raise_that_is_not_kept = RaiseIgnored;
        a_settlement_that_costs_what_was_reserved = CostIsTheReservation, also budget_2_reserved_until_known, budget_5_at_any_time, ledger_2_once, steward_8_money_stays, ledger_12_added_up;
    }
    budget_5_at_any_time {
        a_budget_that_counts_from_now = BudgetFromNow;
    }
    budget_6_unpriced {
        an_unknown_price_that_counts_as_nothing = UnpricedIsFree;
    }
    budget_7_only_good_ones {
        a_negative_budget_that_is_accepted = NegativeBudgetAccepted;
        the_budget_of_an_ended_job_that_is_changed = EndedJobBudgeted;
    }
    ledger_1_not_fenced {
        the_answer_of_a_former_holder_that_is_dropped = LateAnswerDropped;
    }
    ledger_2_once {
        an_outcome_that_the_last_one_replaces = LastOutcomeWins;
        a_stale_failure_that_is_believed = StaleFailureBelieved;
        an_answer_to_an_earlier_sending_that_is_refused = EarlierAnswerRefused;
        an_unknown_outcome_that_stays_so = UnknownStays, also ledger_6_attached;
        two_outcomes_at_once_that_are_both_the_first = TwoOutcomesAtOnce;
    }
    ledger_3_durable {
        a_settlement_that_a_crash_undoes = SettlementLost, also steward_8_money_stays;
        the_task_of_an_answer_that_is_not_kept = TaskOfAnswerDropped;
    }
    ledger_4_not_found {
        a_call_that_is_not_there_and_was_settled_before = MissingCallSettled;
    }
    ledger_5_by_item {
        a_call_found_by_its_first_item_only = FirstItemOnly, also ledger_7_used_up;
        a_stage_that_is_ignored = StageIgnored;
        states_of_which_the_first_counts = FirstStateOnly;
    }
    ledger_6_attached {
        a_task_that_the_last_one_replaces = LastTaskWins;
        a_task_that_a_crash_takes = TaskLost;
        a_settled_call_that_takes_a_task = SettledCallAttached;
    }
    ledger_7_used_up {
        use_that_is_not_stored = UseForgotten;
        use_by_one_item_that_counts_for_all = UsedByAll;
        a_filter_for_what_is_unused_that_is_ignored = UnusedIgnored, also ledger_9_resolved;
    }
    ledger_8_opened_again {
        an_unknown_call_that_stays_unknown = NotOpenedAgain, also ledger_2_once;
        a_call_opened_again_with_its_old_deadline = DeadlineKept;
        an_intent_of_a_settled_call_that_is_accepted = SettledIntentAccepted;
    }
    ledger_9_resolved {
        an_open_call_that_a_person_may_resolve = OpenCallResolved;
        a_resolution_that_costs_nothing = ResolutionIsFree;
        a_call_to_be_repeated_that_still_serves = RepeatServes;
    }
    ledger_10_by_its_id {
        an_unknown_call_that_is_corrupt = MissingCallCorrupt;
    }
    ledger_11_answered {
        answers_of_other_owners = AnswersOfOthers;
        answers_of_deleted_jobs = DeletedAnswers;
        answers_without_what_was_answered = EmptyAnswers;
    }
    ledger_12_added_up {
        what_was_spent_before_that_counts = SpentBeforeCounts;
        what_others_have_spent_that_counts = OthersSpent;
        what_is_reserved_that_counts_as_spent = ReservedCountsAsSpent;
    }
    review_1_only_what_was_read {
        a_ruling_on_an_older_state_that_counts = StaleRuled;
    }
    review_2_together {
        a_review_that_is_not_told = ReviewsUntold, also review_4_a_mark, hook_5_in_order;
        a_reason_that_is_lost = ReasonsLost;
    }
    review_3_the_job_opens {
        a_job_that_stays_ended = EndedStaysEnded;
    }
    review_4_a_mark {
        a_mark_that_opens_the_job = MarkOpens;
    }
    review_5_append_only {
        reviews_newest_first = ReviewsBackwards, also review_2_together;
        a_beginning_that_is_ignored = ReviewsSkipNothing;
        reviews_of_every_job = ReviewsOfAllJobs;
    }
    review_6_not_found {
        a_ruling_on_nothing_that_only_has_no_effect = MissingRuled;
    }
    event_1_gapless {
        a_gap_after_a_control = GapAfterControl, also job_8_cancel;
        the_events_of_items_backwards = ItemEventsBackwards,
            also queue_9_the_end, review_2_together, historian_6_of_one_item;
    }
    event_2_replay {
        a_limit_of_events_that_is_ignored = EventLimitIgnored;
        events_that_a_crash_takes = EventsLost, also review_2_together;
    }
    event_3_nothing_early {
        events_written_before_their_state = EventsFirst, also queue_3_atomic, queue_18_intents_ask;
    }
    hook_1_named_once {
        a_name_of_a_hook_that_is_taken_twice = HookNamedTwice;
    }
    hook_2_from_now_on {
        a_hook_that_is_told_of_what_came_before = OldNewsTold;
    }
    hook_3_one_at_a_time {
        a_lane_that_is_handed_out_to_two = LaneHandedOutTwice;
    }
    hook_4_only_who_holds_it {
        a_report_of_whoever_has_lost_the_lane = LostLaneReported;
    }
    hook_5_in_order {
        a_lane_that_goes_on_past_what_waits = WaitingPassed, also hook_6_paused, hook_7_kept;
    }
    hook_6_paused {
        a_paused_hook_whose_lanes_are_handed_out = PausedHookTold;
    }
    hook_7_kept {
        a_try_outside_of_a_lane_that_is_not_kept = RedeliveryForgotten;
    }
    hook_8_removed {
        a_removed_hook_that_keeps_its_name = RemovedHookKept;
    }
    historian_1_states {
        leaves_counted_as_items = LeavesCountedAsItems;
        stages_of_replaced_items_that_count = ReplacedStagesCount;
    }
    historian_2_times {
        a_median_that_is_the_mean = MedianIsTheMean;
        times_of_the_first_round = TimesOfFirstRound;
    }
    historian_3_failures {
        tries_that_another_one_followed_and_do_not_count = RetriedNotCounted;
        the_last_item_as_the_example = LastExample;
    }
    historian_4_descent {
        deleted_jobs_that_descend = DeletedDescends;
        a_missing_job_with_an_empty_profile = MissingProfiled;
    }
    historian_5_later_rounds {
        marks_that_begin_rounds = MarksListed;
        a_decision_of_an_earlier_round_that_is_listed = EarlierRoundsListed;
        a_cursor_of_retries_that_is_ignored = RetryCursorIgnored;
    }
    historian_6_of_one_item {
        events_of_the_whole_job = EventsOfAllItems;
        an_unknown_item_without_events = MissingItemUntold;
    }
    registry_1_one_owner_a_name {
        names_compared_without_case_in_ascii_only = AsciiCaseOnly;
        a_look_that_reserves = LookReserves, also registry_3_take_over;
        a_name_owned_over_all_folders = FolderIgnored;
        a_name_looked_up_before_it_is_reserved = NameLookedUpBefore;
    }
    registry_2_repeatable {
        a_second_request_that_is_refused = SecondRequestRefused, also registry_3_take_over;
        names_that_a_crash_takes = NamesLost;
    }
    registry_3_take_over {
        a_sibling_that_takes_over = SiblingTakesOver, also steward_7_swept;
        nobody_takes_over = TakeOverIgnored;
        a_name_taken_from_an_item_that_runs = EndedIsAnyOtherJob;
    }
    registry_4_first_come {
        only_equal_pictures_are_near = DistanceIgnored;
        a_refused_picture_that_is_marked = RefusedMarkStored;
        pictures_compared_over_all_jobs = MarksOfAllJobs, also steward_7_swept;
        a_picture_looked_for_before_it_is_marked = MarkLookedUpBefore;
    }
    steward_1_counted {
        items_that_were_replaced_and_not_counted = ReplacedNotCounted, also steward_7_swept;
        names_that_are_not_counted = NamesNotCounted;
    }
    steward_2_mentioned {
        fields_that_are_not_mentioned = FieldsNotMentioned;
        inputs_that_are_not_mentioned = InputsNotMentioned;
        a_page_of_mentions_that_is_never_full = LastMentionLost;
        a_limit_of_mentions_that_is_ignored = MentionLimitIgnored;
    }
    steward_3_sound {
        no_job_that_is_sound = MissingJobSound, also steward_6_deleted;
        what_is_held_taken_for_wrong = HeldIsWrong;
    }
    steward_4_found {
        damage_that_is_not_found = DamageNotFound;
        strays_that_are_not_found = StraysNotFound;
    }
    steward_5_renamed {
        a_label_that_is_only_answered = RenameLost;
        a_label_given_to_every_job = RenameOfAll;
    }
    steward_6_deleted {
        a_running_job_that_is_deleted = RunningDeleted;
        a_deleted_job_that_is_there = DeletedIsThere, also steward_7_swept, steward_8_money_stays, ledger_11_answered, ledger_12_added_up, historian_4_descent, historian_5_later_rounds, hook_4_only_who_holds_it, hook_8_removed;
    }
    steward_7_swept {
        nothing_that_is_swept = NothingSwept, also steward_6_deleted, steward_8_money_stays, ledger_12_added_up;
        everything_swept_at_once = SweptAtOnce;
    }
    steward_8_money_stays {
        calls_that_go_with_their_job = CallsOfDeletedGone;
    }
    template_1_kept {
        a_template_that_a_crash_takes = SavedLost;
        a_template_without_its_count = CountOfTemplateLost;
    }
    template_2_replaced_on_purpose {
        a_taken_name_that_is_replaced = TakenNameReplaced;
    }
    template_3_listed {
        the_templates_of_all_owners = SavedOwnerIgnored;
    }
    template_4_not_found {
        the_template_of_another_owner = SavedOfAllOwners;
        nothing_that_is_forgotten = NothingForgotten;
    }
    schedule_1_kept {
        a_schedule_that_a_crash_takes = SchedulesLost,
            also schedule_3_one_takes_it, schedule_4_settled_once, schedule_5_paused, schedule_6_not_found;
        an_overlap_that_is_forgotten = OverlapForgotten;
        a_schedule_that_replaces_another = ScheduleReplaced;
        the_schedules_of_all_owners = SchedulesOfAllOwners;
    }
    schedule_2_due {
        a_begun_occasion_that_is_forgotten = BegunForgotten;
        an_occasion_that_is_due_after_its_time = DueLate;
        a_next_occasion_that_is_not_told = NextOccasionUntold, also schedule_5_paused;
    }
    schedule_3_one_takes_it {
        an_occasion_looked_at_before_it_is_taken = TakenTwice;
        any_occasion_that_is_taken = AnyOccasionTaken;
    }
    schedule_4_settled_once {
        any_occasion_that_is_settled = AnyOccasionSettled;
        a_reason_of_a_failure_that_is_lost = ReasonOfOccasionLost;
    }
    schedule_5_paused {
        a_paused_schedule_that_is_due = PausedIsDue;
        a_resumed_schedule_that_catches_up = ResumeCatchesUp;
    }
    schedule_6_not_found {
        nothing_that_is_unscheduled = NothingUnscheduled;
    }
}
