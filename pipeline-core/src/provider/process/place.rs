//! Words for how a picture is fitted, scaled, placed and trimmed.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How a picture is fitted into a box.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ResizeFit {
    /// As large as fits inside the box, keeping the aspect.
    #[default]
    Inside,
    /// As small as covers the box, keeping the aspect; what sticks out stays.
    Outside,
    /// Fills the box, keeping the aspect, and cuts off what sticks out.
    Cover,
    /// Fits inside the box, keeping the aspect, and fills up the rest of the box.
    Contain,
    /// Exactly the box, changing the aspect.
    Fill,
}

/// How pixels are weighed when a picture is scaled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ResizeKernel {
    /// The nearest pixel: hard edges stay hard.
    Nearest,
    /// A triangle: soft, without halos.
    Bilinear,
    /// Catmull-Rom, a cubic: sharper.
    Cubic,
    /// Mitchell-Netravali, a cubic: between bilinear and Catmull-Rom.
    Mitchell,
    /// Lanczos with two lobes.
    Lanczos2,
    /// Lanczos with three lobes: the sharpest.
    #[default]
    Lanczos3,
}

/// A place in a picture: its middle, an edge or a corner.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Anchor {
    /// The middle.
    #[default]
    Center,
    /// The middle of the upper edge.
    Top,
    /// The middle of the lower edge.
    Bottom,
    /// The middle of the left edge.
    Left,
    /// The middle of the right edge.
    Right,
    /// The upper left corner.
    TopLeft,
    /// The upper right corner.
    TopRight,
    /// The lower left corner.
    BottomLeft,
    /// The lower right corner.
    BottomRight,
}

impl Anchor {
    /// Every anchor.
    pub const ALL: &[Self] = &[
        Self::Center,
        Self::Top,
        Self::Bottom,
        Self::Left,
        Self::Right,
        Self::TopLeft,
        Self::TopRight,
        Self::BottomLeft,
        Self::BottomRight,
    ];

    /// Returns where it lies across and down, in halves of the room there is: 0, 1 or 2.
    pub fn halves(self) -> (u32, u32) {
        match self {
            Self::TopLeft => (0, 0),
            Self::Top => (1, 0),
            Self::TopRight => (2, 0),
            Self::Left => (0, 1),
            Self::Center => (1, 1),
            Self::Right => (2, 1),
            Self::BottomLeft => (0, 2),
            Self::Bottom => (1, 2),
            Self::BottomRight => (2, 2),
        }
    }

    /// Returns the word it is written with.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Center => "center",
            Self::Top => "top",
            Self::Bottom => "bottom",
            Self::Left => "left",
            Self::Right => "right",
            Self::TopLeft => "top_left",
            Self::TopRight => "top_right",
            Self::BottomLeft => "bottom_left",
            Self::BottomRight => "bottom_right",
        }
    }
}

/// What trimming takes for a border.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TrimBorder {
    /// `alpha` where some pixel is not opaque, else `sides`.
    #[default]
    Auto,
    /// What is transparent.
    Alpha,
    /// What has the colour of the upper left corner on all channels, single specks left aside.
    Corner,
    /// On each side what has the mean colour of its outermost line: bars may be of different colours.
    Sides,
}
