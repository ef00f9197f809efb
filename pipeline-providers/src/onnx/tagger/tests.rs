use pipeline_core::id::CallId;
use pipeline_core::model::MediaType;
use pipeline_core::provider::{CallContext, Dimensions, QualityRules};

use crate::local::image::{Picture, encode};
use crate::pool::CpuPool;

use super::super::config::{OnnxCapability, OnnxConfig};
use super::super::provider::OnnxProvider;
use super::super::written::{Folder, colours};
use super::*;

fn tagger(folder: &Folder, labels: &str, normalise: Option<Normalise>) -> Result<OnnxTagger> {
    let config = OnnxConfig {
        side: Some(16),
        mean: [0.0; 3],
        std: [1.0; 3],
        labels: Some(folder.write("labels.txt", labels)),
        normalise,
        ..OnnxConfig::new(OnnxCapability::Vision, folder.write("colours.onnx", colours(16)))
    };
    match OnnxProvider::from_config("tagger", config, CpuPool::new(1))? {
        OnnxProvider::Tagger(tagger) => Ok(tagger),
        OnnxProvider::Remover(_) => panic!("a remover"),
    }
}

async fn look(tagger: &OnnxTagger, question: Question) -> Result<Value> {
    let picture = Picture::rgb(Dimensions { width: 20, height: 30 }, [51, 204, 102].repeat(600)).unwrap();
    let image = encode(&picture, MediaType::Png, 90).unwrap();
    let context = CallContext::new("0198c1a2-7c3e-7000-8000-000000000000".parse::<CallId>().unwrap());
    Ok(tagger.look(VisionRequest { image, question, context }).await?.answer)
}

const COLOURS: &str = "n01440764 crimson, red\ngreen\nblue\n\n";

#[tokio::test]
async fn the_surest_labels_come_first_and_add_up_to_one() {
    let folder = Folder::new("labels");
    let tagger = tagger(&folder, COLOURS, None).unwrap();
    let answer = look(&tagger, Question::Labels { most: 3 }).await.unwrap();
    let labels = answer["labels"].as_array().unwrap();
    let names: Vec<&str> = labels.iter().map(|label| label["label"].as_str().unwrap()).collect();
    assert_eq!(names, ["green", "blue", "crimson"]);
    // Ten times 0.2, 0.8 and 0.4, as shares of their exponentials.
    let expected = [0.980, 0.018, 0.002];
    for (label, expected) in labels.iter().zip(expected) {
        assert!((label["confidence"].as_f64().unwrap() - expected).abs() < 2e-3, "{label}");
    }
    let two = look(&tagger, Question::Labels { most: 2 }).await.unwrap();
    assert_eq!(two["labels"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn each_normalisation_reads_the_numbers_its_way() {
    let folder = Folder::new("normalised");
    let first = async |normalise| {
        let answer =
            look(&tagger(&folder, COLOURS, Some(normalise)).unwrap(), Question::Labels { most: 3 }).await.unwrap();
        answer["labels"][2]["confidence"].as_f64().unwrap()
    };
    assert!((first(Normalise::Sigmoid).await - 0.8808).abs() < 1e-3, "of 2");
    assert_eq!(first(Normalise::None).await, 1.0, "2 is more than 1");
}

#[tokio::test]
async fn another_question_and_another_number_of_labels_are_errors() {
    let folder = Folder::new("other");
    let good = tagger(&folder, COLOURS, None).unwrap();
    let question = Question::Quality { rules: QualityRules::default(), requested: None };
    let error = look(&good, question).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.to_string().contains("accepted=labels"), "{error}");
    let short = tagger(&folder, "red\ngreen\n", None).unwrap();
    let error = look(&short, Question::Labels { most: 3 }).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    assert!(error.to_string().contains("numbers=3, labels=2"), "{error}");
    let error = tagger(&folder, "red\n\nblue\n", None).unwrap_err().to_string();
    assert!(error.contains("line=2"), "{error}");
}
