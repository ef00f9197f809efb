//! Which settings of `image.process` have no effect beside the others, and which do not fit.

use pipeline_core::id::Digest;
use pipeline_core::provider::{ColorProfile, KeepExif, OutputFormat, ProcessPart, ResizeFit};
use pipeline_core::settings::{Inert, StageSettings};

use super::super::ARTIFACT;
use super::super::color::{color, opaque};
use super::ProcessSettings;

impl ProcessSettings {
    /// Tells whether some file is, or may be, of one of these formats.
    fn writes(&self, formats: &[OutputFormat]) -> bool {
        let renditions = self.renditions.values().map(|rendition| rendition.format.unwrap_or(self.format));
        std::iter::once(self.format)
            .chain(renditions)
            .any(|format| format == OutputFormat::Keep || formats.contains(&format))
    }

    /// Tells whether a file is an AVIF, which carries neither profile nor EXIF, and may not become something else.
    fn needs_avif(&self) -> bool {
        let renditions = self.renditions.values().filter_map(|rendition| rendition.format);
        let formats: Vec<_> = std::iter::once(self.format).chain(renditions).collect();
        formats.contains(&OutputFormat::Avif) && !self.soft.contains(&ProcessPart::Encode)
    }

    /// The fits of all boxes with two sides, and whether there is a box at all.
    fn boxes(&self) -> (Vec<ResizeFit>, bool) {
        let own = (self.width, self.height, self.fit);
        let renditions = self
            .renditions
            .values()
            .map(|rendition| (rendition.width, rendition.height, rendition.fit.unwrap_or(self.fit)));
        let all: Vec<_> = std::iter::once(own).chain(renditions).collect();
        let full = all.iter().filter(|(width, height, _)| width.is_some() && height.is_some());
        let any = all.iter().any(|(width, height, _)| width.is_some() || height.is_some());
        (full.map(|(_, _, fit)| *fit).collect(), any)
    }

    fn inert_geometry(&self) -> Vec<(&'static str, &'static str)> {
        let mut inert = Vec::new();
        if !self.trim {
            inert.push(("trim_tolerance", "`trim` is off"));
            inert.push(("trim_border", "`trim` is off"));
        }
        let (fits, any) = self.boxes();
        if !any {
            let none = "neither `width` nor `height` is set";
            inert.extend(["fit", "position", "kernel", "enlarge"].map(|key| (key, none)));
        } else if fits.is_empty() {
            let one = "only one of `width` and `height` is set, so the aspect is kept";
            inert.extend([("fit", one), ("position", one)]);
        } else if !fits.iter().any(|fit| matches!(fit, ResizeFit::Cover | ResizeFit::Contain)) {
            inert.push(("position", "`fit` is neither `cover` nor `contain`"));
        }
        let grows = self.rotate % 90.0 != 0.0 || self.padding.iter().any(|side| *side > 0);
        if !grows && !fits.contains(&ResizeFit::Contain) {
            inert.push(("fill", "nothing is added to the picture"));
        }
        if !self.normalise {
            inert.push(("normalise_clip", "`normalise` is off"));
        }
        if self.watermark.is_none() {
            let keys = ["watermark_position", "watermark_margin", "watermark_scale", "watermark_opacity"];
            inert.extend(keys.map(|key| (key, "no watermark is given")));
        }
        inert
    }

    fn inert_encoding(&self) -> Vec<(&'static str, &'static str)> {
        use OutputFormat::{Avif, Jpeg, Png, Webp};
        let mut inert = Vec::new();
        if !self.writes(&[Jpeg, Webp, Avif]) {
            inert.push(("quality", "PNG is lossless"));
        } else if self.lossless && !self.writes(&[Jpeg, Avif]) {
            inert.push(("quality", "`lossless` is on"));
        }
        if !self.writes(&[Jpeg]) {
            inert.extend([("progressive", "no file is a JPEG"), ("chroma", "no file is a JPEG")]);
        }
        if !self.writes(&[Webp]) {
            inert.push(("lossless", "no file is a WebP"));
        }
        if !self.writes(&[Webp, Avif]) {
            inert.push(("alpha_quality", "no file is a WebP or an AVIF"));
        } else if self.lossless && !self.writes(&[Avif]) {
            inert.push(("alpha_quality", "`lossless` is on"));
        }
        if !self.writes(&[Png, Webp, Avif]) {
            inert.push(("effort", "JPEG has no effort"));
        }
        if !self.writes(&[Png]) {
            inert.push(("colors", "no file is a PNG"));
        }
        if !self.writes(&[Jpeg]) && !self.flatten {
            inert.push(("background", "this format keeps transparency, and `flatten` is off"));
        }
        inert
    }
}

impl StageSettings for ProcessSettings {
    fn inert(&self) -> Vec<Inert> {
        let all = self.inert_geometry().into_iter().chain(self.inert_encoding());
        all.map(|(key, reason)| Inert::new(key, reason)).collect()
    }

    fn problems(&self) -> Vec<(String, String)> {
        let mut problems = Vec::new();
        let mut wrong = |key: &str, message: String| problems.push((key.to_owned(), message));
        if opaque(&self.background).is_none() {
            let accepted = "expected `white`, `black` or `#rrggbb`";
            wrong("background", format!("`{}` is not a colour; {accepted}", self.background));
        }
        if color(&self.fill).is_none() {
            let accepted = "expected `transparent`, `white`, `black`, `#rrggbb` or `#rrggbbaa`";
            wrong("fill", format!("`{}` is not a colour; {accepted}", self.fill));
        }
        if !self.padding.is_empty() && self.sides().is_none() {
            wrong("padding", format!("{} numbers are no padding; expected one, two or four", self.padding.len()));
        }
        if self.padding.iter().any(|side| *side > 16_384) {
            wrong("padding", "a side is above 16384; expected pixels from 0 to 16384".to_owned());
        }
        if self.extract.as_deref().is_some_and(|region| region.get(2..).is_some_and(|size| size.contains(&0))) {
            wrong("extract", "the region is empty; expected a width and a height of 1 or more".to_owned());
        }
        if self.blur > 0.0 && self.blur < 0.3 {
            wrong("blur", format!("`{}` blurs nothing; expected 0, or 0.3 to 50", self.blur));
        }
        if self.watermark.as_deref() == Some("") {
            wrong("watermark", "it is empty; expected the path of a picture file, or `artifact:DIGEST`".to_owned());
        }
        if self.needs_avif() && self.color_profile == ColorProfile::Keep {
            wrong(
                "color_profile",
                "`keep` cannot be done: an AVIF carries no profile; expected `srgb`, or another format".to_owned(),
            );
        }
        if self.needs_avif() && self.keep_exif != KeepExif::Nothing {
            let value = if self.keep_exif == KeepExif::All { "all" } else { "without_location" };
            let accepted = "expected `nothing`, or another format";
            wrong("keep_exif", format!("`{value}` cannot be done: an AVIF carries no EXIF; {accepted}"));
        }
        if let Some(digest) = self.watermark.as_deref().and_then(|watermark| watermark.strip_prefix(ARTIFACT))
            && let Err(error) = digest.parse::<Digest>()
        {
            wrong("watermark", error.to_string());
        }
        for name in self.renditions.keys() {
            let fits = !name.is_empty()
                && name.len() <= 40
                && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
            if !fits {
                let accepted = "expected at most 40 lower-case letters, digits and `_`";
                wrong("renditions", format!("`{name}` is no name for a rendition; {accepted}"));
            }
        }
        problems
    }
}
