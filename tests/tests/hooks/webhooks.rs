//! Messages to receivers by HTTP.

use std::collections::BTreeMap;
use std::time::Duration;

use pipeline::core::ErrorKind;
use pipeline::core::storage::{DeliveryState, HookPolicy};
use pipeline_testkit::receiver::{Answer, Received, Receiver};

use super::{SECRETS, TOLD, add, add_unchecked, deliver_all, deliveries, engine, spec, three_events, webhook};

fn kinds(received: &[Received]) -> Vec<&str> {
    received.iter().map(|one| one.body["type"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn messages_are_signed_and_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let engine = engine(folder.path()).await;
    let receiver = Receiver::start(SECRETS[0]).await.unwrap();
    three_events(&engine).await;
    add(&engine, webhook(folder.path(), &receiver.url(), &SECRETS[..1], true)).await;
    let job = three_events(&engine).await;
    let round = engine.deliver_hooks(None).await.unwrap();
    assert_eq!((round.delivered, round.waiting, round.failed), (3, 0, 0));
    let received = receiver.received();
    assert_eq!(kinds(&received), TOLD, "what was before the hook is not told");
    assert!(received.iter().all(|one| one.genuine), "{received:?}");
    let seqs: Vec<i64> = received.iter().map(|one| one.body["data"]["seq"].as_i64().unwrap()).collect();
    assert_eq!(seqs, [1, 2, 3]);
    assert!(received.iter().all(|one| one.body["data"]["job"] == job.to_string()));
    assert_eq!(received[2].body["data"]["status"], "cancelled");
    assert_eq!(engine.deliver_hooks(None).await.unwrap().delivered, 0);
    assert!(deliveries(&engine).await.iter().all(|known| known.state == DeliveryState::Delivered));
}

#[tokio::test]
async fn what_failed_is_sent_again_under_its_id_before_anything_else() {
    let folder = tempfile::tempdir().unwrap();
    let engine = engine(folder.path()).await;
    let receiver = Receiver::start(SECRETS[0]).await.unwrap();
    let mut spec = spec(webhook(folder.path(), &receiver.url(), &SECRETS[..1], true));
    spec.policy = HookPolicy { timeout: Duration::from_millis(300), attempts: 4, ..spec.policy };
    // The second wait would be sixty times the first.
    spec.policy.first_wait = Duration::from_micros(10);
    engine.add_hook("system", "tell", spec).await.unwrap();
    receiver.answer([Answer::Status(500), Answer::Never, Answer::Status(302)]);
    three_events(&engine).await;
    deliver_all(&engine).await;
    let received = receiver.received();
    let expected = [TOLD[0], TOLD[0], TOLD[0], TOLD[0], TOLD[1], TOLD[2]];
    assert_eq!(kinds(&received), expected, "and a redirect is not followed");
    assert!(received[..4].iter().all(|one| one.id == received[0].id && one.genuine));
    assert_ne!(received[4].id, received[0].id);
    let kept = deliveries(&engine).await;
    assert_eq!(kept.iter().map(|known| known.attempts).collect::<Vec<_>>(), [1, 1, 4]);
}

#[tokio::test]
async fn a_message_that_was_given_up_is_kept_and_can_be_sent_again() {
    let folder = tempfile::tempdir().unwrap();
    let engine = engine(folder.path()).await;
    let receiver = Receiver::start(SECRETS[0]).await.unwrap();
    let hook = add(&engine, webhook(folder.path(), &receiver.url(), &SECRETS[..1], true)).await;
    receiver.answer([Answer::Status(500), Answer::Status(503)]);
    three_events(&engine).await;
    deliver_all(&engine).await;
    assert_eq!(kinds(&receiver.received()), [TOLD[0], TOLD[0], TOLD[1], TOLD[2]], "the lane goes on");
    let kept = deliveries(&engine).await;
    assert_eq!((kept[2].state, kept[2].status), (DeliveryState::Failed, Some(503)));
    assert_eq!(kept[2].error.as_deref(), Some("the receiver answered 503"));
    let again = engine.redeliver(&hook, None).await.unwrap();
    assert_eq!((again.len(), again[0].id, again[0].state), (1, kept[2].id, DeliveryState::Delivered));
    let received = receiver.received();
    assert!(received[4].id == received[0].id && received[4].genuine);
    assert!(engine.redeliver(&hook, None).await.unwrap().is_empty());
}

#[tokio::test]
async fn sending_again_ends_when_the_receiver_is_gone_and_lets_no_paused_hook_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let engine = engine(folder.path()).await;
    let receiver = Receiver::start(SECRETS[0]).await.unwrap();
    let hook = add(&engine, webhook(folder.path(), &receiver.url(), &SECRETS[..1], true)).await;
    receiver.answer([500, 500, 500, 500].map(Answer::Status));
    three_events(&engine).await;
    deliver_all(&engine).await;
    assert_eq!(kinds(&receiver.received()), [TOLD[0], TOLD[0], TOLD[1], TOLD[1], TOLD[2]], "two are given up");
    receiver.answer([Answer::Status(410)]);
    let again = engine.redeliver(&hook, None).await.unwrap();
    assert_eq!((again.len(), again[0].state, again[0].status), (1, DeliveryState::Failed, Some(410)));
    assert_eq!(receiver.received().len(), 6);
    let paused = hook_of(&engine).await.paused.unwrap();
    assert!(paused.contains("410"), "{paused}");
    // It is not paused as far as the caller knows.
    let error = engine.redeliver(&hook, None).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
    engine.store().pause_hook(hook.id, None).await.unwrap();
    let again = engine.redeliver(&hook, None).await.unwrap();
    assert!(again.len() == 2 && again.iter().all(|known| known.state == DeliveryState::Delivered), "{again:?}");
    assert_eq!(hook_of(&engine).await.paused, None);
}

#[tokio::test]
async fn a_receiver_that_is_gone_is_left_alone_until_the_hook_is_resumed() {
    let folder = tempfile::tempdir().unwrap();
    let engine = engine(folder.path()).await;
    let receiver = Receiver::start(SECRETS[0]).await.unwrap();
    let hook = add(&engine, webhook(folder.path(), &receiver.url(), &SECRETS[..1], true)).await;
    receiver.answer([Answer::Status(410)]);
    three_events(&engine).await;
    deliver_all(&engine).await;
    assert_eq!(receiver.received().len(), 1);
    let paused = engine.hook("system", "tell").await.unwrap().paused.unwrap();
    assert!(paused.contains("410"), "{paused}");
    let error = engine.redeliver(&hook_of(&engine).await, None).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
    engine.store().pause_hook(hook.id, None).await.unwrap();
    deliver_all(&engine).await;
    assert_eq!(kinds(&receiver.received()), [TOLD[0], TOLD[0], TOLD[1], TOLD[2]], "nothing is lost");
}

async fn hook_of(engine: &pipeline::prelude::Engine) -> pipeline::core::storage::Hook {
    engine.hook("system", "tell").await.unwrap()
}

#[tokio::test]
async fn while_secrets_are_changed_a_receiver_that_knows_either_is_content() {
    let folder = tempfile::tempdir().unwrap();
    let engine = engine(folder.path()).await;
    let receiver = Receiver::start(SECRETS[0]).await.unwrap();
    let hook = add(&engine, webhook(folder.path(), &receiver.url(), &SECRETS, true)).await;
    engine.test_hook(&hook).await.unwrap();
    receiver.know(SECRETS[1]);
    engine.test_hook(&hook).await.unwrap();
    receiver.know("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSx");
    engine.test_hook(&hook).await.unwrap();
    let received = receiver.received();
    assert_eq!(received.iter().map(|one| one.genuine).collect::<Vec<_>>(), [true, true, false]);
    assert_eq!((received[0].signature.split(' ').count(), kinds(&received)[0]), (2, "hook.test"));
}

#[tokio::test]
async fn nothing_is_sent_to_a_private_address_whenever_its_name_leads_there() {
    let folder = tempfile::tempdir().unwrap();
    let engine = engine(folder.path()).await;
    let receiver = Receiver::start(SECRETS[0]).await.unwrap();
    let port = receiver.url().split(':').nth(2).unwrap().to_owned();
    for host in ["localhost", "127.0.0.1", "[::ffff:127.0.0.1]"] {
        let target = webhook(folder.path(), &format!("http://{host}:{port}"), &SECRETS[..1], false);
        let error = engine.add_hook("system", "tell", spec(target)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
        assert!(error.to_string().contains("private network"), "{error}");
    }
    assert!(engine.store().hooks().await.unwrap().is_empty(), "nothing is changed");
    // A name that led elsewhere when the hook was added.
    for host in ["localhost", "127.0.0.1", "[::ffff:7f00:1]"] {
        let target = webhook(folder.path(), &format!("http://{host}:{port}"), &SECRETS[..1], false);
        let hook = add_unchecked(&engine, target).await;
        three_events(&engine).await;
        deliver_all(&engine).await;
        let kept = deliveries(&engine).await;
        assert_eq!(kept.len(), 3);
        for known in kept {
            assert_eq!(known.state, DeliveryState::Failed);
            assert!(known.error.as_ref().unwrap().contains("private network"), "{known:?}");
        }
        engine.store().remove_hook(hook.id).await.unwrap();
    }
    assert!(receiver.received().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_deliver_each_message_once_and_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let (one, two) = (engine(folder.path()).await, engine(folder.path()).await);
    let receiver = Receiver::start(SECRETS[0]).await.unwrap();
    add(&one, webhook(folder.path(), &receiver.url(), &SECRETS[..1], true)).await;
    for _ in 0..8 {
        three_events(&one).await;
    }
    let (first, second) = tokio::join!(one.deliver_hooks(None), two.deliver_hooks(None));
    assert_eq!(first.unwrap().delivered + second.unwrap().delivered, 24);
    deliver_all(&one).await;
    let mut told: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for one in receiver.received() {
        let job = one.body["data"]["job"].as_str().unwrap().to_owned();
        told.entry(job).or_default().push(one.body["type"].as_str().unwrap().to_owned());
    }
    assert_eq!(told.len(), 8);
    assert!(told.values().all(|kinds| kinds.iter().eq(TOLD)), "{told:?}");
}

#[tokio::test]
async fn a_hook_that_cannot_be_is_refused_with_what_is_accepted() {
    let folder = tempfile::tempdir().unwrap();
    let engine = engine(folder.path()).await;
    let good = spec(webhook(folder.path(), "http://localhost:1", &SECRETS[..1], true));
    let policy = |change: fn(&mut HookPolicy)| {
        let mut spec = good.clone();
        change(&mut spec.policy);
        spec
    };
    for (name, wrong, word) in [
        ("", good.clone(), "name"),
        ("a b", good.clone(), "name"),
        ("a", policy(|policy| policy.attempts = 0), "attempts"),
        ("a", policy(|policy| policy.attempts = 11), "attempts"),
        ("a", policy(|policy| policy.timeout = Duration::ZERO), "timeout"),
        ("a", policy(|policy| policy.timeout = Duration::from_secs(61)), "timeout"),
        ("a", policy(|policy| policy.first_wait = Duration::ZERO), "retry_after"),
    ] {
        let error = engine.add_hook("system", name, wrong).await.unwrap_err();
        let text = error.to_string();
        assert!(error.kind() == ErrorKind::Invalid && text.contains(word) && text.contains("accepted"), "{text}");
    }
    engine.add_hook("system", "a", good.clone()).await.unwrap();
    assert_eq!(engine.add_hook("system", "a", good).await.unwrap_err().kind(), ErrorKind::Conflict);
}
