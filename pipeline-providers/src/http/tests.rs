use pipeline_core::id::CallId;
use pipeline_core::provider::{CallContext, Dimensions};
use serde_json::{Value, json};

use super::*;
use crate::http::HttpConfig;

const ORDER: Asked = Asked::Order { idempotent: false };

fn able() -> ImageCapabilities {
    HttpConfig { max_per_call: 2, step: 8, styles: vec!["ink".to_owned()], ..HttpConfig::new("http://localhost") }
        .capabilities()
}

fn request() -> GenerateRequest {
    GenerateRequest {
        prompt: "a heron".to_owned(),
        negative_prompt: None,
        size: Dimensions { width: 64, height: 128 },
        seeds: vec![u64::MAX, 2],
        style: None,
        context: CallContext::new("0198c1a2-7c3e-7000-8000-000000000000".parse::<CallId>().unwrap()),
    }
}

#[test]
fn an_order_holds_everything_asked_for_and_nothing_else() {
    let sent = |request: &GenerateRequest| -> Value {
        serde_json::from_slice(&order(request, Some("studio-1"), &able()).unwrap()).unwrap()
    };
    let expected = json!({
        "model": "studio-1", "prompt": "a heron", "width": 64, "height": 128, "n": 2, "seeds": [u64::MAX, 2],
    });
    assert_eq!(sent(&request()), expected);
    assert_eq!(sent(&GenerateRequest { style: Some("ink".to_owned()), ..request() })["style"], "ink");
}

#[test]
fn an_option_the_vendor_cannot_honour_is_an_error_and_never_dropped() {
    let wrong = [
        GenerateRequest { size: Dimensions { width: 65, height: 64 }, ..request() },
        GenerateRequest { size: Dimensions { width: 64, height: 8192 }, ..request() },
        GenerateRequest { seeds: vec![1, 2, 3], ..request() },
        GenerateRequest { negative_prompt: Some("fog".to_owned()), ..request() },
        GenerateRequest { style: Some("oil".to_owned()), ..request() },
    ];
    for request in wrong {
        let error = order(&request, None, &able()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
        assert!(!error.to_string().contains("heron") && !error.to_string().contains("fog"), "{error}");
    }
    assert_eq!(
        order(&GenerateRequest { seeds: vec![], ..request() }, None, &able()).unwrap_err().kind(),
        ErrorKind::Invalid
    );
}

#[test]
fn a_task_is_named_by_what_can_stand_in_an_address() {
    assert_eq!(submitted(br#"{"id": "task-1", "eta": 4}"#).unwrap(), "task-1");
    let long = format!(r#"{{"id": "{}"}}"#, "x".repeat(300));
    for body in [r#"{"id": ""}"#, r#"{"id": ".."}"#, r#"{"id": "a/b"}"#, r#"{"id": 7}"#, "{", &long] {
        let error = submitted(body.as_bytes()).unwrap_err();
        assert_eq!((error.kind(), error.retryability()), (ErrorKind::Corrupt, Retryability::Indeterminate), "{body}");
    }
}

fn png() -> String {
    STANDARD.encode(b"\x89PNG\r\n\x1a\n....")
}

#[test]
fn a_task_runs_delivers_or_fails() {
    let look = |value: Value| standing(&serde_json::to_vec(&value).unwrap(), "task-1", 2);
    for status in ["queued", "running"] {
        assert!(matches!(look(json!({ "status": status })), Ok(Standing::Running)));
    }
    let images = json!([{ "index": 1, "seed": 7, "b64": png() }, { "index": 0, "url": "http://localhost/a.png" }]);
    let done = look(json!({ "status": "succeeded", "images": images, "cost_micros": 80_000, "more": [] })).unwrap();
    let Standing::Done(done) = done else { panic!("{done:?}") };
    assert_eq!(done.usage.external_id.as_deref(), Some("task-1"));
    assert_eq!((done.usage.cost, done.images.len()), (Some(Money::from_micros(80_000)), 2));
    assert_eq!((done.images[0].index, done.images[0].seed), (1, Some(7)));
    assert!(matches!(&done.images[0].content, ImageContent::Inline(file) if file.media_type.is_image()));
    let failed = |code: &str| look(json!({ "status": "failed", "error": { "code": code } })).unwrap_err();
    assert_eq!(failed("moderation").retryability(), Retryability::Refused);
    assert_eq!(failed("no_gpu").retryability(), Retryability::Transient);
    assert_eq!(look(json!({ "status": "failed" })).unwrap_err().retryability(), Retryability::Transient);
}

#[test]
fn an_answer_that_makes_no_sense_is_corrupt_and_perhaps_charged() {
    let image = |index: u32| json!({ "index": index, "b64": png() });
    let wrong = [
        json!({ "images": "two" }),
        json!({ "images": [image(2)] }),
        json!({ "images": [image(0), image(0)] }),
        json!({ "images": [{ "index": 0 }] }),
        json!({ "images": [{ "index": 0, "b64": png(), "url": "http://localhost" }] }),
        json!({ "images": [{ "index": 0, "b64": "?" }] }),
        json!({ "images": [{ "index": 0, "b64": STANDARD.encode("secret words") }] }),
        json!({ "images": [image(0)], "cost_micros": -1 }),
    ];
    for value in wrong {
        let error = delivered(&serde_json::to_vec(&value).unwrap(), 2).unwrap_err();
        assert_eq!((error.kind(), error.retryability()), (ErrorKind::Corrupt, Retryability::Indeterminate), "{value}");
        assert!(!format!("{error:?}").contains("secret"), "{error:?}");
    }
    for value in [json!({ "status": "done" }), json!({ "status": "succeeded" }), json!([])] {
        assert_eq!(standing(&serde_json::to_vec(&value).unwrap(), "t", 2).unwrap_err().kind(), ErrorKind::Corrupt);
    }
    assert!(delivered(br#"{"images": []}"#, 2).unwrap().images.is_empty());
}

#[test]
fn every_status_of_an_order_is_classified() {
    use ErrorKind as K;
    use Retryability as R;
    let throttled = R::Throttled { after: None };
    let table = [
        (301, K::Unexpected, R::Permanent),
        (400, K::Invalid, R::Permanent),
        (401, K::Unauthorized, R::Permanent),
        (402, K::Exhausted, R::Permanent),
        (403, K::Unauthorized, R::Permanent),
        (404, K::NotFound, R::Permanent),
        (408, K::Timeout, R::Transient),
        (409, K::Conflict, R::Permanent),
        (422, K::Invalid, R::Permanent),
        (429, K::RateLimited, throttled),
        (500, K::Unavailable, R::Transient),
        (502, K::Unavailable, R::Indeterminate),
        (503, K::Unavailable, R::Transient),
        (504, K::Unavailable, R::Indeterminate),
        (524, K::Unavailable, R::Indeterminate),
        (529, K::Unavailable, R::Transient),
        (999, K::Unexpected, R::Indeterminate),
    ];
    for (status, kind, retry) in table {
        let error = refusal(ORDER, status, None, Timestamp::EPOCH, b"");
        assert_eq!((error.kind(), error.retryability()), (kind, retry), "{status}");
        // Nothing said about a task but its own end ends it.
        let asked = refusal(Asked::Task, status, None, Timestamp::EPOCH, b"").retryability();
        assert_eq!(asked, if status == 429 { throttled } else { R::Indeterminate }, "{status}");
        assert_ne!(refusal(Asked::File, status, None, Timestamp::EPOCH, b"").retryability(), R::Indeterminate);
    }
    let early = refusal(Asked::Order { idempotent: true }, 409, None, Timestamp::EPOCH, b"");
    assert_eq!(early.retryability(), R::Indeterminate);
    let body = br#"{"error": {"code": "moderation", "message": "refused: a heron"}}"#;
    let error = refusal(ORDER, 400, None, Timestamp::EPOCH, body);
    assert_eq!(error.retryability(), R::Refused);
    assert!(!format!("{error:?}").contains("heron"));
}

#[test]
fn a_vendor_may_ask_for_a_wait_in_seconds_or_by_date_but_not_for_ever() {
    let now = Timestamp::from_micros(1_445_412_420_000_000); // 07:27:00 of that day
    let seconds = |text: &str| wait(text, now).map(|wait| wait.as_secs_f64());
    assert_eq!(seconds("17"), Some(17.0));
    assert_eq!(seconds(" 0.5 "), Some(0.5));
    assert_eq!(seconds("Wed, 21 Oct 2015 07:28:00 GMT"), Some(60.0));
    assert_eq!(seconds("Wed, 21 Oct 2015 07:00:00 GMT"), Some(0.0));
    for absurd in ["99999999999999999999", "1e300", "inf", "Wed, 21 Oct 2195 07:28:00 GMT", "7200"] {
        assert_eq!(seconds(absurd), Some(3600.0), "{absurd}");
    }
    for nonsense in ["", "soon", "NaN", "Wed, 99 Oct"] {
        assert_eq!(seconds(nonsense), None, "{nonsense}");
    }
    assert_eq!(seconds("-5"), Some(0.0));
    let error = refusal(ORDER, 429, Some("3"), now, b"");
    assert_eq!(error.retryability(), Retryability::Throttled { after: Some(Duration::from_secs(3)) });
}
