//! A picture as the numbers a model wants.

use std::borrow::Cow;

use pipeline_core::error::Result;
use pipeline_core::provider::{Anchor, ProcessStep, ResizeFit, ResizeKernel};

use crate::local::image::{Limits, Log, Picture, Threads, Workbench};

use super::config::{Fit, Layout, OnnxConfig};
use super::runtime::{Tensor, shape};

/// Puts the picture on white, makes it a square, and each channel `(value / 255 - mean) / std`.
pub(super) fn input(picture: &Picture, config: &OnnxConfig) -> Result<Tensor> {
    let side = config.side();
    let fit = match config.fit() {
        Fit::Stretch => ResizeFit::Fill,
        Fit::Crop => ResizeFit::Cover,
    };
    let resize = ProcessStep::Resize {
        width: Some(side),
        height: Some(side),
        fit,
        position: Anchor::Center,
        // What models are trained on, and without halos at hard edges.
        kernel: ResizeKernel::Bilinear,
        enlarge: true,
        fill: [255; 4],
    };
    let bench = Workbench { limits: Limits::DEFAULT, threads: Threads::ONE, overlays: &[], soft: &[] };
    let steps = [ProcessStep::Flatten { background: [255; 3] }, resize];
    let square = bench.run(Cow::Borrowed(picture), &steps, &mut Log::default())?;
    let pixels = square.pixels();
    let number = |value: u8, channel: usize| (f32::from(value) / 255.0 - config.mean[channel]) / config.std[channel];
    let values = match config.layout {
        Layout::Nchw => {
            let plane =
                |channel: usize| pixels.iter().skip(channel).step_by(3).map(move |value| number(*value, channel));
            (0..3).flat_map(plane).collect()
        }
        Layout::Nhwc => pixels.iter().enumerate().map(|(place, value)| number(*value, place % 3)).collect(),
    };
    Ok(Tensor { shape: shape(config).to_vec(), values })
}

#[cfg(test)]
mod tests {
    use pipeline_core::provider::Dimensions;

    use super::super::config::OnnxCapability;
    use super::*;

    /// Twice as wide as high: red, green, green, blue.
    fn flag() -> Picture {
        let row: Vec<u8> = (0..64).flat_map(|x| [[255, 0, 0], [0, 255, 0], [0, 255, 0], [0, 0, 255]][x / 16]).collect();
        Picture::rgb(Dimensions { width: 64, height: 32 }, row.repeat(32)).unwrap()
    }

    fn config() -> OnnxConfig {
        let config = OnnxConfig::new(OnnxCapability::RemoveBackground, "m.onnx");
        OnnxConfig { side: Some(16), mean: [0.5, 0.0, 0.25], std: [0.5, 1.0, 0.25], ..config }
    }

    #[test]
    fn channels_are_normalised_one_by_one_and_lie_as_the_layout_says() {
        let planes = input(&flag(), &config()).unwrap();
        assert_eq!(planes.shape, [1, 3, 16, 16]);
        let at = |channel: usize, x: usize| planes.values[channel * 256 + 8 * 16 + x];
        assert_eq!([at(0, 1), at(1, 1), at(2, 1)], [1.0, 0.0, -1.0], "red");
        assert_eq!([at(0, 14), at(1, 14), at(2, 14)], [-1.0, 0.0, 3.0], "blue");
        let pixels = input(&flag(), &OnnxConfig { layout: Layout::Nhwc, ..config() }).unwrap();
        assert_eq!(pixels.shape, [1, 16, 16, 3]);
        assert_eq!(pixels.values[(8 * 16 + 14) * 3..][..3], [-1.0, 0.0, 3.0]);
    }

    #[test]
    fn a_crop_leaves_the_ends_out() {
        let stretched = input(&flag(), &config()).unwrap();
        assert!(stretched.values[..256].contains(&1.0), "red is there");
        let cropped = input(&flag(), &OnnxConfig { fit: Some(Fit::Crop), ..config() }).unwrap();
        assert!(cropped.values[..256].iter().all(|value| *value < 0.0), "red is cut off");
    }

    #[test]
    fn what_is_transparent_is_white() {
        let clear = Picture::rgba(Dimensions { width: 20, height: 20 }, vec![0; 1600]).unwrap();
        assert!(input(&clear, &config()).unwrap().values[..256].iter().all(|value| (value - 1.0).abs() < 1e-5));
    }
}
