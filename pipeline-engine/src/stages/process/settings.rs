//! The settings of `image.process`, and the request they make.

mod effect;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use pipeline_core::provider::{
    Anchor, Chroma, ColorProfile, Encoding, ImageFile, KeepExif, OutputFormat, ProcessPart, ProcessRequest,
    ProcessStep, Rendition, ResizeFit, ResizeKernel, TrimBorder,
};
use pipeline_core::{Error, Result};

use super::color::{color, opaque};

/// Settings of `image.process`. Steps are done in the order of the settings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ProcessSettings {
    /// Provider that processes the picture.
    pub provider: String,
    /// Region to cut out: left, top, width and height in pixels. It has to lie inside the picture.
    #[schemars(length(min = 4, max = 4))]
    pub extract: Option<Vec<u32>>,
    /// Whether borders are cut away.
    pub trim: bool,
    /// How different a border pixel may be, 0 to 255.
    pub trim_tolerance: u8,
    /// What is a border.
    pub trim_border: TrimBorder,
    /// Degrees to rotate clockwise.
    #[schemars(range(min = -360.0, max = 360.0))]
    pub rotate: f32,
    /// Whether the picture is turned upside down.
    pub flip: bool,
    /// Whether the picture is mirrored, left to right.
    pub flop: bool,
    /// Width of the box to fit into, in pixels.
    #[schemars(range(min = 1, max = 16384))]
    pub width: Option<u32>,
    /// Height of the box to fit into, in pixels.
    #[schemars(range(min = 1, max = 16384))]
    pub height: Option<u32>,
    /// How to fit into the box.
    pub fit: ResizeFit,
    /// Which part `cover` keeps, and where `contain` puts the picture.
    pub position: Anchor,
    /// How pixels are weighed when the picture is scaled.
    pub kernel: ResizeKernel,
    /// Whether a smaller picture is made larger.
    pub enlarge: bool,
    /// Gamma correction: above 1 middle tones become brighter, 1 does nothing.
    #[schemars(range(min = 0.2, max = 5.0))]
    pub gamma: f32,
    /// Whether the lightness is stretched to the whole range from black to white.
    pub normalise: bool,
    /// Percent of the pixels left aside at either end when the lightness is stretched.
    #[schemars(range(min = 0.0, max = 25.0))]
    pub normalise_clip: f32,
    /// Factor of the lightness: 1 does nothing.
    #[schemars(range(min = 0.0, max = 3.0))]
    pub brightness: f32,
    /// Saturation: 0 is grey, 1 does nothing, 3 is the strongest.
    #[schemars(range(min = 0.0, max = 3.0))]
    pub saturation: f32,
    /// Degrees by which hues turn.
    #[schemars(range(min = -360.0, max = 360.0))]
    pub hue: f32,
    /// Blur: standard deviation in pixels, 0.3 to 50; 0 does nothing.
    #[schemars(range(min = 0.0, max = 50.0))]
    pub blur: f32,
    /// Sharpening: 0 does nothing, 10 is the strongest.
    #[schemars(range(min = 0.0, max = 10.0))]
    pub sharpen: f32,
    /// Area to add around the picture in pixels: all sides; or above and below, left and right; or above, right, below, left.
    #[schemars(length(max = 4))]
    pub padding: Vec<u32>,
    /// Colour of added area: `transparent`, `white`, `black`, `#rrggbb` or `#rrggbbaa`.
    pub fill: String,
    /// Picture to put over it: the path of a file, or `artifact:DIGEST`.
    pub watermark: Option<String>,
    /// Where the watermark is put.
    pub watermark_position: Anchor,
    /// Distance of the watermark from the edges in pixels.
    #[schemars(range(max = 16384))]
    pub watermark_margin: u32,
    /// Width of the watermark as a share of the picture's; without one it keeps its size.
    #[schemars(range(min = 0.001, max = 1.0))]
    pub watermark_scale: Option<f32>,
    /// Opacity of the watermark, 0 to 1.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub watermark_opacity: f32,
    /// Whether transparency is replaced by the background colour even if the format could keep it.
    pub flatten: bool,
    /// Background colour: `white`, `black` or `#rrggbb`.
    pub background: String,
    /// How to encode.
    pub format: OutputFormat,
    /// Quality of JPEG, WebP and AVIF, 1 to 100.
    #[schemars(range(min = 1, max = 100))]
    pub quality: u8,
    /// Whether a JPEG becomes clearer step by step while it loads.
    pub progressive: bool,
    /// How much colour a JPEG stores: for four pixels (`4:2:0`), for two (`4:2:2`) or for each (`4:4:4`).
    pub chroma: Chroma,
    /// Whether a WebP keeps every visible pixel exactly.
    pub lossless: bool,
    /// Quality of the transparency in WebP and AVIF, 1 to 100.
    #[schemars(range(min = 1, max = 100))]
    pub alpha_quality: u8,
    /// How long PNG, WebP and AVIF are searched for a shorter file, 1 to 10; without one, what is usual for the format.
    #[schemars(range(min = 1, max = 10))]
    pub effort: Option<u8>,
    /// Most colours of a PNG, 2 to 256, kept in a palette; without one all are kept.
    #[schemars(range(min = 2, max = 256))]
    pub colors: Option<u16>,
    /// What becomes of the colour profile of the file that came in.
    pub color_profile: ColorProfile,
    /// How much of the EXIF metadata of the file that came in is kept; a TIFF's is not.
    pub keep_exif: KeepExif,
    /// Further files of the processed picture, by name; each a table that may have `width`, `height`, `fit`, `format` and
    /// `quality`.
    pub renditions: BTreeMap<String, RenditionSettings>,
    /// Parts that may fail: the item goes on without them, and the result tells which.
    pub soft: Vec<ProcessPart>,
}

impl Default for ProcessSettings {
    fn default() -> Self {
        Self {
            provider: "image".to_owned(),
            extract: None,
            trim: false,
            trim_tolerance: 10,
            trim_border: TrimBorder::Auto,
            rotate: 0.0,
            flip: false,
            flop: false,
            width: None,
            height: None,
            fit: ResizeFit::Inside,
            position: Anchor::Center,
            kernel: ResizeKernel::Lanczos3,
            enlarge: false,
            gamma: 1.0,
            normalise: false,
            normalise_clip: 1.0,
            brightness: 1.0,
            saturation: 1.0,
            hue: 0.0,
            blur: 0.0,
            sharpen: 0.0,
            padding: Vec::new(),
            fill: "white".to_owned(),
            watermark: None,
            watermark_position: Anchor::BottomRight,
            watermark_margin: 16,
            watermark_scale: None,
            watermark_opacity: 1.0,
            flatten: false,
            background: "white".to_owned(),
            format: OutputFormat::Png,
            quality: 90,
            progressive: false,
            chroma: Chroma::Quarter,
            lossless: false,
            alpha_quality: 100,
            effort: None,
            colors: None,
            color_profile: ColorProfile::Srgb,
            keep_exif: KeepExif::Nothing,
            renditions: BTreeMap::new(),
            soft: Vec::new(),
        }
    }
}

/// A further file of the processed picture. What is not given is as for the picture itself.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RenditionSettings {
    /// Width of the box to fit into, in pixels.
    #[schemars(range(min = 1, max = 16384))]
    pub width: Option<u32>,
    /// Height of the box to fit into, in pixels.
    #[schemars(range(min = 1, max = 16384))]
    pub height: Option<u32>,
    /// How to fit into the box.
    pub fit: Option<ResizeFit>,
    /// How to encode.
    pub format: Option<OutputFormat>,
    /// Quality of JPEG, WebP and AVIF, 1 to 100.
    #[schemars(range(min = 1, max = 100))]
    pub quality: Option<u8>,
}

impl ProcessSettings {
    /// Makes the request, without what is to be put over the picture.
    ///
    /// # Errors
    /// `Invalid` for what is no colour, padding or region.
    pub(super) fn request(&self, image: ImageFile) -> Result<ProcessRequest> {
        let wrong = |key: &'static str, value: &str| Error::invalid("not a colour").with(key, value);
        let background = opaque(&self.background).ok_or_else(|| wrong("background", &self.background))?;
        let fill = color(&self.fill).ok_or_else(|| wrong("fill", &self.fill))?;
        let renditions = self.renditions.iter().map(|(name, rendition)| Rendition {
            name: name.clone(),
            steps: self.resize(rendition.width, rendition.height, rendition.fit, fill).into_iter().collect(),
            encoding: Encoding {
                format: rendition.format.unwrap_or(self.format),
                quality: rendition.quality.unwrap_or(self.quality),
                ..self.encoding()
            },
        });
        Ok(ProcessRequest {
            image,
            overlays: Vec::new(),
            steps: self.steps(background, fill)?,
            soft: self.soft.clone(),
            encoding: self.encoding(),
            background,
            color: self.color_profile,
            exif: self.keep_exif,
            renditions: renditions.collect(),
        })
    }

    fn encoding(&self) -> Encoding {
        Encoding {
            format: self.format,
            quality: self.quality,
            progressive: self.progressive,
            chroma: self.chroma,
            lossless: self.lossless,
            alpha_quality: self.alpha_quality,
            effort: self.effort,
            colors: self.colors,
        }
    }

    fn resize(
        &self,
        width: Option<u32>,
        height: Option<u32>,
        fit: Option<ResizeFit>,
        fill: [u8; 4],
    ) -> Option<ProcessStep> {
        let (position, kernel, enlarge) = (self.position, self.kernel, self.enlarge);
        let fit = fit.unwrap_or(self.fit);
        width.or(height).map(|_| ProcessStep::Resize { width, height, fit, position, kernel, enlarge, fill })
    }

    fn steps(&self, background: [u8; 3], fill: [u8; 4]) -> Result<Vec<ProcessStep>> {
        let region = self.extract.as_deref().map(|region| match *region {
            [left, top, width, height] => Ok(ProcessStep::Extract { left, top, width, height }),
            _ => Err(Error::invalid("a region has four numbers").with("extract", region.len())),
        });
        let padding =
            self.sides().map(|[top, right, bottom, left]| ProcessStep::Pad { top, right, bottom, left, fill });
        let (brightness, saturation, hue) = (self.brightness, self.saturation, self.hue);
        let watermark = ProcessStep::Watermark {
            overlay: 0,
            position: self.watermark_position,
            margin: self.watermark_margin,
            scale: self.watermark_scale,
            opacity: self.watermark_opacity,
        };
        let trim = ProcessStep::Trim { border: self.trim_border, tolerance: self.trim_tolerance };
        let when = |wanted: bool, step: ProcessStep| wanted.then_some(step);
        // What does nothing is left to the processor, which says nothing of it.
        Ok([
            region.transpose()?,
            when(self.trim, trim),
            Some(ProcessStep::Rotate { degrees: self.rotate, fill }),
            when(self.flip, ProcessStep::Flip),
            when(self.flop, ProcessStep::Flop),
            self.resize(self.width, self.height, None, fill),
            Some(ProcessStep::Gamma { gamma: self.gamma }),
            when(self.normalise, ProcessStep::Normalise { clip: self.normalise_clip }),
            Some(ProcessStep::Modulate { brightness, saturation, hue }),
            Some(ProcessStep::Blur { sigma: self.blur }),
            Some(ProcessStep::Sharpen { amount: self.sharpen }),
            padding,
            when(self.watermark.is_some(), watermark),
            when(self.flatten, ProcessStep::Flatten { background }),
        ]
        .into_iter()
        .flatten()
        .collect())
    }

    /// The padding above, to the right, below and to the left.
    fn sides(&self) -> Option<[u32; 4]> {
        match *self.padding {
            [all] => Some([all; 4]),
            [down, across] => Some([down, across, down, across]),
            [top, right, bottom, left] => Some([top, right, bottom, left]),
            _ => None,
        }
    }

    /// The formats of all files, for people.
    pub(super) fn formats(&self) -> String {
        let renditions = self.renditions.values().map(|rendition| rendition.format.unwrap_or(self.format));
        let mut words: Vec<String> = Vec::new();
        for format in std::iter::once(self.format).chain(renditions) {
            let word = format!("{format:?}").to_lowercase();
            if !words.contains(&word) {
                words.push(word);
            }
        }
        words.join(", ")
    }
}
