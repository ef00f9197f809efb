//! What is published is all there, under names of its own, whoever else publishes into the folder.
#![expect(clippy::unwrap_used, reason = "a failed step is a failed test")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use pipeline::prelude::*;
use pipeline::providers::local::image::{Picture, encode, probe};
use pipeline_core::model::{JobStatus, MediaType};
use pipeline_core::provider::Dimensions;
use pipeline_testkit::pictures::scene;
use tempfile::TempDir;

const ONE: &str = r#"
name = "one"
[stages.files]
kind = "source.files"
[stages.publish]
kind = "output.folder"
needs = ["files"]
settings = { name = "{{ stem }}", sidecar = "json" }
"#;

const TWO: &str = r#"
name = "two"
[stages.files]
kind = "source.files"
[stages.large]
kind = "image.process"
needs = ["files"]
settings = { width = 60 }
[stages.small]
kind = "image.process"
needs = ["files"]
settings = { width = 20 }
[stages.publish_large]
kind = "output.folder"
needs = ["large"]
settings = { name = "{{ stem }}-large" }
[stages.publish_small]
kind = "output.folder"
needs = ["small"]
settings = { name = "{{ stem }}-small" }
"#;

const RENDITIONS: &str = r#"
name = "renditions"
[stages.files]
kind = "source.files"
[stages.process]
kind = "image.process"
needs = ["files"]
settings = { renditions = { thumb = { width = 16 } } }
[stages.publish]
kind = "output.folder"
needs = ["process"]
settings = { name = "{{ stem }}" }
"#;

fn engine() -> Engine {
    pipeline::local_engine().store(MemoryStore::new()).artifacts(Artifacts::memory()).build().unwrap()
}

fn picture(folder: &Path, name: &str, width: u32) -> PathBuf {
    let picture = Picture::rgb(Dimensions { width, height: 64 }, scene(width, 64)).unwrap();
    let format =
        if Path::new(name).extension().is_some_and(|end| end == "jpg") { MediaType::Jpeg } else { MediaType::Png };
    fs::create_dir_all(folder).unwrap();
    fs::write(folder.join(name), encode(&picture, format, 90).unwrap().bytes).unwrap();
    folder.join(name)
}

/// A request over files that publishes into a folder.
fn request(pipeline: &str, files: &[PathBuf], out: &str) -> JobRequest {
    let request = JobRequest::toml("test.toml", pipeline).out(out);
    files.iter().fold(request, |request, file| request.input(file.to_string_lossy()))
}

async fn run(engine: &Engine, request: JobRequest) -> (JobStatus, Vec<PathBuf>) {
    let job = engine.submit(request).await.unwrap().id;
    engine.run_until_idle().await.unwrap();
    (engine.job(job).await.unwrap().status, engine.published(job).await.unwrap())
}

/// The width of every picture in a folder, by its name; 0 for what is no picture.
fn widths(folder: &Path) -> BTreeMap<String, u32> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    entries
        .map(|entry| {
            let width = probe(&fs::read(entry.path()).unwrap()).map_or(0, |(_, size)| size.width);
            (entry.file_name().to_string_lossy().into_owned(), width)
        })
        .collect()
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn branches_that_publish_at_once_keep_their_own_pictures() {
    let home = TempDir::new().unwrap();
    let files: Vec<PathBuf> = (0..30).map(|n| picture(&home.path().join("in"), &format!("p{n}.png"), 80)).collect();
    let out = home.path().join("out");
    let (status, published) = run(&engine(), request(TWO, &files, &text(&out))).await;
    assert_eq!((status, published.len()), (JobStatus::Completed, 60));
    let found = widths(&out);
    assert_eq!(found.len(), 60);
    for (name, width) in found {
        assert_eq!(width, if name.contains("large") { 60 } else { 20 }, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn branches_that_want_one_name_get_two() {
    let home = TempDir::new().unwrap();
    let files = [picture(&home.path().join("in"), "fox.png", 80)];
    let out = home.path().join("out");
    let same = TWO.replace("}}-large", "}}").replace("}}-small", "}}");
    let (status, published) = run(&engine(), request(&same, &files, &text(&out))).await;
    assert_eq!((status, published.len()), (JobStatus::Completed, 2));
    let mut found: Vec<u32> = widths(&out).into_values().collect();
    found.sort_unstable();
    assert_eq!(found, [20, 60]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn jobs_of_one_and_of_two_stores_lose_nothing_in_one_folder_however_it_is_written() {
    let home = TempDir::new().unwrap();
    let of = |folder: &str, width: u32| -> Vec<PathBuf> {
        (0..25).map(|n| picture(&home.path().join(folder), &format!("p{n}.png"), width)).collect()
    };
    let (first, second, third) = (of("a", 70), of("b", 80), of("c", 90));
    let out = home.path().join("out");
    let (here, there) = (engine(), engine());
    let spelled = [text(&out), format!("{}/", out.display()), format!("{}/../out/.", out.display())];
    fs::create_dir_all(&out).unwrap();
    for (files, out) in [(&first, &spelled[0]), (&second, &spelled[1])] {
        here.submit(request(ONE, files, out)).await.unwrap();
    }
    there.submit(request(ONE, &third, &spelled[2])).await.unwrap();
    let (one, two) = tokio::join!(here.run_until_idle(), there.run_until_idle());
    one.and(two).unwrap();
    let found = widths(&out);
    for width in [70, 80, 90] {
        assert_eq!(found.values().filter(|found| **found == width).count(), 25, "{found:?}");
    }
    assert_eq!(found.values().filter(|width| **width == 0).count(), 75, "a sidecar is missing, or something was left");
}

#[tokio::test]
async fn a_sidecar_is_as_much_its_own_as_the_picture() {
    let home = TempDir::new().unwrap();
    let pictures = home.path().join("in");
    let files = [picture(&pictures, "a.png", 80), picture(&pictures, "a.jpg", 80)];
    let out = home.path().join("out");
    fs::create_dir_all(&out).unwrap();
    fs::write(out.join("a.json"), "notes").unwrap();
    let engine = engine();
    assert_eq!(run(&engine, request(ONE, &files, &text(&out))).await.0, JobStatus::Completed);
    let names: Vec<String> = widths(&out).into_keys().collect();
    let group = |number: u32, format: &str| [format!("a-{number}.{format}"), format!("a-{number}.json")];
    let accepted = [("png", "jpg"), ("jpg", "png")].map(|(first, second)| {
        let mut names = [vec!["a.json".to_owned()], group(2, first).to_vec(), group(3, second).to_vec()].concat();
        names.sort();
        names
    });
    assert!(accepted.contains(&names), "{names:?}");
    assert_eq!(fs::read_to_string(out.join("a.json")).unwrap(), "notes");
    let strict = request(ONE, &files[..1], &text(&out)).set("publish.policy", "error").unwrap();
    assert_eq!(run(&engine, strict).await.0, JobStatus::Failed);
    assert_eq!(widths(&out).into_keys().collect::<Vec<_>>(), names, "half of it was published");
}

#[tokio::test]
async fn a_picture_and_its_renditions_have_the_same_number() {
    let home = TempDir::new().unwrap();
    let files = [picture(&home.path().join("in"), "a.png", 80)];
    let out = home.path().join("out");
    fs::create_dir_all(&out).unwrap();
    fs::write(out.join("a-thumb.png"), "mine").unwrap();
    let engine = engine();
    let (status, published) = run(&engine, request(RENDITIONS, &files, &text(&out))).await;
    assert_eq!((status, published), (JobStatus::Completed, vec![out.join("a-2.png"), out.join("a-2-thumb.png")]));
    let strict = request(RENDITIONS, &files, &text(&out)).set("publish.policy", "error").unwrap();
    assert_eq!(run(&engine, strict).await.0, JobStatus::Failed);
    assert!(!out.join("a.png").exists(), "half of it was published");
}

#[tokio::test]
async fn names_are_free_again_when_their_files_are_gone() {
    let home = TempDir::new().unwrap();
    let files = [picture(&home.path().join("in"), "fox.png", 80)];
    let out = home.path().join("out");
    let engine = engine();
    for policy in ["append", "error"] {
        let again = request(ONE, &files, &text(&out)).set("publish.policy", policy).unwrap();
        assert_eq!(run(&engine, again).await, (JobStatus::Completed, vec![out.join("fox.png")]), "{policy}");
        fs::remove_dir_all(&out).unwrap();
    }
}

#[tokio::test]
async fn letters_keep_their_marks_in_names() {
    let home = TempDir::new().unwrap();
    // As macOS writes it: the letter, then its mark.
    let names = ["Zu\u{308}rich.png", "हिन्दी.png", "ภูเขาที่.png"];
    let files: Vec<PathBuf> = names.iter().map(|name| picture(&home.path().join("in"), name, 80)).collect();
    let out = home.path().join("out");
    run(&engine(), request(ONE, &files, &text(&out))).await;
    for name in ["Zürich.png", "हिन्दी.png", "ภูเขาที่.png"] {
        assert!(out.join(name).exists(), "{name} in {:?}", widths(&out));
    }
}
