//! A test on how SQLite runs the statements whose cost must not grow with the store.

use sqlx::{AssertSqlSafe, Row as _};

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
        (finish::ENDED, &["COVERING INDEX items_count (job=? AND status=? AND leaves>?)"]),
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
        (finish::COUNT, &["COVERING INDEX items_count (job=?)", "items_held (session=? AND job=?)"][..]),
        (
            ledger::OF_ITEM,
            &["call_items USING PRIMARY KEY (item=?)", "calls USING INDEX sqlite_autoindex_calls_1 (id=?)"],
        ),
        (ledger::OF_JOB, &["calls_job (job=? AND state=?)"]),
    ] {
        let plan = explain(&store, sql).await;
        assert!(indexes.iter().all(|index| plan.contains(index)), "{sql}\n{plan}");
        assert!(!plan.contains("SCAN items") && !plan.contains("SCAN calls"), "{sql}\n{plan}");
        assert!(!plan.contains("items USING INDEX items_count"), "{sql}\n{plan}");
    }
    store.close().await;
    std::fs::remove_dir_all(folder).unwrap();
}
