//! The clauses of `TemplateKeeper`.
#![expect(clippy::unwrap_used, clippy::missing_panics_doc, reason = "test code: a failed step is a failed test")]

use std::time::Duration;

use pipeline_core::ErrorKind;
use pipeline_core::model::Money;
use pipeline_core::settings::Origin;
use pipeline_core::storage::{JobKey, Recipe, SavedBody, SavedKind, SavedLayer, SavedRequest};
use serde_json::json;

use super::fixture::Bench;

/// Makes a request that is awkward to store.
pub(super) fn request(keyword: &str) -> SavedRequest {
    SavedRequest {
        recipe: Recipe {
            preset: None,
            definition: "name = \"ü\"\n".to_owned(),
            json: false,
            file: "cats.toml".to_owned(),
            inputs: vec!["/in/cats".to_owned()],
            count: Some(3),
        },
        keywords: vec![keyword.to_owned()],
        layers: vec![SavedLayer {
            origin: Origin::Argument,
            values: json!({ "z": { "b": "0.1", "a": 0.1 + 0.2 } }),
            text: true,
        }],
        out: Some("/out".to_owned()),
        label: Some(keyword.to_owned()),
        priority: -2,
        key: Some(JobKey { name: "cats".to_owned(), limit: 2 }),
        budget: Some(Money::from_micros(5_000_000)),
    }
}

fn template(keyword: &str) -> SavedBody {
    SavedBody::Template(Box::new(request(keyword)))
}

fn settings(value: i32) -> SavedBody {
    let layer = SavedLayer { origin: Origin::Argument, values: json!({ "a": { "b": value } }), text: false };
    SavedBody::Settings { layers: vec![layer] }
}

/// What is saved survives as it was; owners and kinds are apart.
pub async fn template_1_kept(bench: &Bench) {
    let keeper = &bench.store;
    let saved = keeper.save("ann", "cats", template("one"), false).await.unwrap();
    assert_eq!((saved.owner.as_str(), saved.name.as_str(), &saved.body), ("ann", "cats", &template("one")));
    assert_eq!(saved.saved_at, keeper.now().await.unwrap());
    keeper.save("bea", "cats", template("two"), false).await.unwrap();
    keeper.save("ann", "cats", settings(1), false).await.unwrap();
    let again = bench.reopen().await;
    assert_eq!(again.saved("ann", SavedKind::Template, "cats").await.unwrap(), saved);
    assert_eq!(again.saved("bea", SavedKind::Template, "cats").await.unwrap().body, template("two"));
    assert_eq!(again.saved("ann", SavedKind::Settings, "cats").await.unwrap().body, settings(1));
}

/// A name that is taken is refused unless it is to be replaced; then all of it is.
pub async fn template_2_replaced_on_purpose(bench: &Bench) {
    let keeper = &bench.store;
    let first = keeper.save("ann", "cats", template("one"), false).await.unwrap();
    bench.clock.advance(Duration::from_secs(1));
    let error = keeper.save("ann", "cats", template("two"), false).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    assert_eq!(keeper.saved("ann", SavedKind::Template, "cats").await.unwrap(), first);
    let second = keeper.save("ann", "cats", template("two"), true).await.unwrap();
    assert!(second.saved_at > first.saved_at);
    assert_eq!(keeper.saved("ann", SavedKind::Template, "cats").await.unwrap(), second);
    keeper.save("ann", "dogs", template("three"), true).await.unwrap();
    let again = bench.reopen().await;
    let (one, two) =
        tokio::join!(keeper.save("ann", "birds", settings(1), false), again.save("ann", "birds", settings(2), false));
    assert_eq!([one.is_ok(), two.is_ok()].iter().filter(|kept| **kept).count(), 1, "one of two at once");
}

/// They are listed by name, of a kind, of one owner or of all.
pub async fn template_3_listed(bench: &Bench) {
    for (owner, name) in [("bea", "b"), ("ann", "c"), ("ann", "a"), ("bea", "a")] {
        bench.store.save(owner, name, template(name), false).await.unwrap();
    }
    bench.store.save("ann", "b", settings(1), false).await.unwrap();
    let list = async |owner: Option<&str>, kind| {
        let found = bench.store.list_saved(owner, kind).await.unwrap();
        found.into_iter().map(|record| (record.owner, record.name)).collect::<Vec<_>>()
    };
    let pairs = |pairs: &[(&str, &str)]| {
        pairs.iter().map(|(owner, name)| ((*owner).to_owned(), (*name).to_owned())).collect::<Vec<_>>()
    };
    let all = pairs(&[("ann", "a"), ("bea", "a"), ("bea", "b"), ("ann", "c")]);
    assert_eq!(list(None, SavedKind::Template).await, all);
    assert_eq!(list(Some("ann"), SavedKind::Template).await, pairs(&[("ann", "a"), ("ann", "c")]));
    assert_eq!(list(None, SavedKind::Settings).await, pairs(&[("ann", "b")]));
    assert!(list(Some("eve"), SavedKind::Template).await.is_empty());
}

/// What is not there is `NotFound`, and what was forgotten is not there.
pub async fn template_4_not_found(bench: &Bench) {
    let keeper = &bench.store;
    keeper.save("ann", "cats", template("one"), false).await.unwrap();
    for (owner, kind, name) in [
        ("bea", SavedKind::Template, "cats"),
        ("ann", SavedKind::Settings, "cats"),
        ("ann", SavedKind::Template, "Cats"),
    ] {
        assert_eq!(keeper.saved(owner, kind, name).await.unwrap_err().kind(), ErrorKind::NotFound);
        assert_eq!(keeper.forget(owner, kind, name).await.unwrap_err().kind(), ErrorKind::NotFound);
    }
    keeper.forget("ann", SavedKind::Template, "cats").await.unwrap();
    let again = bench.reopen().await;
    assert_eq!(again.saved("ann", SavedKind::Template, "cats").await.unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(again.forget("ann", SavedKind::Template, "cats").await.unwrap_err().kind(), ErrorKind::NotFound);
    keeper.save("ann", "cats", template("two"), false).await.unwrap();
}
