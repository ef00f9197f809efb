use pipeline_core::error::ErrorKind;
use pipeline_core::id::CallId;
use pipeline_core::provider::{CallContext, Dimensions, ImageFile};

use crate::local::image::{Limits, decode, encode};
use crate::pool::CpuPool;

use super::super::config::{OnnxCapability, OnnxConfig};
use super::super::provider::OnnxProvider;
use super::super::written::{Folder, redness};
use super::*;

/// A red square before grey.
fn square() -> ImageFile {
    let pixels = (0..96 * 64_u32).flat_map(|n| {
        let red = (24..72).contains(&(n % 96)) && (16..48).contains(&(n / 96));
        if red { [220, 20, 20] } else { [120, 120, 120] }
    });
    let picture = Picture::rgb(Dimensions { width: 96, height: 64 }, pixels.collect()).unwrap();
    encode(&picture, MediaType::Png, 90).unwrap()
}

fn config(folder: &Folder) -> OnnxConfig {
    let file = folder.write("redness.onnx", redness(32));
    let config = OnnxConfig::new(OnnxCapability::RemoveBackground, file);
    OnnxConfig { side: Some(32), mean: [0.0; 3], std: [1.0; 3], ..config }
}

fn remover(config: OnnxConfig) -> Result<OnnxRemover> {
    match OnnxProvider::from_config("cutter", config, CpuPool::new(2))? {
        OnnxProvider::Remover(remover) => Ok(remover),
        OnnxProvider::Tagger(_) => panic!("a classifier"),
    }
}

async fn cut(remover: &OnnxRemover, image: ImageFile) -> Result<RemoveBackgroundResponse> {
    let context = CallContext::new("0198c1a2-7c3e-7000-8000-000000000000".parse::<CallId>().unwrap());
    remover.remove_background(RemoveBackgroundRequest { image, context }).await
}

#[tokio::test]
async fn the_model_decides_what_is_cut_out() {
    let folder = Folder::new("cut");
    let remover = remover(config(&folder)).unwrap();
    assert_eq!((remover.info().name.as_str(), remover.info().model.as_deref()), ("cutter", Some("redness.onnx")));
    let answer = cut(&remover, square()).await.unwrap();
    let picture = decode(&answer.image.bytes, Limits::DEFAULT).unwrap().picture;
    let alpha = |x: usize, y: usize| picture.pixels()[(y * 96 + x) * 4 + 3];
    // A little of the neighbourhood is in each value of so small a model's answer.
    assert!(alpha(48, 32) > 240 && alpha(30, 20) > 240 && alpha(2, 2) < 15 && alpha(90, 60) < 15);
    assert!(answer.confidence.unwrap() > 0.7, "{:?}", answer.confidence);
    assert_eq!(cut(&remover, square()).await.unwrap(), answer, "the same bytes again");
}

#[tokio::test]
async fn a_model_is_read_once_and_at_its_first_run() {
    let folder = Folder::new("once");
    let config = config(&folder);
    let file = config.file.clone();
    let first = remover(config.clone()).unwrap();
    let second = remover(config).unwrap();
    cut(&first, square()).await.unwrap();
    std::fs::remove_file(&file).unwrap();
    cut(&first, square()).await.unwrap();
    let error = cut(&second, square()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    folder.write("redness.onnx", redness(32));
    cut(&second, square()).await.unwrap();
}

#[tokio::test]
async fn what_cannot_work_says_what_to_do() {
    let folder = Folder::new("wrong");
    let good = config(&folder);
    let absent = OnnxConfig { file: folder.path().join("u2net.onnx"), ..good.clone() };
    let text = remover(absent).unwrap_err().to_string();
    assert!(
        text.contains("u2net.onnx") && text.contains("accepted=the path of an ONNX file that you have brought"),
        "{text}"
    );

    let noise = OnnxConfig { file: folder.write("noise.onnx", [0x0b; 300]), ..good.clone() };
    let large = OnnxConfig { file: folder.write("large.onnx", vec![0; 1_000_001]), max_file_mb: 1, ..good.clone() };
    for (config, kind, part) in [
        (noise, ErrorKind::Unsupported, "an ONNX model of this input that tract can compute"),
        (large, ErrorKind::Unsupported, "accepted=at most max_file_mb = 1"),
        (OnnxConfig { output: 1, ..good.clone() }, ErrorKind::Corrupt, "shape=[1, 3, 32, 32]"),
        (OnnxConfig { output: 7, ..good.clone() }, ErrorKind::Corrupt, "accepted=below 2"),
    ] {
        let error = cut(&remover(config).unwrap(), square()).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.to_string().contains(part), "no {part} in {error}");
    }
}

#[tokio::test]
async fn a_picture_without_a_subject_is_an_error_and_no_empty_cut_out() {
    let folder = Folder::new("empty");
    let remover = remover(OnnxConfig { normalise: Some(Normalise::None), ..config(&folder) }).unwrap();
    let grey = Picture::rgb(Dimensions { width: 40, height: 40 }, vec![120; 4800]).unwrap();
    let error = cut(&remover, encode(&grey, MediaType::Png, 90).unwrap()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.to_string().contains("finds no subject"), "{error}");
}

#[test]
fn an_answer_becomes_a_plane_as_it_is_normalised() {
    let answer = || Tensor { shape: vec![1, 1, 2, 2], values: vec![-1.0, 0.0, 1.0, 3.0] };
    let levels = |normalise| plane(&answer(), normalise).unwrap().values().to_vec();
    assert_eq!(levels(Normalise::MinMax), [0.0, 0.25, 0.5, 1.0]);
    assert_eq!(levels(Normalise::None), [0.0, 0.0, 1.0, 1.0]);
    let sigmoid = levels(Normalise::Sigmoid);
    assert!((sigmoid[0] - 0.268_94).abs() < 1e-4 && sigmoid[1] == 0.5, "{sigmoid:?}");
}

#[test]
fn an_answer_without_values_is_no_plane() {
    for shape in [vec![1, 0, 5], vec![0, 0], vec![7, 0]] {
        let error = plane(&Tensor { shape, values: Vec::new() }, Normalise::None).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt);
        assert!(error.to_string().contains("accepted=a height and width above 0"), "{error}");
    }
}
