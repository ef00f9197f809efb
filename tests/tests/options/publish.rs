//! The options of `output.folder`.

use std::fs;
use std::path::Path;

use pipeline_core::model::ItemStatus::{Failed, Succeeded};
use serde_json::{Value, json};

use crate::bench::Bench;
use crate::pictures::scene;
use crate::registry::observed;

observed! { "output.folder" => {
    "folder" => finished_pictures_go_into_the_folder,
    "name" => the_template_names_the_files,
    "policy" = "append" => a_name_that_is_taken_gets_a_number,
    "policy" = "overwrite" => a_file_that_is_there_is_replaced,
    "policy" = "error" => a_file_that_is_there_stops_the_item,
    "sidecar" = "none" => nothing_is_written_beside_the_picture,
    "sidecar" = "json" => a_description_is_written_beside_the_picture,
} }

const KINDS: &[&str] = &["source.files", "output.folder"];

/// The names of the files in a folder; none when it is not there.
fn listing(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

async fn finished_pictures_go_into_the_folder() {
    let bench = Bench::new();
    let picture = bench.picture("red_fox.png", &scene(128, 128));
    let nowhere = bench.over(KINDS, &[&picture], json!({"folder": {"folder": null}})).await;
    assert_eq!((nowhere.statuses(), nowhere.field(0, "folder", "path")), (vec![Succeeded], Value::Null));
    assert!(bench.engine.published(nowhere.job.id).await.unwrap().is_empty());
    for name in ["one", "two/three"] {
        let folder = bench.path(name);
        let run = bench.over(KINDS, &[&picture], json!({"folder": {"folder": folder}})).await;
        let path = folder.join("red-fox-001-01.png");
        assert_eq!(run.field(0, "folder", "path"), json!(path));
        assert_eq!(bench.engine.published(run.job.id).await.unwrap(), std::slice::from_ref(&path));
        assert_eq!(fs::read(&path).unwrap(), fs::read(&picture).unwrap());
        assert_eq!(listing(&folder), ["red-fox-001-01.png"]);
    }
}

async fn the_template_names_the_files() {
    let bench = Bench::new();
    let (one, two) = (bench.picture("red_fox.png", &scene(128, 128)), bench.picture("owl.jpg", &scene(128, 160)));
    let cases = [
        ("{{ stem }}", vec!["owl.jpg", "red_fox.png"]),
        ("{{ n }} of {{ keyword }}, {{ v }}", vec!["001-of-red-fox-01.png", "002-of-owl-01.jpg"]),
        ("same", vec!["same.jpg", "same.png"]),
    ];
    for (index, (template, expected)) in cases.into_iter().enumerate() {
        let folder = bench.path(&format!("out {index}"));
        let settings = json!({"folder": {"folder": folder, "name": template}});
        bench.over(KINDS, &[&one, &two], settings).await;
        assert_eq!(listing(&folder), expected, "{template}");
    }
    let folder = bench.path("by id");
    let run = bench.over(KINDS, &[&one], json!({"folder": {"folder": folder, "name": "{{ id }}"}})).await;
    assert_eq!(listing(&folder), [format!("{}.png", run.items[0].id)]);
}

/// Publishes into a folder that has a file of the wanted name already.
async fn collide(policy: &str) -> (Bench, pipeline_core::model::ItemStatus) {
    let bench = Bench::new();
    let picture = bench.picture("fox.png", &scene(128, 128));
    let folder = bench.path("out");
    fs::create_dir_all(&folder).unwrap();
    bench.text("out/fox.png", "someone else's");
    let settings = json!({"folder": {"folder": folder, "name": "{{ stem }}", "policy": policy}});
    let status = bench.over(KINDS, &[&picture], settings).await.statuses()[0];
    (bench, status)
}

fn published(bench: &Bench, name: &str) -> Vec<u8> {
    fs::read(bench.path("out").join(name)).unwrap()
}

async fn a_name_that_is_taken_gets_a_number(value: &str) {
    let (bench, status) = collide(value).await;
    assert_eq!((status, listing(&bench.path("out"))), (Succeeded, vec!["fox-2.png".to_owned(), "fox.png".to_owned()]));
    assert_eq!(published(&bench, "fox.png"), b"someone else's");
    assert_eq!(published(&bench, "fox-2.png"), fs::read(bench.path("fox.png")).unwrap());
}

async fn a_file_that_is_there_is_replaced(value: &str) {
    let (bench, status) = collide(value).await;
    assert_eq!((status, listing(&bench.path("out"))), (Succeeded, vec!["fox.png".to_owned()]));
    assert_eq!(published(&bench, "fox.png"), fs::read(bench.path("fox.png")).unwrap());
}

async fn a_file_that_is_there_stops_the_item(value: &str) {
    let (bench, status) = collide(value).await;
    assert_eq!((status, listing(&bench.path("out"))), (Failed, vec!["fox.png".to_owned()]));
    assert_eq!(published(&bench, "fox.png"), b"someone else's");
}

/// Publishes a described picture; returns the files and the item's id.
async fn described(sidecar: &str) -> (Bench, Vec<String>, String) {
    let bench = Bench::new();
    let picture = bench.picture("fox.png", &scene(128, 128));
    let folder = bench.path("out");
    let settings = json!({"folder": {"folder": folder, "name": "{{ stem }}", "sidecar": sidecar}});
    let kinds = &["source.files", "image.metadata", "output.folder"];
    let id = bench.over(kinds, &[&picture], settings).await.items[0].id.to_string();
    let files = listing(&folder);
    (bench, files, id)
}

async fn nothing_is_written_beside_the_picture(value: &str) {
    assert_eq!(described(value).await.1, ["fox.png"]);
}

async fn a_description_is_written_beside_the_picture(value: &str) {
    let (bench, files, id) = described(value).await;
    assert_eq!(files, ["fox.json", "fox.png"]);
    let text: Value = serde_json::from_slice(&published(&bench, "fox.json")).unwrap();
    assert_eq!((&text["item"], &text["keyword"]), (&json!(id), &json!("fox")));
    assert!(text["title"].as_str().unwrap().contains("Fox"), "{text}");
    assert_eq!(text["tags"].as_array().unwrap().len(), 15);
}
