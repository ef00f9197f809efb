//! Every kind of picture in every kind of file, as readers see it that nobody here wrote: sharp, and Pillow.
#![expect(clippy::unwrap_used, reason = "a failed step is a failed test")]

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use pipeline::providers::local::image::{Limits, Picture, decode_as, process};
use pipeline_core::model::MediaType;
use pipeline_core::provider::{
    Anchor, Chroma, ColorProfile, Encoding, ImageFile, KeepExif, OutputFormat, ProcessRequest, ProcessStep, Rendition,
    ResizeFit, ResizeKernel,
};
use pipeline_testkit::pictures::corpus;
use pipeline_testkit::readers::{pillow, pillow_is_there, sharp, sharp_is_there};
use serde_json::json;

/// A file that was written, and what a reader has to find in it.
#[derive(Debug)]
struct Output {
    file: PathBuf,
    /// What was made of what.
    name: String,
    picture: Picture,
    encoding: Encoding,
    profile: Option<String>,
}

/// The kinds of files.
fn encodings() -> Vec<Encoding> {
    let of = |format| Encoding::new(format).quality(85);
    let jpeg = of(OutputFormat::Jpeg);
    let mut encodings = vec![
        jpeg,
        Encoding { progressive: true, ..jpeg },
        Encoding { chroma: Chroma::Half, ..jpeg },
        Encoding { chroma: Chroma::Full, progressive: true, ..jpeg },
        of(OutputFormat::Png),
        Encoding { effort: Some(1), ..of(OutputFormat::Png) },
        Encoding { effort: Some(10), ..of(OutputFormat::Png) },
        Encoding { colors: Some(17), ..of(OutputFormat::Png) },
        of(OutputFormat::Webp),
        Encoding { lossless: true, ..of(OutputFormat::Webp) },
    ];
    if cfg!(feature = "avif") {
        encodings.push(Encoding { effort: Some(1), ..of(OutputFormat::Avif) });
    }
    encodings
}

/// Everything that can be read, in everything that can be written, with and without what may be kept of its file, and with
/// a rendition.
fn outputs(folder: &Path) -> Vec<Output> {
    let mut outputs = Vec::new();
    for sample in corpus() {
        for (number, encoding) in encodings().into_iter().enumerate() {
            let (color, exif) = match number % 2 {
                // An AVIF carries neither.
                0 if encoding.format != OutputFormat::Avif => (ColorProfile::Keep, KeepExif::All),
                _ => (ColorProfile::Srgb, KeepExif::Nothing),
            };
            let image = ImageFile { bytes: sample.bytes.clone().into(), media_type: MediaType::Binary };
            let mut request = ProcessRequest::new(image).encoding(encoding);
            (request.color, request.exif) = (color, exif);
            let smaller = ProcessStep::Resize {
                width: Some(20),
                height: Some(20),
                fit: ResizeFit::Inside,
                position: Anchor::Center,
                kernel: ResizeKernel::Lanczos3,
                enlarge: false,
                fill: [0; 4],
            };
            let name = "small".to_owned();
            request.renditions = vec![Rendition { name, steps: vec![smaller], encoding }];
            let made = process(&request, Limits::DEFAULT).unwrap();
            let kept = decode_as(&sample.bytes, Limits::DEFAULT, color).unwrap().icc;
            let small = &made.renditions[0];
            for (size, part, image) in [(made.size, "whole", &made.image), (small.size, "small", &small.image)] {
                let file = folder.join(format!("{}-{number}-{part}.{}", sample.name, image.media_type.extension()));
                std::fs::write(&file, &image.bytes).unwrap();
                let picture = decode_as(&image.bytes, Limits::DEFAULT, ColorProfile::Keep).unwrap().upright().unwrap();
                assert_eq!(picture.size(), size);
                let profile = kept.as_ref().map(|profile| BASE64_STANDARD.encode(profile));
                outputs.push(Output { name: file.display().to_string(), file, picture, encoding, profile });
            }
        }
    }
    outputs
}

fn files(outputs: &[Output]) -> Vec<PathBuf> {
    outputs.iter().map(|output| output.file.clone()).collect()
}

#[test]
fn sharp_finds_format_size_orientation_and_profile_of_every_output() {
    if !sharp_is_there() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let outputs = outputs(folder.path());
    let profiles = outputs.iter().filter(|output| output.profile.is_some()).count();
    assert!(profiles > 20, "{profiles} of {} files have a profile", outputs.len());
    for (output, found) in outputs.iter().zip(sharp(&files(&outputs))) {
        let Output { name, picture, encoding, profile, .. } = output;
        let say = || format!("{name}: {found:#}");
        let format = match encoding.format {
            OutputFormat::Jpeg => "jpeg",
            OutputFormat::Webp => "webp",
            OutputFormat::Avif => "heif",
            _ => "png",
        };
        assert_eq!(found["format"], json!(format), "{}", say());
        assert_eq!(
            [&found["width"], &found["height"]],
            [&json!(picture.width()), &json!(picture.height())],
            "{}",
            say()
        );
        // Upright, whether said or not.
        assert!(matches!(found["orientation"].as_u64(), None | Some(1)), "{}", say());
        assert_eq!(found["icc"].as_str(), profile.as_deref(), "{}", say());
        // AVIFs have ten bits a sample.
        let (space, depth) = if format == "heif" { ("rgb16", "ushort") } else { ("srgb", "uchar") };
        assert_eq!((&found["space"], &found["depth"]), (&json!(space), &json!(depth)), "{}", say());
        assert_eq!(found["hasAlpha"], json!(picture.has_alpha()), "{}", say());
        assert!(matches!(found["pages"].as_u64(), None | Some(1)), "{}", say());
        if format == "jpeg" {
            // libvips tells only whether any colour is left out.
            let chroma = json!(if encoding.chroma == Chroma::Full { "4:4:4" } else { "4:2:0" });
            assert_eq!((&found["isProgressive"], &found["chromaSubsampling"]), (&json!(encoding.progressive), &chroma));
        }
        assert_eq!(found["isPalette"] == json!(true), encoding.colors.is_some(), "{}", say());
    }
}

#[test]
fn pillow_decodes_every_output() {
    if !pillow_is_there() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let outputs = outputs(folder.path());
    for (output, found) in outputs.iter().zip(pillow(&files(&outputs))) {
        let size = [output.picture.width(), output.picture.height()];
        assert_eq!((&found["size"], &found["orientation"]), (&json!(size), &json!(1)), "{}: {found}", output.name);
    }
}
