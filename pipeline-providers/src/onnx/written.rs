//! Tiny models, written byte by byte in the protocol buffers of ONNX (onnx.proto of ONNX 1.16, IR version 8).
#![expect(clippy::unwrap_used, reason = "a failed step is a failed test")]

use std::path::{Path, PathBuf};

/// A field that holds bytes: a text, or a message of its own.
fn bytes(field: u8, content: &[u8]) -> Vec<u8> {
    let mut out = vec![field << 3 | 2];
    out.extend(varint(content.len() as u64));
    out.extend(content);
    out
}

/// A field that holds a whole number.
fn number(field: u8, value: i64) -> Vec<u8> {
    let mut out = vec![field << 3];
    out.extend(varint(value as u64));
    out
}

fn varint(mut value: u64) -> Vec<u8> {
    let mut out = Vec::new();
    while value > 127 {
        out.push((value as u8 & 127) | 128);
        value >>= 7;
    }
    out.push(value as u8);
    out
}

/// A value named and typed: float32 of these dimensions.
fn value(name: &str, dimensions: &[i64]) -> Vec<u8> {
    let dimensions: Vec<u8> = dimensions.iter().flat_map(|length| bytes(1, &number(1, *length))).collect();
    let tensor = [number(1, 1), bytes(2, &dimensions)].concat();
    [bytes(1, name.as_bytes()), bytes(2, &bytes(1, &tensor))].concat()
}

/// Constant float32 numbers.
fn constant(name: &str, dimensions: &[i64], values: &[f32]) -> Vec<u8> {
    let dimensions: Vec<u8> = dimensions.iter().flat_map(|length| number(1, *length)).collect();
    let raw: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    [dimensions, number(2, 1), bytes(8, name.as_bytes()), bytes(9, &raw)].concat()
}

fn node(operator: &str, inputs: &[&str], output: &str) -> Vec<u8> {
    let inputs: Vec<u8> = inputs.iter().flat_map(|input| bytes(1, input.as_bytes())).collect();
    [inputs, bytes(2, output.as_bytes()), bytes(3, output.as_bytes()), bytes(4, operator.as_bytes())].concat()
}

fn model(nodes: &[Vec<u8>], constants: &[Vec<u8>], input: &[u8], outputs: &[Vec<u8>]) -> Vec<u8> {
    let graph = [
        nodes.iter().flat_map(|node| bytes(1, node)).collect(),
        bytes(2, b"written"),
        constants.iter().flat_map(|constant| bytes(5, constant)).collect(),
        bytes(11, input),
        outputs.iter().flat_map(|output| bytes(12, output)).collect(),
    ]
    .concat();
    let opset = [bytes(1, b""), number(2, 13)].concat();
    [number(1, 8), bytes(8, &opset), bytes(7, &graph)].concat()
}

/// A model whose matte is how red a pixel is: the red channel less half of the others, as a convolution of one pixel. Its
/// second output is the input.
pub(super) fn redness(side: u32) -> Vec<u8> {
    let side = i64::from(side);
    let weights = constant("weights", &[1, 3, 1, 1], &[1.0, -0.5, -0.5]);
    let nodes = [node("Conv", &["picture", "weights"], "matte"), node("Identity", &["picture"], "same")];
    let outputs = [value("matte", &[1, 1, side, side]), value("same", &[1, 3, side, side])];
    model(&nodes, &[weights], &value("picture", &[1, 3, side, side]), &outputs)
}

/// A model that answers with ten times the means of red, green and blue.
pub(super) fn colours(side: u32) -> Vec<u8> {
    let side = i64::from(side);
    let ten = constant("ten", &[1], &[10.0]);
    let nodes = [
        node("GlobalAveragePool", &["picture"], "means"),
        node("Flatten", &["means"], "flat"),
        node("Mul", &["flat", "ten"], "logits"),
    ];
    model(&nodes, &[ten], &value("picture", &[1, 3, side, side]), &[value("logits", &[1, 3])])
}

/// A folder of one test, removed with it.
pub(super) struct Folder(PathBuf);

impl Folder {
    pub(super) fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("pipeline-onnx-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    pub(super) fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.join(name);
        std::fs::write(&path, content).unwrap();
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).ok();
    }
}
