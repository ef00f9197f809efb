//! Tests of the provider as a caller sees it.

use bytes::Bytes;
use pipeline_core::model::{MediaType, Verdict};
use pipeline_core::provider::{CallContext, Dimensions, ImageFile, QualityRules};

use super::super::measure::tests::{blurred, noisy, photo, recipe};
use super::*;
use crate::local::image::{Picture, encode};

fn request(bytes: Bytes, question: Question) -> VisionRequest {
    let context = CallContext::new("0198a5d4-0000-7000-8000-000000000001".parse().unwrap());
    VisionRequest { image: ImageFile { bytes, media_type: MediaType::Png }, question, context }
}

fn quality() -> Question {
    Question::Quality { rules: QualityRules::default(), requested: Some(Dimensions { width: 600, height: 400 }) }
}

fn codes(picture: &Picture) -> Vec<String> {
    let file = encode(picture, MediaType::Png, 90).unwrap();
    match look(&request(file.bytes, quality()), Limits::DEFAULT).unwrap().verdict.unwrap() {
        Verdict::Fail { reasons } => reasons.into_iter().map(|reason| reason.code).collect(),
        _ => Vec::new(),
    }
}

#[tokio::test]
async fn a_good_picture_passes_with_all_measures_and_a_fingerprint() {
    let measures = Measures::default();
    assert_eq!(measures.info().name, "measures");
    let file = encode(&photo(3), MediaType::Jpeg, 92).unwrap();
    let response = measures.look(request(file.bytes, quality())).await.unwrap();
    assert_eq!(response.verdict, Some(Verdict::Pass), "{}", response.answer);
    assert!(response.fingerprint.is_some());
    let names: Vec<&str> = response.answer.as_object().unwrap().keys().map(String::as_str).collect();
    let expected = [
        "sharpness",
        "brightness",
        "contrast",
        "noise",
        "clipping",
        "clipped_shadows",
        "clipped_highlights",
        "entropy",
        "colorfulness",
        "blockiness",
        "brisque",
        "blank",
        "letterbox",
        "width",
        "height",
        "megapixels",
        "aspect",
        "aspect_error",
    ];
    assert_eq!(names, expected);
}

#[test]
fn each_fault_is_found_and_only_it() {
    let good = photo(3);
    assert_eq!(codes(&good), [""; 0]);
    assert_eq!(codes(&blurred(&good, 3)), ["blurry"]);
    assert_eq!(codes(&noisy(&good, 30.0)), ["noisy"]);
    assert!(codes(&recipe(&good, |value| value / 12)).contains(&"too_dark".to_owned()));
    assert!(codes(&recipe(&good, |value| 254 - (254 - value) / 12)).contains(&"too_bright".to_owned()));
    assert_eq!(codes(&recipe(&good, |_| 120)), ["blank"]);
    let mut barred = good.clone();
    let stride = 600 * 3;
    barred.pixels_mut()[..stride * 50].fill(30);
    barred.pixels_mut()[stride * 350..].fill(30);
    assert_eq!(codes(&barred), ["letterbox"]);
    let hard = |value: u8| if value > 20 { 255 } else { 0 };
    let clipped = recipe(&good, hard);
    assert!(codes(&clipped).contains(&"clipped".to_owned()));
    assert_eq!(codes(&good.crop(0, 0, Dimensions { width: 300, height: 200 }).unwrap()), ["too_small"]);
    assert_eq!(codes(&good.crop(0, 0, Dimensions { width: 400, height: 400 }).unwrap()), ["wrong_aspect"]);
}

#[test]
fn black_and_white_pictures_fail() {
    for (value, code) in [(0, "too_dark"), (255, "too_bright")] {
        let found = codes(&recipe(&photo(3), |_| value));
        assert!(found.contains(&code.to_owned()) && found.contains(&"blank".to_owned()), "{found:?}");
    }
}

#[test]
fn a_damaged_picture_is_an_error_and_never_a_verdict() {
    let file = encode(&photo(3), MediaType::Jpeg, 92).unwrap();
    let error = look(&request(file.bytes.slice(..file.bytes.len() / 2), quality()), Limits::DEFAULT).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
}

#[test]
fn a_prompt_is_unsupported() {
    let file = encode(&photo(3), MediaType::Jpeg, 92).unwrap();
    let question = Question::Prompt { text: "what is this?".to_owned(), schema: None };
    let error = look(&request(file.bytes, question), Limits::DEFAULT).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
}
