//! What a file keeps of its source file beside the pixels: the colour profile, and EXIF metadata on purpose.

use std::io::Cursor;

use bytes::Bytes;
use exif::experimental::Writer;
use exif::{Context, Field, In, Reader, Tag, Value};
use img_parts::{DynImage, ImageEXIF, ImageICC};
use pipeline_core::error::{Error, ErrorKind, Result};
use pipeline_core::model::MediaType;
use pipeline_core::provider::{ImageFile, KeepExif};

/// Blocks that are put into files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Keepsake {
    profile: Option<Bytes>,
    exif: Option<Bytes>,
}

impl Keepsake {
    /// Takes the profile of the pixels, and from a source file what is to be kept. Metadata that cannot be read is left out:
    /// it stops no good picture.
    pub fn of(bytes: &Bytes, profile: Option<Bytes>, exif: KeepExif) -> Self {
        if exif == KeepExif::Nothing {
            return Self { profile, exif: None };
        }
        let parts = DynImage::from_bytes(bytes.clone()).ok().flatten();
        let block = parts.as_ref().and_then(DynImage::exif);
        Self { profile, exif: block.and_then(|block| rewritten(&block, exif == KeepExif::All)) }
    }

    /// Puts the blocks into an encoded file.
    ///
    /// # Errors
    /// `Unsupported` when a block does not go into a file of this format.
    pub fn put_into(&self, file: ImageFile) -> Result<ImageFile> {
        if *self == Self::default() {
            return Ok(file);
        }
        let refused = |message: &str| {
            Error::new(ErrorKind::Unsupported, message)
                .with("format", file.media_type)
                .with("accepted", "png, jpeg, webp")
        };
        if file.media_type == MediaType::Jpeg && self.exif.as_ref().is_some_and(|block| block.len() > JPEG_EXIF) {
            return Err(Error::new(ErrorKind::Unsupported, "the EXIF metadata is too long for a JPEG")
                .with("bytes", self.exif.as_ref().map_or(0, Bytes::len))
                .with("accepted", format!("at most {JPEG_EXIF}")));
        }
        let parts = DynImage::from_bytes(file.bytes.clone()).ok().flatten();
        let mut parts = parts.ok_or_else(|| refused("profile and metadata cannot be kept in this format"))?;
        if self.profile.is_some() {
            parts.set_icc_profile(self.profile.clone());
        }
        if self.exif.is_some() {
            parts.set_exif(self.exif.clone());
        }
        Ok(ImageFile { bytes: parts.encoder().bytes(), ..file })
    }
}

/// Most bytes of EXIF in a JPEG segment, beside its length and `Exif\0\0`.
const JPEG_EXIF: usize = 65_535 - 2 - 6;

/// Writes an EXIF block anew: upright, without preview, and with the place only when that is wanted.
fn rewritten(block: &[u8], with_location: bool) -> Option<Bytes> {
    let exif = Reader::new().continue_on_error(true).read_raw(block.to_vec());
    let exif = exif.or_else(|error| error.distill_partial_result(|_| {})).ok()?;
    let upright = Field { tag: Tag::Orientation, ifd_num: In::PRIMARY, value: Value::Short(vec![1]) };
    let kept = exif.fields().filter(|field| {
        field.ifd_num == In::PRIMARY
            && field.tag != Tag::Orientation
            && (with_location || field.tag.context() != Context::Gps)
    });
    let mut writer = Writer::new();
    writer.push_field(&upright);
    kept.for_each(|field| writer.push_field(field));
    let mut written = Cursor::new(Vec::new());
    writer.write(&mut written, exif.little_endian()).ok()?;
    Some(written.into_inner().into())
}

#[cfg(test)]
mod tests {
    use pipeline_core::provider::Dimensions;

    use super::super::{Picture, encode};
    use super::*;

    fn ascii(tag: Tag, text: &str) -> Field {
        Field { tag, ifd_num: In::PRIMARY, value: Value::Ascii(vec![text.as_bytes().to_vec()]) }
    }

    /// A block with a camera, a date, a place, an orientation and a preview.
    fn block() -> Vec<u8> {
        let fields = [
            ascii(Tag::Make, "Camera works"),
            ascii(Tag::DateTimeOriginal, "2026:01:02 03:04:05"),
            ascii(Tag::GPSLatitudeRef, "N"),
            Field { tag: Tag::Orientation, ifd_num: In::PRIMARY, value: Value::Short(vec![6]) },
        ];
        let mut writer = Writer::new();
        for field in &fields {
            writer.push_field(field);
        }
        let preview = [0xff, 0xd8, 0xff, 0xd9];
        writer.set_jpeg(&preview, In::THUMBNAIL);
        let mut written = Cursor::new(Vec::new());
        writer.write(&mut written, false).unwrap();
        written.into_inner()
    }

    fn plain(media_type: MediaType) -> ImageFile {
        let picture = Picture::rgb(Dimensions { width: 8, height: 8 }, (0..192).collect()).unwrap();
        encode(&picture, media_type, 90).unwrap()
    }

    fn source(media_type: MediaType) -> Bytes {
        let keepsake = Keepsake { profile: Some(vec![7; 300].into()), exif: Some(block().into()) };
        keepsake.put_into(plain(media_type)).unwrap().bytes
    }

    const FORMATS: [MediaType; 3] = [MediaType::Png, MediaType::Jpeg, MediaType::WebP];

    fn read(file: &ImageFile) -> Option<exif::Exif> {
        Reader::new().read_from_container(&mut Cursor::new(&file.bytes)).ok()
    }

    #[test]
    fn nothing_is_kept_unless_it_is_asked_for() {
        for format in FORMATS {
            let kept = Keepsake::of(&source(format), None, KeepExif::Nothing);
            assert_eq!(kept, Keepsake::default());
            assert_eq!(kept.put_into(plain(format)).unwrap(), plain(format));
        }
    }

    #[test]
    fn a_profile_goes_into_any_format() {
        let profile = Bytes::from(vec![8; 300]);
        for from in FORMATS {
            for to in FORMATS {
                let kept = Keepsake::of(&source(from), Some(profile.clone()), KeepExif::Nothing);
                let file = kept.put_into(plain(to)).unwrap();
                let parts = DynImage::from_bytes(file.bytes.clone()).unwrap().unwrap();
                assert_eq!(parts.icc_profile(), Some(profile.clone()), "{from} to {to}");
                assert!(read(&file).is_none());
            }
        }
    }

    #[test]
    fn exif_is_kept_upright_without_preview_and_with_the_place_only_on_purpose() {
        for from in FORMATS {
            for to in FORMATS {
                for (exif, place) in [(KeepExif::All, true), (KeepExif::WithoutLocation, false)] {
                    let kept = Keepsake::of(&source(from), None, exif);
                    let file = kept.put_into(plain(to)).unwrap();
                    let read = read(&file).unwrap();
                    let has = |tag| read.get_field(tag, In::PRIMARY).is_some();
                    assert!(has(Tag::Make) && has(Tag::DateTimeOriginal), "{from} to {to}");
                    assert_eq!(has(Tag::GPSLatitudeRef), place, "{from} to {to}");
                    let orientation = read.get_field(Tag::Orientation, In::PRIMARY).unwrap();
                    assert_eq!(orientation.value.get_uint(0), Some(1));
                    assert!(read.fields().all(|field| field.ifd_num == In::PRIMARY));
                }
            }
        }
    }

    #[test]
    fn damaged_metadata_is_left_out() {
        let broken = Keepsake { profile: None, exif: Some(vec![1, 2, 3].into()) };
        let bytes = broken.put_into(plain(MediaType::Png)).unwrap().bytes;
        assert_eq!(Keepsake::of(&bytes, None, KeepExif::All), Keepsake::default());
    }

    #[test]
    fn a_format_that_cannot_hold_it_and_too_long_a_block_are_errors() {
        let kept = Keepsake { profile: None, exif: Some(vec![0; 70_000].into()) };
        let error = kept.put_into(plain(MediaType::Jpeg)).unwrap_err().to_string();
        assert!(error.contains("bytes=70000, accepted=at most 65527"), "{error}");
        let avif = ImageFile { bytes: vec![0; 20].into(), media_type: MediaType::Avif };
        assert_eq!(kept.put_into(avif).unwrap_err().kind(), ErrorKind::Unsupported);
    }
}
