//! Hints between processes: they arrive, survive a lost connection, and are never sent within a transaction.

use std::collections::BTreeSet;
use std::time::Duration;

use pipeline_core::model::{Control, ItemStatus};
use pipeline_core::storage::{GateKeeper, GateKey, JobStore, WorkQueue};
use pipeline_testkit::cluster::Cluster;
use sqlx::{Connection as _, Executor as _, PgConnection};

use super::{claim, database, ending, open, server, session, submit};

const SOON: Duration = Duration::from_secs(20);

async fn heard(store: &pipeline_store::PostgresStore, seen: u64) -> u64 {
    tokio::time::timeout(SOON, store.stirred(seen)).await.unwrap()
}

#[tokio::test]
async fn what_one_process_makes_possible_another_hears_of() {
    let Some(url) = database().await else { return };
    let (here, there) = (open(&url).await, open(&url).await);
    // Whoever begins to listen may have missed something.
    let seen = heard(&here, 0).await;
    let quiet = tokio::time::timeout(Duration::from_millis(200), here.stirred(seen)).await;
    assert!(quiet.is_err(), "nothing has happened");
    let (job, _) = submit(&there, 1).await;
    let seen = heard(&here, seen).await;
    there.control(job, Control::Pause).await.unwrap();
    there.control(job, Control::Run).await.unwrap();
    let seen = heard(&here, seen).await;
    there.pause_all(false).await.unwrap();
    let seen = heard(&here, seen).await;
    there.open_gate(GateKey::provider("studio")).await.unwrap();
    heard(&here, seen).await;
}

#[tokio::test]
async fn a_listener_that_lost_its_connection_listens_again() {
    let Some((cluster, url)) = server(Cluster::start_volatile).await else { return };
    let (here, there) = (open(&url).await, open(&url).await);
    let seen = heard(&here, 0).await;
    cluster.terminate_backends().await;
    // The new connection may have missed something.
    let seen = heard(&here, seen).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let seen = tokio::time::timeout(Duration::from_millis(1), here.stirred(seen)).await.unwrap_or(seen);
    submit(&there, 1).await;
    heard(&here, seen).await;
}

/// Returns the statements of a server's log that tell others within a transaction: `NOTIFY` takes a lock there that every
/// commit of the database waits for.
fn told_within_a_transaction(log: &str) -> Vec<&str> {
    let (mut inside, mut found) = (BTreeSet::new(), Vec::new());
    for line in log.lines() {
        let Some((process, rest)) = line.split_once('_') else { continue };
        let Some((_, statement)) = rest
            .split_once("statement: ")
            .or_else(|| rest.split_once("execute ").and_then(|(_, named)| named.split_once(": ")))
        else {
            continue;
        };
        for part in statement.split(';').map(|part| part.trim().to_uppercase()) {
            if part.starts_with("BEGIN") {
                inside.insert(process);
            } else if part.starts_with("COMMIT") || part.starts_with("ROLLBACK") {
                inside.remove(process);
            } else if (part.contains("PG_NOTIFY") || part.starts_with("NOTIFY")) && inside.contains(process) {
                found.push(line);
            }
        }
    }
    found
}

#[tokio::test]
async fn no_hint_is_sent_within_a_transaction() {
    let start = || Cluster::start_with("-c fsync=off -c log_statement=all -c log_line_prefix=%p_");
    let Some((cluster, url)) = server(start).await else { return };
    let (here, there) = (open(&url).await, open(&url).await);
    let seen = heard(&here, 0).await;
    let (job, _) = submit(&there, 3).await;
    heard(&here, seen).await;
    let worker = session(&here).await;
    let claimed = claim(&here, worker, 3).await;
    here.commit(worker, claimed.iter().map(|one| ending(one, ItemStatus::Failed)).collect()).await.unwrap();
    there.control(job, Control::Cancel).await.unwrap_err();
    let log = cluster.log();
    assert!(log.to_uppercase().contains("PG_NOTIFY"), "the log shows hints");
    assert_eq!(told_within_a_transaction(&log), Vec::<&str>::new());
    // Planted: NOTIFY inside the transaction. It is found.
    let mut planted = PgConnection::connect(&url).await.unwrap();
    planted.execute("BEGIN; SELECT 1").await.unwrap();
    planted.execute("SELECT pg_notify('pipeline', 'pipeline')").await.unwrap();
    planted.execute("COMMIT").await.unwrap();
    assert_eq!(told_within_a_transaction(&cluster.log()).len(), 1);
}
