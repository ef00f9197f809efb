//! Metadata inside picture files, as readers see it that nobody here wrote.
#![expect(clippy::unwrap_used, reason = "a failed step is a failed test")]

use std::path::{Path, PathBuf};

use pipeline::engine::{Engine, JobRequest};
use pipeline::providers::local::image::{Picture, embed, encode};
use pipeline::store::{Artifacts, MemoryStore};
use pipeline_core::model::{JobStatus, MediaType};
use pipeline_core::provider::{DigitalSource, Dimensions, EmbedMetadataRequest};
use pipeline_testkit::readers::{exiftool, exiftool_is_there, pillow, pillow_is_there};
use serde_json::{Map, Value, json};
use tempfile::TempDir;

const FORMATS: [MediaType; 3] = [MediaType::Jpeg, MediaType::Png, MediaType::WebP];
const TITLE: &str = "Café au lait – a “morning” & <steam> in 京都 🦊";
const DESCRIPTION: &str = "Naïve latte art, crème & sugar <hot> – 東京の朝, 🎨 and “quotes”; smörgåsbord beside it.";
const KEYWORDS: [&str; 4] = ["coffee", "früh", "京都", "🦊 fox & den"];
const CREATOR: &str = "Zoë Ångström";
const RIGHTS: &str = "© 2026 Zoë Ångström – all rights reserved";

fn picture() -> Picture {
    let pixels = (0..160 * 120_u32).flat_map(|n| [(n % 160) as u8, (n / 160) as u8, (n % 251) as u8]).collect();
    Picture::rgb(Dimensions { width: 160, height: 120 }, pixels).unwrap()
}

/// Writes a picture of a format with all that can be said of it.
fn described(folder: &TempDir, format: MediaType) -> PathBuf {
    let request = EmbedMetadataRequest {
        image: encode(&picture(), format, 90).unwrap(),
        title: TITLE.to_owned(),
        description: DESCRIPTION.to_owned(),
        keywords: KEYWORDS.map(str::to_owned).to_vec(),
        creator: Some(CREATOR.to_owned()),
        rights: Some(RIGHTS.to_owned()),
        source: Some(DigitalSource::TrainedAlgorithmicMedia),
    };
    let path = folder.path().join(format!("described.{}", format.extension()));
    std::fs::write(&path, embed(&request).unwrap().bytes).unwrap();
    path
}

/// Nothing is wrong with a file in the eyes of exiftool, not even a trifle.
fn assert_valid(found: &Map<String, Value>) {
    assert_eq!(found.get("ExifTool:Validate"), Some(&json!("OK")), "{found:#?}");
    for complaint in ["ExifTool:Warning", "ExifTool:Error"] {
        assert_eq!(found.get(complaint), None, "{found:#?}");
    }
}

#[test]
fn exiftool_finds_every_field_in_every_block_and_nothing_wrong() {
    if !exiftool_is_there() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    for format in FORMATS {
        let found = exiftool(&described(&folder, format));
        assert_valid(&found);
        let mut wanted = vec![
            ("XMP-dc:Title", json!(TITLE)),
            ("XMP-dc:Description", json!(DESCRIPTION)),
            ("XMP-dc:Subject", json!(KEYWORDS)),
            ("XMP-dc:Creator", json!([CREATOR])),
            ("XMP-dc:Rights", json!(RIGHTS)),
            ("XMP-xmpRights:Marked", json!(true)),
            ("XMP-iptcExt:DigitalSourceType", json!(DigitalSource::TrainedAlgorithmicMedia.uri())),
            ("IFD0:ImageDescription", json!(DESCRIPTION)),
            ("IFD0:Artist", json!(CREATOR)),
            ("IFD0:Copyright", json!(RIGHTS)),
            ("IFD0:XPTitle", json!(TITLE)),
            ("IFD0:XPAuthor", json!(CREATOR)),
            ("IFD0:XPKeywords", json!(KEYWORDS.join(";"))),
            ("ExifIFD:ExifImageWidth", json!(160)),
            ("ExifIFD:ExifImageHeight", json!(120)),
        ];
        if format == MediaType::Jpeg {
            wanted.extend([
                ("IPTC:ObjectName", json!(TITLE)),
                ("IPTC:Caption-Abstract", json!(DESCRIPTION)),
                ("IPTC:Keywords", json!(KEYWORDS)),
                ("IPTC:By-line", json!(CREATOR)),
                ("IPTC:CopyrightNotice", json!(RIGHTS)),
                ("IPTC:CodedCharacterSet", json!("UTF8")),
            ]);
        }
        for (field, value) in wanted {
            // Some releases of exiftool read these fields as UCS-2, which has no place for what is beyond 16 bits.
            let seen = found.get(field).map(|seen| match seen {
                Value::String(text) if field.contains(":XP") => json!(text.replace("??????", "🦊")),
                other => other.clone(),
            });
            assert_eq!(seen.as_ref(), Some(&value), "{format}: {field} in {found:#?}");
        }
    }
}

#[test]
fn pillow_opens_every_format_and_finds_the_blocks() {
    if !pillow_is_there() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let files = FORMATS.map(|format| described(&folder, format));
    for (found, name) in pillow(&files).into_iter().zip(["JPEG", "PNG", "WEBP"]) {
        assert_eq!((&found["format"], &found["size"]), (&json!(name), &json!([160, 120])), "{found}");
        assert_eq!((&found["xmp"], &found["orientation"]), (&json!(true), &json!(1)), "{found}");
        assert!(found["description"].as_str().is_some_and(|text| text.contains("latte art")), "{found}");
    }
}

fn engine() -> Engine {
    pipeline::local_engine().store(MemoryStore::new()).artifacts(Artifacts::memory()).build().unwrap()
}

/// Runs a job and returns the files it published.
async fn published(engine: &Engine, request: JobRequest) -> Vec<PathBuf> {
    let job = engine.submit(request).await.unwrap().id;
    engine.run_until_idle().await.unwrap();
    assert_eq!(engine.job(job).await.unwrap().status, JobStatus::Completed);
    engine.published(job).await.unwrap()
}

/// The fields that a job writes, with the statement of how the picture came about.
fn assert_published(file: &Path, source: Option<DigitalSource>) {
    let found = exiftool(file);
    assert_valid(&found);
    assert_eq!(found.get("XMP-dc:Creator"), Some(&json!(["Studio Ä"])), "{found:#?}");
    assert_eq!(found.get("XMP-dc:Subject").and_then(Value::as_array).map(Vec::len), Some(15), "{found:#?}");
    assert_eq!(found.get("XMP-iptcExt:DigitalSourceType"), source.map(|source| json!(source.uri())).as_ref());
    let title = found.get("XMP-dc:Title").and_then(Value::as_str).unwrap_or_default();
    assert!((8..=12).contains(&title.split(' ').count()), "{title}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn published_pictures_carry_what_the_job_found_and_how_they_came_about() {
    if !exiftool_is_there() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let engine = engine();
    for format in ["jpeg", "png", "webp"] {
        let made = folder.path().join(format).to_string_lossy().into_owned();
        let request = JobRequest::preset("factory").keywords(["red fox"]).out(&made);
        let settings = [
            ("generate.sizes", json!(["256x256"])),
            ("process.format", json!(format)),
            ("metadata.creator", json!("Studio Ä")),
        ];
        let request = settings.iter().fold(request, |request, (key, value)| request.set(key, value).unwrap());
        let files = published(&engine, request).await;
        // The generator of these pictures is an algorithm that was not trained on anything.
        assert_published(&files[0], Some(DigitalSource::AlgorithmicMedia));
        let enhanced = folder.path().join(format!("{format}-enhanced")).to_string_lossy().into_owned();
        let request = JobRequest::preset("enhance").input(&made).out(enhanced);
        let files = published(&engine, request.set("metadata.creator", "Studio Ä").unwrap()).await;
        // Nobody knows how a picture of a folder came about.
        assert_published(&files[0], None);
    }
}
