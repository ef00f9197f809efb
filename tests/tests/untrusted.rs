//! A folder full of bad files under the preset `enhance`: each gets its reason, the good ones go on, and memory stays
//! bounded; and damaged files by the thousand.
#![expect(clippy::unwrap_used, reason = "a failed step is a failed test")]

use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;

use peak_alloc::PeakAlloc;
use pipeline::core::executor::{StageState, Stop};
use pipeline::core::model::{MediaType, Verdict};
use pipeline::core::provider::{Dimensions, EmbedMetadataRequest, ImageFile, KeepExif, ProcessRequest};
use pipeline::core::storage::{ItemQuery, ItemRecord};
use pipeline::prelude::*;
use pipeline::providers::local::image::{Limits, Picture, decode, embed, encode, process};
use pipeline_testkit::pictures::fuzz::TARGETS;
use pipeline_testkit::pictures::{Mutator, Png, Tiff, Trial, bombs, corpus, exif_bombs, scene};

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// One test at a time: each reads the memory of the whole process.
static TURN: Mutex<()> = Mutex::new(());

/// The most that the folder of bad files may take: a run of good small files takes some thirty.
const MOST_MEMORY: usize = 100 << 20;

fn picture(width: u32, height: u32) -> Picture {
    Picture::rgb(Dimensions { width, height }, scene(width, height)).unwrap()
}

/// The bad files: a name, the bytes, and part of the reason that the item must show.
fn bad_files() -> Vec<(String, Vec<u8>, &'static str)> {
    let jpeg = encode(&picture(256, 256), MediaType::Jpeg, 90).unwrap().bytes.to_vec();
    let mut flipped = jpeg.clone();
    for byte in &mut flipped[3_000..3_016] {
        *byte = 0xff;
    }
    let mut files = vec![
        ("zero.jpg".to_owned(), Vec::new(), "the file is empty"),
        ("half.jpg".to_owned(), jpeg[..jpeg.len() / 2].to_vec(), "damaged or cut off"),
        ("flipped.jpg".to_owned(), flipped, "damaged or cut off"),
        ("words.jpg".to_owned(), b"I am a letter, not a picture".to_vec(), "not a picture"),
        ("page.jpg".to_owned(), b"<!doctype html><title>404</title>".to_vec(), "not a picture"),
        ("noise.png".to_owned(), vec![0, 1, 2, 3, 250, 251, 252], "not a picture"),
        ("photo.heic".to_owned(), b"\0\0\0\x18ftypheic\0\0\0\0mif1heic".to_vec(), "HEIC pictures cannot be read"),
        ("phone.jpg".to_owned(), b"\0\0\0\x18ftypheic\0\0\0\0mif1heic".to_vec(), "HEIC pictures cannot be read"),
        (
            "drawing.svg".to_owned(),
            b"<svg xmlns='http://www.w3.org/2000/svg'/>".to_vec(),
            "SVG pictures cannot be read",
        ),
        (
            "modern.avif".to_owned(),
            b"\0\0\0\x18ftypavif\0\0\0\0mif1avif".to_vec(),
            if cfg!(feature = "avif") { "damaged or cut off" } else { "AVIF pictures cannot be read" },
        ),
        ("line.png".to_owned(), Png::new(20_000, 1, 8, 2).file(&scene(20_000, 1)), "longest side"),
        ("dot.png".to_owned(), Png::new(1, 1, 8, 2).file(&[9, 9, 9]), "64"),
        ("nothing.png".to_owned(), Png::new(128, 128, 8, 6).file(&vec![0; 128 * 128 * 4]), "blank"),
    ];
    for sample in corpus() {
        let cut = sample.bytes[..sample.bytes.len() * 2 / 3].to_vec();
        files.push((format!("cut-{}", sample.name), cut, "damaged or cut off"));
    }
    for bomb in bombs().into_iter().filter(|bomb| !bomb.reason.is_empty()) {
        files.push((format!("bomb-{}", bomb.name), bomb.bytes, bomb.reason));
    }
    files
}

/// Files that are unusual and good.
fn good_files() -> Vec<(&'static str, Vec<u8>)> {
    let png = encode(&picture(200, 160), MediaType::Png, 90).unwrap().bytes.to_vec();
    let inks: Vec<u8> = scene(200, 160).as_chunks::<3>().0.iter().flat_map(|&[r, g, b]| [r, g, b, 0]).collect();
    let mut files = exif_bombs(14_000);
    files.extend([
        ("wrong-extension.jpg", png.clone()),
        ("good.png", png),
        ("inks.tif", Tiff::new(200, 160, 4, 8, 5, 1).strips(160, vec![inks]).file()),
    ]);
    files
}

/// Why an item was stopped.
async fn why(engine: &Engine, item: &ItemRecord) -> String {
    let stop = item.machine.stages.iter().find_map(|state| match state {
        StageState::Stopped { stop, .. } => Some(stop.clone()),
        _ => None,
    });
    match stop {
        None => String::new(),
        Some(Stop::Failed { failure }) => failure.message,
        Some(_) => {
            let (_, results) = engine.item(item.id).await.unwrap();
            let reasons = results.into_iter().filter_map(|result| match result.verdict {
                Some(Verdict::Fail { reasons }) => Some(reasons),
                _ => None,
            });
            reasons
                .flatten()
                .map(|reason| format!("{}: {}", reason.code, reason.message))
                .collect::<Vec<_>>()
                .join("; ")
        }
    }
}

fn write(folder: &Path, name: &str, bytes: &[u8]) {
    std::fs::write(folder.join(name), bytes).unwrap();
}

#[test]
fn every_bad_file_gets_its_reason_and_the_others_go_on_within_bounded_memory() {
    let _turn = TURN.lock();
    let home = tempfile::tempdir().unwrap();
    let (folder, out) = (home.path().join("in"), home.path().join("out"));
    std::fs::create_dir(&folder).unwrap();
    let (bad, good) = (bad_files(), good_files());
    for (name, bytes, _) in &bad {
        write(&folder, name, bytes);
    }
    for (name, bytes) in &good {
        write(&folder, name, bytes);
    }
    let reasons: Vec<(String, &str)> = bad.into_iter().map(|(name, _, reason)| (name, reason)).collect();

    let before = MEMORY.current_usage();
    MEMORY.reset_peak_usage();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let items = runtime.block_on(async {
        let artifacts = Artifacts::directory(home.path().join("artifacts")).unwrap();
        let engine = pipeline::local_engine().store(MemoryStore::new()).artifacts(artifacts).build().unwrap();
        let request = JobRequest::preset("enhance").input(folder.to_string_lossy()).out(&out);
        let id = engine.submit(request).await.unwrap().id;
        tokio::time::timeout(Duration::from_secs(120), engine.run_until_idle()).await.unwrap().unwrap();
        let mut items = Vec::new();
        for item in engine.items(ItemQuery { limit: 1_000, ..ItemQuery::of(id) }).await.unwrap() {
            let why = why(&engine, &item).await;
            items.push((item, why));
        }
        items
    });
    let most = MEMORY.peak_usage().saturating_sub(before);

    assert_eq!(items.len(), reasons.len() + good.len());
    for (item, why) in &items {
        match reasons.iter().find(|(name, _)| *name == item.name) {
            Some((name, reason)) => {
                assert!(matches!(item.status, ItemStatus::Failed | ItemStatus::Rejected), "{name}: {:?}", item.status);
                assert!(why.contains(reason), "{name}: {why}");
            }
            None => assert_eq!(item.status, ItemStatus::Succeeded, "{}: {why}", item.name),
        }
    }
    assert_eq!(std::fs::read_dir(&out).unwrap().count(), good.len());
    assert!(most < MOST_MEMORY, "{} MiB", most >> 20);
    println!("{} items, {} MiB at most", items.len(), most >> 20);
}

#[test]
fn metadata_that_makes_much_of_little_stops_neither_keeping_nor_writing_it() {
    let _turn = TURN.lock();
    let bombs = exif_bombs(14_000);
    MEMORY.reset_peak_usage();
    for (name, bytes) in bombs {
        let image = ImageFile { bytes: bytes.into(), media_type: MediaType::Jpeg };
        let request = ProcessRequest { exif: KeepExif::All, ..ProcessRequest::new(image.clone()) };
        let kept = process(&request, Limits::DEFAULT).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!((kept.size.width, kept.size.height), (200, 160), "{name}");
        let texts = EmbedMetadataRequest {
            image,
            title: "Title".to_owned(),
            description: String::new(),
            keywords: Vec::new(),
            creator: None,
            rights: None,
            source: None,
        };
        let written = embed(&texts).unwrap_or_else(|error| panic!("{name}: {error}"));
        decode(&written.bytes, Limits::DEFAULT).unwrap();
    }
    let most = MEMORY.peak_usage();
    assert!(most < MOST_MEMORY, "{} MiB", most >> 20);
}

#[test]
fn thousands_of_damaged_files_break_nothing() {
    let _turn = TURN.lock();
    let mut trial = Trial::new(1, &MEMORY);
    for number in 0..2_000 {
        trial.run(number);
    }
    println!("{trial}");
    assert!(trial.broken.is_empty(), "{trial}");
    let count = |word: &str| trial.to_string().lines().filter(|line| line.contains(word)).count();
    assert!(count("done") >= 5 && count("corrupt") >= 6, "{trial}");
}

#[test]
fn what_a_fuzzer_runs_holds_on_noise_and_on_damaged_files() {
    let _turn = TURN.lock().unwrap();
    let mutator = Mutator::new(7);
    for (name, target) in TARGETS {
        for number in 0..300 {
            let bytes = match number % 3 {
                0 => mutator.case(number).1,
                _ => mutator.noise(number, 40 * number as usize),
            };
            let tried = std::panic::catch_unwind(|| target(&bytes));
            assert!(tried.is_ok(), "{name}, case {number}");
        }
    }
}
