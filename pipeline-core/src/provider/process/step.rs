//! One step of processing.

use serde::{Deserialize, Serialize};

use super::part::ProcessPart;
use super::place::{Anchor, ResizeFit, ResizeKernel, TrimBorder};

/// One step of processing; the order in the request is the order of work.
///
/// Colours that fill new area are red, green, blue and alpha.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "step", rename_all = "snake_case")]
#[non_exhaustive]
pub enum ProcessStep {
    /// Cuts out a region, which has to lie inside the picture.
    Extract {
        /// Pixels left of it.
        left: u32,
        /// Pixels above it.
        top: u32,
        /// Its width in pixels.
        width: u32,
        /// Its height in pixels.
        height: u32,
    },
    /// Cuts away borders. A picture that is all border is left as it is.
    Trim {
        /// What is a border.
        border: TrimBorder,
        /// How different a border pixel may be, 0 to 255.
        tolerance: u8,
    },
    /// Rotates clockwise. Quarter turns move pixels; other angles interpolate, and the picture grows to hold the result.
    Rotate {
        /// Degrees, -360 to 360.
        degrees: f32,
        /// What fills the corners.
        fill: [u8; 4],
    },
    /// Turns upside down: the upper row becomes the lower one.
    Flip,
    /// Mirrors: the left column becomes the right one.
    Flop,
    /// Scales.
    Resize {
        /// Box width; `None` follows from the height and the aspect.
        width: Option<u32>,
        /// Box height; `None` follows from the width and the aspect.
        height: Option<u32>,
        /// How to fit into the box.
        fit: ResizeFit,
        /// Which part `cover` keeps, and where `contain` puts the picture.
        position: Anchor,
        /// How pixels are weighed.
        kernel: ResizeKernel,
        /// Whether a smaller picture is made larger.
        enlarge: bool,
        /// What fills the rest of the box with `contain`.
        fill: [u8; 4],
    },
    /// Adds area around the picture, in pixels.
    Pad {
        /// Above.
        top: u32,
        /// To the right.
        right: u32,
        /// Below.
        bottom: u32,
        /// To the left.
        left: u32,
        /// What fills it.
        fill: [u8; 4],
    },
    /// Gamma correction of the stored values: above 1 middle tones become brighter.
    Gamma {
        /// 0.2 to 5; 1 does nothing.
        gamma: f32,
    },
    /// Stretches the lightness so that the darkest and the brightest pixels are black and white.
    Normalise {
        /// Percent of the pixels at either end that are left aside, 0 to 25.
        clip: f32,
    },
    /// Scales lightness and colourfulness and turns the hue, in CIE Lab.
    Modulate {
        /// Factor of the lightness, 0 to 3; 1 does nothing.
        brightness: f32,
        /// Factor of the chroma, 0 to 3: 0 is grey, 1 does nothing.
        saturation: f32,
        /// Degrees by which hues turn, -360 to 360.
        hue: f32,
    },
    /// Gaussian blur.
    Blur {
        /// Standard deviation in pixels, 0.3 to 50; 0 does nothing.
        sigma: f32,
    },
    /// Unsharp mask on the lightness: 0 does nothing, 10 is the strongest.
    Sharpen {
        /// 0 to 10.
        amount: f32,
    },
    /// Puts another picture over it.
    Watermark {
        /// Which of the request's overlays.
        overlay: usize,
        /// Where.
        position: Anchor,
        /// Distance from the edges in pixels.
        margin: u32,
        /// Its width as a share of the picture's, above 0 to 1; `None` keeps its size.
        scale: Option<f32>,
        /// 0 to 1: 1 is as it is, 0 cannot be seen.
        opacity: f32,
    },
    /// Puts the picture on a solid background.
    Flatten {
        /// Red, green, blue.
        background: [u8; 3],
    },
    /// Mends the edge and the pieces of a cut-out, in the order of the fields; an opaque picture is left as it is.
    CleanMatte {
        /// Pieces smaller than this share of the largest one are taken out, 0 to 1.
        specks: f32,
        /// Holes smaller than this share of the largest piece are filled, 0 to 1.
        holes: f32,
        /// How far the edge is softened to both sides, in pixels, 0 to 100.
        feather: u32,
        /// Whether half-transparent pixels take the colour of the opaque ones near them.
        decontaminate: bool,
    },
}

impl ProcessStep {
    /// Returns what fails when this step does.
    pub fn part(&self) -> ProcessPart {
        match self {
            Self::Extract { .. } => ProcessPart::Extract,
            Self::Trim { .. } => ProcessPart::Trim,
            Self::Rotate { .. } | Self::Flip | Self::Flop => ProcessPart::Rotate,
            Self::Resize { .. } => ProcessPart::Resize,
            Self::Pad { .. } => ProcessPart::Pad,
            Self::Gamma { .. } | Self::Normalise { .. } => ProcessPart::Levels,
            Self::Modulate { .. } => ProcessPart::Modulate,
            Self::Blur { .. } => ProcessPart::Blur,
            Self::Sharpen { .. } => ProcessPart::Sharpen,
            Self::Watermark { .. } => ProcessPart::Watermark,
            Self::Flatten { .. } => ProcessPart::Flatten,
            Self::CleanMatte { .. } => ProcessPart::Matte,
        }
    }
}
