//! What a file keeps of its source file beside the pixels: the colour profile, and EXIF metadata on purpose.

use bytes::Bytes;
use exif::{Context, Tag, Value};
use img_parts::{DynImage, ImageEXIF, ImageICC};
use pipeline_core::error::{Error, ErrorKind, Result};
use pipeline_core::model::MediaType;
use pipeline_core::provider::{Dimensions, ImageFile, KeepExif};

use super::embed::{exif_block, has_profile};
use super::tags::{BLOCKS, MAKER_NOTE, Tags};

/// Most bytes of EXIF in a JPEG segment, beside its length and `Exif\0\0`.
const JPEG_EXIF: usize = 65_535 - 2 - 6;
/// Another place of maker notes, in files that were made from raw ones.
const PRIVATE_DATA: Tag = Tag(Context::Tiff, 0xc634);
/// What tells the colours of a camera's picture apart: `R98` is sRGB, `R03` Adobe RGB.
const INTEROPERABILITY: Tag = Tag(Context::Interop, 1);

/// Blocks that are put into files.
#[derive(Clone, Debug, Default)]
pub struct Keepsake {
    profile: Option<Bytes>,
    exif: Option<Tags>,
}

impl Keepsake {
    /// Takes the profile of the pixels, and from a source file what is to be kept. Metadata that cannot be read is left out:
    /// it stops no good picture.
    pub fn of(bytes: &Bytes, profile: Option<Bytes>, exif: KeepExif) -> Self {
        if exif == KeepExif::Nothing {
            return Self { profile, exif: None };
        }
        let converted = profile.is_none() && has_profile(bytes);
        let tags = exif_block(bytes).and_then(|block| Tags::read(&block));
        Self { profile, exif: tags.map(|tags| true_of(tags, exif == KeepExif::All, converted)) }
    }

    /// Puts the blocks into an encoded file of a picture of this size. Where EXIF has less room, as in JPEG, the longest values
    /// are left out.
    ///
    /// # Errors
    /// `Unsupported` when a block does not go into a file of this format.
    pub fn put_into(&self, file: ImageFile, size: Dimensions) -> Result<ImageFile> {
        if self.profile.is_none() && self.exif.is_none() {
            return Ok(file);
        }
        let parts = DynImage::from_bytes(file.bytes.clone()).ok().flatten();
        let mut parts = parts.ok_or_else(|| {
            Error::new(ErrorKind::Unsupported, "profile and metadata cannot be kept in this format")
                .with("format", file.media_type)
                .with("accepted", "png, jpeg, webp")
        })?;
        if self.profile.is_some() {
            parts.set_icc_profile(self.profile.clone());
        }
        if let Some(tags) = &self.exif {
            let most = if file.media_type == MediaType::Jpeg { JPEG_EXIF } else { usize::MAX };
            parts.set_exif(Some(sized(tags.clone(), size).written(most).into()));
        }
        Ok(ImageFile { bytes: parts.encoder().bytes(), ..file })
    }
}

/// Leaves what is still true: the picture is upright, and its colours may have become sRGB. The place goes unless it is wanted,
/// and with it blocks in which it may be too.
fn true_of(mut tags: Tags, with_location: bool, converted: bool) -> Tags {
    tags.state(Tag::Orientation, Value::Short(vec![1]));
    if converted {
        if tags.get(Tag::ColorSpace).is_some() {
            tags.state(Tag::ColorSpace, Value::Short(vec![1]));
        }
        if matches!(tags.get(INTEROPERABILITY), Some(Value::Ascii(texts)) if texts.concat() == b"R03") {
            tags.retain(|tag| tag.context() != Context::Interop);
        }
    }
    if !with_location {
        let hides = |tag| BLOCKS.contains(&tag) || [MAKER_NOTE, PRIVATE_DATA].contains(&tag);
        tags.retain(|tag| tag.context() != Context::Gps && !hides(tag));
    }
    tags
}

/// Says how large the picture is now, where its old size was said.
fn sized(mut tags: Tags, size: Dimensions) -> Tags {
    for (tag, side) in [(Tag::PixelXDimension, size.width), (Tag::PixelYDimension, size.height)] {
        if tags.get(tag).is_some() {
            tags.state(tag, Value::Long(vec![side]));
        }
    }
    tags
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use exif::experimental::Writer;
    use exif::{Field, In, Reader};

    use super::super::{Picture, encode};
    use super::*;

    const SIZE: Dimensions = Dimensions { width: 8, height: 8 };

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
        written(&fields, true)
    }

    fn written(fields: &[Field], with_preview: bool) -> Vec<u8> {
        let mut writer = Writer::new();
        for field in fields {
            writer.push_field(field);
        }
        let preview = [0xff, 0xd8, 0xff, 0xd9];
        if with_preview {
            writer.set_jpeg(&preview, In::THUMBNAIL);
        }
        let mut written = Cursor::new(Vec::new());
        writer.write(&mut written, false).unwrap();
        written.into_inner()
    }

    fn plain(media_type: MediaType) -> ImageFile {
        let picture = Picture::rgb(SIZE, (0..192).collect()).unwrap();
        encode(&picture, media_type, 90).unwrap()
    }

    fn source(media_type: MediaType) -> Bytes {
        carrying(media_type, &block(), true)
    }

    /// A file with this block in it, whatever that is.
    fn carrying(media_type: MediaType, block: &[u8], with_profile: bool) -> Bytes {
        let mut parts = DynImage::from_bytes(plain(media_type).bytes).unwrap().unwrap();
        parts.set_exif(Some(Bytes::copy_from_slice(block)));
        if with_profile {
            parts.set_icc_profile(Some(vec![7; 300].into()));
        }
        parts.encoder().bytes()
    }

    /// The block that a file of another size has after what is to be kept was taken from this one.
    fn kept(source: &Bytes, to: MediaType, exif: KeepExif) -> exif::Exif {
        let size = Dimensions { width: 5, height: 3 };
        read(&Keepsake::of(source, None, exif).put_into(plain(to), size).unwrap()).unwrap()
    }

    fn text(exif: &exif::Exif, tag: Tag) -> Option<String> {
        match &exif.get_field(tag, In::PRIMARY)?.value {
            Value::Ascii(texts) => Some(String::from_utf8(texts.concat()).unwrap()),
            other => panic!("{tag}: {other:?}"),
        }
    }

    const FORMATS: [MediaType; 3] = [MediaType::Png, MediaType::Jpeg, MediaType::WebP];

    fn read(file: &ImageFile) -> Option<exif::Exif> {
        Reader::new().read_from_container(&mut Cursor::new(&file.bytes)).ok()
    }

    #[test]
    fn nothing_is_kept_unless_it_is_asked_for() {
        for format in FORMATS {
            let kept = Keepsake::of(&source(format), None, KeepExif::Nothing);
            assert_eq!(kept.put_into(plain(format), SIZE).unwrap(), plain(format));
        }
    }

    #[test]
    fn a_profile_goes_into_any_format() {
        let profile = Bytes::from(vec![8; 300]);
        for from in FORMATS {
            for to in FORMATS {
                let kept = Keepsake::of(&source(from), Some(profile.clone()), KeepExif::Nothing);
                let file = kept.put_into(plain(to), SIZE).unwrap();
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
                    let file = kept.put_into(plain(to), SIZE).unwrap();
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
        let bytes = carrying(MediaType::Png, &[1, 2, 3], false);
        let kept = Keepsake::of(&bytes, None, KeepExif::All);
        assert_eq!(kept.put_into(plain(MediaType::Png), SIZE).unwrap(), plain(MediaType::Png));
    }

    #[test]
    fn a_format_that_cannot_hold_it_is_an_error() {
        let kept = Keepsake::of(&source(MediaType::Png), None, KeepExif::All);
        let avif = ImageFile { bytes: vec![0; 20].into(), media_type: MediaType::Avif };
        assert_eq!(kept.put_into(avif, SIZE).unwrap_err().kind(), ErrorKind::Unsupported);
    }

    #[test]
    fn of_more_than_a_jpeg_holds_the_longest_values_are_left_out() {
        let comment = Value::Undefined(vec![b'c'; 100_000], 0);
        let long = Field { tag: Tag::UserComment, ifd_num: In::PRIMARY, value: comment };
        let source = carrying(MediaType::Png, &written(&[ascii(Tag::Make, "Camera works"), long], false), false);
        for (to, all) in [(MediaType::Jpeg, false), (MediaType::WebP, true)] {
            let kept = kept(&source, to, KeepExif::All);
            assert_eq!(text(&kept, Tag::Make).unwrap(), "Camera works");
            assert_eq!(kept.get_field(Tag::UserComment, In::PRIMARY).is_some(), all, "{to}");
        }
    }

    /// A table of tags of the first picture: number, type, count, and where the value is or what.
    fn table(entries: &[(u16, u16, u32, &[u8])]) -> Vec<u8> {
        let mut block = [&b"MM\0*\0\0\0\x08"[..], &(entries.len() as u16).to_be_bytes()].concat();
        let mut values = Vec::new();
        for (tag, kind, count, value) in entries {
            block.extend([&tag.to_be_bytes()[..], &kind.to_be_bytes(), &count.to_be_bytes()].concat());
            if value.len() == 4 {
                block.extend_from_slice(value);
            } else {
                block.extend(((14 + 12 * entries.len() + values.len()) as u32).to_be_bytes());
                values.extend_from_slice(value);
            }
        }
        [&block[..], &[0; 4], &values].concat()
    }

    #[test]
    fn a_value_of_an_unknown_type_takes_no_other_with_it_and_texts_of_exif_3_are_kept() {
        let block = table(&[
            (0x10f, 2, 8, b"Nikon A\0"),
            (0x10f, 2, 8, b"Nikon B\0"),
            (0x112, 3, 1, b"\0\x06\0\0"),
            (0x13b, 129, 14, "Jörg Müller\0".as_bytes()),
            (0x8298, 129, 3, b"me\0\0"),
            (0xc6d3, 13, 1, b"\0\0\0\0"),
        ]);
        let kept = kept(&carrying(MediaType::Jpeg, &block, false), MediaType::Jpeg, KeepExif::All);
        assert_eq!(text(&kept, Tag::Make).unwrap(), "Nikon A", "the first of two");
        assert_eq!(text(&kept, Tag::Artist).unwrap(), "Jörg Müller");
        assert_eq!(text(&kept, Tag::Copyright).unwrap(), "me");
        assert_eq!(kept.get_field(Tag::Orientation, In::PRIMARY).unwrap().value.get_uint(0), Some(1));
        assert_eq!(kept.fields().len(), 4);
    }

    #[test]
    fn size_and_colours_are_those_of_the_file() {
        let number = |tag, value| Field { tag, ifd_num: In::PRIMARY, value: Value::Short(vec![value]) };
        let block = written(
            &[
                ascii(INTEROPERABILITY, "R03"),
                number(Tag::ColorSpace, 0xffff),
                number(Tag::PixelXDimension, 4000),
                number(Tag::PixelYDimension, 3000),
                number(Tag::ImageWidth, 4000),
            ],
            false,
        );
        for with_profile in [true, false] {
            let kept = kept(&carrying(MediaType::Jpeg, &block, with_profile), MediaType::Png, KeepExif::All);
            let number = |tag| kept.get_field(tag, In::PRIMARY).and_then(|field| field.value.get_uint(0));
            assert_eq!((number(Tag::PixelXDimension), number(Tag::PixelYDimension)), (Some(5), Some(3)));
            assert_eq!(number(Tag::ImageWidth), None);
            // Without a profile nothing was converted, and the tags alone say what the colours are.
            assert_eq!(number(Tag::ColorSpace), Some(if with_profile { 1 } else { 0xffff }));
            assert_eq!(text(&kept, INTEROPERABILITY).is_some(), !with_profile);
        }
    }

    #[test]
    fn without_the_place_goes_whatever_may_hide_it_and_with_it_a_maker_note_stays_where_it_was() {
        let bytes = |tag, bytes: &[u8]| Field { tag, ifd_num: In::PRIMARY, value: Value::Undefined(bytes.to_vec(), 0) };
        let place = b"exif:GPSLatitude=\"48,6N\"";
        let mut fields = vec![ascii(Tag::Make, "Camera works")];
        fields.extend(BLOCKS.into_iter().chain([MAKER_NOTE, PRIVATE_DATA]).map(|tag| bytes(tag, place)));
        let source = carrying(MediaType::Jpeg, &written(&fields, false), false);
        let note = |exif: &exif::Exif| match exif.get_field(MAKER_NOTE, In::PRIMARY)?.value {
            Value::Undefined(_, at) => Some(at),
            _ => None,
        };
        let before = note(&Reader::new().read_from_container(&mut Cursor::new(&source)).unwrap());
        let all = kept(&source, MediaType::WebP, KeepExif::All);
        assert_eq!(all.fields().len(), 7);
        assert_eq!((note(&all), note(&all).is_some()), (before, true));
        let less = kept(&source, MediaType::WebP, KeepExif::WithoutLocation);
        assert_eq!(text(&less, Tag::Make).unwrap(), "Camera works");
        assert_eq!(less.fields().len(), 2);
    }
}
