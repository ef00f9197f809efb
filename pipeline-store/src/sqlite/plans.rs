//! A test on how SQLite runs the statements whose cost must not grow with the store.

use pipeline_core::ErrorKind;
use pipeline_core::id::JobId;
use pipeline_core::model::{FailureCode, ItemStatus, JobStatus};
use pipeline_core::storage::{ItemQuery, JobCursor, JobKeyOf, JobOrder, JobQuery, JobSort};
use pipeline_core::time::Timestamp;
use sqlx::{AssertSqlSafe, Row as _};

use super::listing::{self, Kept};
use super::{SqliteStore, claim, commit, finish, gates, ledger, rates};

async fn explain(store: &SqliteStore, sql: &str) -> String {
    let mut plan: Vec<String> = Vec::new();
    for statement in sql.split(';') {
        let explained = AssertSqlSafe(format!("EXPLAIN QUERY PLAN {statement}"));
        let rows = sqlx::query(explained).fetch_all(&store.inner.readers).await.unwrap();
        plan.extend(rows.iter().map(|row| row.try_get::<String, _>(3).unwrap()));
    }
    plan.join("\n")
}

#[tokio::test]
async fn hot_statements_go_by_their_index_and_neither_scan_nor_sort() {
    let folder = std::env::temp_dir().join(format!("pipeline-plans-{}", uuid::Uuid::now_v7()));
    let store = SqliteStore::open(folder.join("jobs.db")).await.unwrap();
    let updates = commit::UPDATE.texts().map(|sql| (sql, &["sqlite_autoindex_items_1 (id=?)"][..]));
    let others = [
        (claim::SERVE, &["items_timed (job=? AND claimable_at>? AND claimable_at<?)"][..]),
        (claim::PICK, &["COVERING INDEX items_due (job=? AND gate=? AND claimable_at=?)"]),
        (claim::MATES, &["items_unit (unit=? AND claimable_at=?)"]),
        (claim::TAKE, &["sqlite_autoindex_items_1 (id=?)"]),
        (claim::NEXT, &["items_timed (job=?", "items_due (job=? AND gate=? AND claimable_at=?)"]),
        (claim::GATED, &["items_due (job=? AND gate=? AND claimable_at=?)"]),
        (gates::OPEN, &["calls_open (gate=? AND deadline>?)"]),
        (gates::RECENT, &["calls_recent (gate=? AND opened_at>?)"]),
        (finish::ENDED, &["counts USING PRIMARY KEY (job=? AND status=?)"]),
        (rates::YOUNG, &["jobs_ended (ended_at>?)", "events USING PRIMARY KEY (job=? AND seq=?)"]),
        (rates::COUNT, &["events USING PRIMARY KEY (job=? AND seq>?)"]),
    ];
    for (sql, indexes) in updates.chain(others) {
        let plan = explain(&store, sql).await;
        assert!(indexes.iter().all(|index| plan.contains(index)), "{sql}\n{plan}");
        assert!(!plan.contains("TEMP B-TREE") && !plan.contains("SCAN items"), "{sql}\n{plan}");
    }
    // These sort, but only the few rows their index finds; jobs are sorted by what they have gained by waiting.
    for (sql, indexes) in [
        (
            claim::DUE_JOBS,
            &[
                "INDEX jobs_open",
                "items_due (job=? AND gate=? AND claimable_at=?)",
                "items_timed (job=? AND claimable_at>? AND claimable_at<?)",
                "items_held (session=? AND job=?)",
            ][..],
        ),
        (gates::HELD, &["items_held (session=?)"]),
        (finish::COUNT, &["counts USING PRIMARY KEY (job=?)", "items_held (session=? AND job=?)"][..]),
        (
            ledger::OF_ITEM,
            &["call_items USING PRIMARY KEY (item=?)", "calls USING INDEX sqlite_autoindex_calls_1 (id=?)"],
        ),
        (ledger::OF_JOB, &["calls_job (job=? AND state=?)"]),
    ] {
        let plan = explain(&store, sql).await;
        assert!(indexes.iter().all(|index| plan.contains(index)), "{sql}\n{plan}");
        assert!(!plan.contains("SCAN items") && !plan.contains("SCAN calls"), "{sql}\n{plan}");
    }
    store.close().await;
    std::fs::remove_dir_all(folder).unwrap();
}

#[tokio::test]
async fn a_page_is_a_range_of_an_index_however_deep() {
    let folder = std::env::temp_dir().join(format!("pipeline-pages-{}", uuid::Uuid::now_v7()));
    let store = SqliteStore::open(folder.join("jobs.db")).await.unwrap();
    let id = JobId::from_uuid(uuid::Uuid::now_v7());
    let after = |order: JobOrder| {
        let key = if order.by == JobSort::Label { JobKeyOf::Text("a".to_owned()) } else { JobKeyOf::Number(5) };
        Some(JobCursor { order, key, id })
    };
    let by = |order: &str| {
        let order: JobOrder = order.parse().unwrap();
        JobQuery { order, after: after(order), ..JobQuery::default() }
    };
    let newest = || by("-created");
    let text = |text: &str| Some(text.to_owned());
    for (query, index) in [
        (JobQuery::default(), "INDEX jobs_created"),
        (newest(), "INDEX jobs_created ((created_at,id)<(?,?))"),
        (by("created"), "INDEX jobs_created ((created_at,id)>(?,?))"),
        (by("-ended"), "INDEX jobs_ended_order (<expr><?)"),
        (by("priority"), "INDEX jobs_priority ((priority,id)>(?,?))"),
        (by("-label"), "INDEX jobs_label ((label,id)<(?,?))"),
        (JobQuery { owner: text("a"), ..newest() }, "INDEX jobs_of_owner (owner=? AND (created_at,id)<(?,?))"),
        (JobQuery { pipeline: text("a"), ..newest() }, "INDEX jobs_of_pipeline (pipeline=? AND (created_at,id)<(?,?))"),
        (JobQuery { parent: Some(id), ..newest() }, "INDEX jobs_of_parent (parent=? AND (created_at,id)<(?,?))"),
        (
            JobQuery { statuses: vec![JobStatus::Failed], ..newest() },
            "INDEX jobs_status (status=? AND (created_at,id)<(?,?))",
        ),
        (
            JobQuery { statuses: vec![JobStatus::Queued], ..newest() },
            "INDEX jobs_status (status=? AND (created_at,id)<(?,?))",
        ),
        (JobQuery { until: Some(Timestamp::EPOCH), ..JobQuery::default() }, "INDEX jobs_created (created_at<?)"),
        (JobQuery { retried: Some(true), ..newest() }, "INDEX reviews_retried (job=?)"),
    ] {
        let plan = explain(&store, listing::jobs_statement(&query).unwrap().sql().as_str()).await;
        assert!(plan.contains(index) && !plan.contains("TEMP B-TREE"), "{query:?}\n{plan}");
    }
    let page = || ItemQuery { after: Some((7, 0)), ..ItemQuery::of(id) };
    let timeout = Some(FailureCode::Port(ErrorKind::Timeout));
    let failed = Some(Kept::Free(ItemStatus::Failed));
    for (query, kept, index) in [
        (page(), None, "INDEX items_place (job=? AND (ordinal,slot)>(?,?))"),
        (page(), failed, "INDEX items_listed (job=? AND status=? AND (ordinal,slot)>(?,?))"),
        (ItemQuery { round: Some(1), ..page() }, failed, "INDEX items_listed (job=? AND status=?"),
        (
            ItemQuery { stage: Some(1), ..page() },
            failed,
            "INDEX items_stage (job=? AND stage=? AND (ordinal,slot)>(?,?))",
        ),
        (ItemQuery { code: timeout, ..page() }, None, "INDEX items_code (job=? AND code=? AND (ordinal,slot)>(?,?))"),
        (
            ItemQuery { round: Some(2), ..page() },
            None,
            "INDEX items_round (job=? AND round=? AND (ordinal,slot)>(?,?))",
        ),
    ] {
        let plan = explain(&store, listing::items_statement(&query, kept).sql().as_str()).await;
        assert!(plan.contains(index) && !plan.contains("TEMP B-TREE"), "{query:?}\n{plan}");
    }
    // What sessions hold is little, and sorted.
    let plan = explain(&store, listing::items_statement(&page(), Some(Kept::Held)).sql().as_str()).await;
    assert!(plan.contains("INDEX items_held (session=? AND job=?)"), "{plan}");
    store.close().await;
    std::fs::remove_dir_all(folder).unwrap();
}
