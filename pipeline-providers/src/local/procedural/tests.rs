//! What the procedural generator promises.

use std::time::Instant;

use pipeline_core::id::{CallId, Digest};
use pipeline_core::provider::{CallContext, Dimensions};

use super::*;

fn request(prompt: &str, style: Option<&str>, size: (u32, u32), seeds: &[u64]) -> GenerateRequest {
    GenerateRequest {
        prompt: prompt.to_owned(),
        negative_prompt: None,
        size: Dimensions { width: size.0, height: size.1 },
        seeds: seeds.to_vec(),
        style: style.map(str::to_owned),
        context: CallContext::new("0198c1a2-7c3e-7000-8000-000000000000".parse::<CallId>().unwrap()),
    }
}

async fn files(request: GenerateRequest) -> Vec<Vec<u8>> {
    let response = Procedural::default().generate(request).await.unwrap();
    response
        .images
        .into_iter()
        .map(|image| match image.content {
            ImageContent::Inline(file) => file.bytes.to_vec(),
            ImageContent::Remote(_) => panic!("not inline"),
        })
        .collect()
}

fn decode(file: &[u8]) -> image::RgbImage {
    image::load_from_memory_with_format(file, image::ImageFormat::Png).unwrap().to_rgb8()
}

fn mean(picture: &image::RgbImage) -> [f64; 3] {
    let mut sum = [0.0; 3];
    for pixel in picture.pixels() {
        for (total, value) in sum.iter_mut().zip(pixel.0) {
            *total += f64::from(value);
        }
    }
    sum.map(|total| total / f64::from(picture.width() * picture.height()))
}

/// Difference hash: 9×8 brightness means, each compared with its right neighbour.
fn dhash(picture: &image::RgbImage) -> u64 {
    let small = image::imageops::resize(picture, 9, 8, image::imageops::FilterType::Triangle);
    let grey = |x, y| small.get_pixel(x, y).0.iter().map(|v| u32::from(*v)).sum::<u32>();
    (0..64).fold(0, |hash, bit| hash << 1 | u64::from(grey(bit % 8, bit / 8) < grey(bit % 8 + 1, bit / 8)))
}

fn painted(prompt: &str, style: Option<Style>, seed: u64, side: u32) -> image::RgbImage {
    let size = Dimensions { width: side, height: side };
    let picture = Picture { prompt: prompt.to_owned(), seed, size, style };
    image::RgbImage::from_raw(side, side, picture.pixels()).unwrap()
}

#[tokio::test]
async fn the_same_request_gives_the_same_bytes() {
    for style in Style::ALL {
        let again = || files(request("quiet morning", Some(style.name()), (160, 128), &[7]));
        assert_eq!(again().await, again().await, "{}", style.name());
    }
}

#[tokio::test]
async fn every_seed_is_delivered_in_order_with_its_size() {
    let response = Procedural::default().generate(request("a city", None, (256, 136), &[3, 1, 2])).await.unwrap();
    let seeds: Vec<_> = response.images.iter().map(|image| (image.index, image.seed)).collect();
    assert_eq!(seeds, [(0, Some(3)), (1, Some(1)), (2, Some(2))]);
    for file in files(request("a city", None, (256, 136), &[3, 1])).await {
        assert_eq!(decode(&file).dimensions(), (256, 136));
    }
    let tall = files(request("a city", None, (128, 512), &[3])).await;
    assert_eq!(decode(&tall[0]).dimensions(), (128, 512));
}

#[test]
fn seeds_give_different_compositions_in_every_style() {
    for style in Style::ALL {
        for prompt in ["misty mountain lake", "bauhaus pattern", "qwerty"] {
            let hashes: Vec<_> = (1..=8).map(|seed| dhash(&painted(prompt, Some(style), seed, 128))).collect();
            for (index, one) in hashes.iter().enumerate() {
                for other in &hashes[..index] {
                    let apart = (one ^ other).count_ones();
                    assert!(apart > 8, "{} {prompt}: {apart} bits", style.name());
                }
            }
        }
    }
}

#[test]
fn colour_words_colour_the_picture() {
    for style in Style::ALL {
        for seed in 1..=3 {
            let redness = |prompt| {
                let [red, _, blue] = mean(&painted(prompt, Some(style), seed, 128));
                red - blue
            };
            let (red, blue) = (redness("red"), redness("blue"));
            assert!(red > blue + 30.0, "{} {seed}: {red:.0} {blue:.0}", style.name());
        }
    }
}

#[test]
fn every_picture_passes_plain_measures_of_quality() {
    let prompts =
        ["sunset", "winter night", "monochrome", "pastel candy", "white", "black", "qwerty", "desert dunes", ""];
    for style in Style::ALL {
        for (seed, prompt) in (1..).zip(prompts) {
            let grey = image::imageops::grayscale(&painted(prompt, Some(style), seed, 512));
            let at = |x: u32, y: u32| f64::from(grey.get_pixel(x, y).0[0]);
            let count = f64::from(grey.width() * grey.height());
            let mean = grey.pixels().map(|p| f64::from(p.0[0])).sum::<f64>() / count;
            let spread = (grey.pixels().map(|p| (f64::from(p.0[0]) - mean).powi(2)).sum::<f64>() / count).sqrt();
            let extreme = grey.pixels().filter(|p| p.0[0] < 4 || p.0[0] > 251).count() as f64 / count;
            let (mut square, mut noise) = (0.0, 0.0);
            for y in 1..grey.height() - 1 {
                for x in 1..grey.width() - 1 {
                    let cross = at(x - 1, y) + at(x + 1, y) + at(x, y - 1) + at(x, y + 1);
                    let corners = at(x - 1, y - 1) + at(x + 1, y - 1) + at(x - 1, y + 1) + at(x + 1, y + 1);
                    square += (cross - 4.0 * at(x, y)).powi(2);
                    noise += (corners - 2.0 * cross + 4.0 * at(x, y)).abs();
                }
            }
            let (laplacian, noise) = (square / count, noise / count * 1.2533 / 6.0);
            let facts = format!(
                "{} {prompt} {seed}: mean {mean:.0} spread {spread:.0} extreme {extreme:.2} laplacian {laplacian:.0} \
                 noise {noise:.1}",
                style.name()
            );
            assert!((20.0..240.0).contains(&mean) && spread >= 8.0 && extreme < 0.35, "{facts}");
            assert!(laplacian >= 20.0 && noise < 25.0, "{facts}");
        }
    }
}

#[test]
fn a_style_follows_the_words_unless_it_is_named() {
    let of = |prompt: &str| Style::of(&[prompt.to_owned()], 1);
    assert_eq!(of("mountains"), Style::Terrain);
    assert_eq!(of("ocean"), Style::Flow);
    assert_eq!(of("crystal"), Style::Voronoi);
    assert_eq!(of("mosaic"), Style::Tiling);
    assert_eq!(of("sunset"), Style::Gradient);
    let named = Digest::of(painted("mountain", Some(Style::Flow), 1, 128).as_raw());
    assert_ne!(named, Digest::of(painted("mountain", None, 1, 128).as_raw()));
    assert_eq!(painted("mountain", None, 1, 128), painted("mountain", Some(Style::Terrain), 1, 128));
}

#[tokio::test]
async fn what_cannot_be_honoured_is_an_error_that_says_what_can() {
    let generator = Procedural::default();
    let good = request("x", None, (128, 128), &[1]);
    let size = |width, height| GenerateRequest { size: Dimensions { width, height }, ..good.clone() };
    let negative = GenerateRequest { negative_prompt: Some("people".into()), ..good.clone() };
    let style = GenerateRequest { style: Some("cubism".into()), ..good.clone() };
    let many = GenerateRequest { seeds: (0..21).collect(), ..good.clone() };
    let cases = [
        (size(120, 128), "size.width", "120"),
        (size(128, 2056), "size.height", "2056"),
        (size(129, 128), "size.width", "129"),
        (negative, "negative_prompt", "set"),
        (style, "style", "cubism"),
        (many, "seeds", "21"),
    ];
    for (request, field, value) in cases {
        let error = generator.generate(request).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{field}");
        assert!(error.context().contains(&("field", field.to_owned())), "{error}");
        assert!(error.context().contains(&("value", value.to_owned())), "{error}");
        assert!(error.context().iter().any(|(key, _)| *key == "accepted"), "{error}");
    }
    let none = GenerateRequest { seeds: vec![], ..good };
    assert_eq!(generator.generate(none).await.unwrap_err().kind(), ErrorKind::Invalid);
    assert_eq!(generator.download("x").await.unwrap_err().kind(), ErrorKind::NotFound);
}

/// `cargo test --release -p pipeline-providers -- --ignored --nocapture how_long`
#[test]
#[ignore = "a measurement"]
fn how_long_a_picture_takes() {
    let size = Dimensions { width: 1024, height: 1024 };
    for style in Style::ALL {
        for seed in 1..=3 {
            let picture = Picture { prompt: "qwerty".into(), seed, size, style: Some(style) };
            let start = Instant::now();
            let bytes = picture.png().unwrap().len();
            println!("{:9} {seed} {:4} ms {:5} kB", style.name(), start.elapsed().as_millis(), bytes / 1000);
        }
    }
}
