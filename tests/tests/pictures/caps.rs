//! What is refused on the headers alone, before memory or time is spent.

use std::time::Instant;

use pipeline::core::ErrorKind;
use pipeline::providers::local::image::{Limits, decode};
use pipeline_testkit::pictures::{bombs, corpus};

use crate::bytes;

#[test]
fn every_bomb_is_refused_with_its_reason() {
    for bomb in bombs() {
        assert!(bomb.bytes.len() < 8_000_000, "{} has {} bytes", bomb.name, bomb.bytes.len());
        match decode(&bomb.bytes, Limits::DEFAULT) {
            Ok(_) => assert_eq!(bomb.reason, "", "{} was accepted", bomb.name),
            Err(error) => {
                assert!(matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::Unsupported), "{}: {error}", bomb.name);
                assert!(error.to_string().contains(bomb.reason) && !bomb.reason.is_empty(), "{}: {error}", bomb.name);
            }
        }
    }
}

#[test]
fn every_format_keeps_to_each_limit() {
    let cases = [
        (Limits { max_side: 30, ..Limits::DEFAULT }, "at most 30 pixels a side"),
        (Limits { max_pixels: 100, ..Limits::DEFAULT }, "at most 100 pixels in all"),
        (Limits { max_memory: 500, ..Limits::DEFAULT }, "at most 500 bytes"),
    ];
    for sample in corpus() {
        for (limits, reason) in cases {
            let error = decode(&sample.bytes, limits).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Unsupported, "{}", sample.name);
            assert!(error.to_string().contains(reason), "{}: {error}", sample.name);
        }
        let over = Limits::DEFAULT.until(Some(Instant::now()));
        assert_eq!(decode(&sample.bytes, over).unwrap_err().kind(), ErrorKind::Timeout, "{}", sample.name);
    }
}

#[test]
fn animations_keep_to_the_limit_of_frames() {
    let few = Limits { max_frames: 1, ..Limits::DEFAULT };
    for (name, frames) in [("animated.gif", 4), ("animated.webp", 2)] {
        let error = decode(&bytes(name), few).unwrap_err();
        assert!(error.to_string().contains(&format!("frames={frames}, accepted=at most 1")), "{name}: {error}");
        decode(&bytes(name), Limits { max_frames: frames, ..few }).unwrap();
    }
}

#[test]
fn a_jpeg_of_very_many_scans_is_refused() {
    let good = bytes("progressive.jpg");
    let last = good.windows(2).rposition(|pair| pair == [0xff, 0xda]).unwrap();
    let scan = good[last..good.len() - 2].to_vec();
    let many = [&good[..last], &scan.repeat(100), &good[good.len() - 2..]].concat();
    let error = decode(&many, Limits::DEFAULT).unwrap_err();
    assert!(error.to_string().contains("scans") && error.kind() == ErrorKind::Unsupported, "{error}");
}
