//! Files that are small and claim to be large, each in another way.
#![expect(clippy::unwrap_used, reason = "a file that cannot be made is a failed test")]

use super::corpus::scene;
use super::icc::swapped_profile;
use super::png::{Png, packed, packed_zeros};
use super::tiff::{Tiff, Values};
use super::webp::{extended, frame, riff};

/// A file that must be refused before it takes memory or time.
#[derive(Clone, Debug)]
pub struct Bomb {
    /// What it is, with an extension.
    pub name: &'static str,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Part of the reason it is refused with.
    pub reason: &'static str,
}

/// The bombs, always the same.
pub fn bombs() -> Vec<Bomb> {
    let bomb = |name, bytes, reason| Bomb { name, bytes, reason };
    let square = packed_zeros(16_000 * (16_000 * 3 + 1));
    let small = scene(8, 8);
    let long_text = [b"Comment\0\0".as_slice(), &packed_zeros(200 << 20)].concat();
    let profile = [swapped_profile(), vec![0; 5 << 20]].concat();
    vec![
        bomb("pixels.png", Png::new(16_000, 16_000, 8, 2).packed_file(&square), "more pixels than the limit"),
        bomb("header.png", Png::new(50_000, 50_000, 8, 2).packed_file(&packed(&[0; 900])), "longest side"),
        bomb("empty.png", Png::new(9_000, 9_000, 8, 2).packed_file(&packed(&[0; 900])), "damaged or cut off"),
        bomb("profile.png", Png::new(8, 8, 8, 2).with_profile(&profile).file(&small), "colour profile is too large"),
        bomb(
            "packed-profile.png",
            Png::new(8, 8, 8, 2)
                .with(b"iCCP", [b"profile\0\0".as_slice(), &packed_zeros(500 << 20)].concat())
                .file(&small),
            "colour profile is too large",
        ),
        // Not refused: text is never unpacked.
        bomb("text.png", Png::new(8, 8, 8, 2).with(b"zTXt", long_text).file(&small), ""),
        bomb("frames.gif", many_frames(200_000), "too many pictures"),
        bomb("frame.gif", wide_frame(), "more pixels than the limit"),
        bomb("header.jpg", jpeg_header(65_500, 65_500), "longest side"),
        bomb("empty.jpg", jpeg_header(9_000, 9_000), "damaged or cut off"),
        bomb("canvas.webp", webp(16_384, 16_384, 16_384, 16_384), "more pixels than the limit"),
        bomb("inner.webp", webp(64, 64, 16_000, 16_000), "damaged or cut off"),
        bomb("frame.webp", animated_webp(), "damaged or cut off"),
        bomb("tile.tif", tile(1 << 30), "tiles that are not larger than the picture"),
        bomb("samples.tif", samples(), "1 to 8 samples"),
        bomb("jpeg.tif", jpeg_in_tiff(), "damaged or cut off"),
        bomb("strips.tif", strips_in_one_place(), "damaged or cut off"),
        bomb("empty.tif", empty_tiff(), "damaged or cut off"),
        bomb("header.bmp", bmp(60_000, 60_000), "longest side"),
    ]
}

/// Good pictures with so many entries of EXIF that make much of little: a name and the bytes. What reads pictures goes on
/// with them.
///
/// # Panics
/// When the JPEG cannot be encoded.
pub fn exif_bombs(entries: u32) -> Vec<(&'static str, Vec<u8>)> {
    let (width, height) = (200_u16, 160);
    let pixels = scene(width.into(), height.into());
    let jpeg = |block: &[u8]| {
        let mut bytes = Vec::new();
        let mut encoder = jpeg_encoder::Encoder::new(&mut bytes, 90);
        encoder.add_app_segment(1, [b"Exif\0\0", block].concat()).unwrap();
        encoder.encode(&pixels, width, height, jpeg_encoder::ColorType::Rgb).unwrap();
        bytes
    };
    // The most that go into a segment, the second beside a text.
    let (pointers, texts) = (entries.min(5_400), entries.min(2_600));
    let png = Png::new(width.into(), height.into(), 8, 2).with(b"eXIf", pointers_into_themselves(entries));
    vec![
        ("pointers.jpg", jpeg(&pointers_into_themselves(pointers))),
        ("pointers.png", png.file(&pixels)),
        ("texts.jpg", jpeg(&texts_in_one_place(texts))),
    ]
}

/// A little-endian block of one directory with these entries of tag, type, number of values and place.
fn exif(entries: impl Iterator<Item = (u16, u16, u32, u32)>) -> Vec<u8> {
    let entries: Vec<u8> = entries
        .flat_map(|(tag, kind, count, place)| {
            [&tag.to_le_bytes()[..], &kind.to_le_bytes(), &count.to_le_bytes(), &place.to_le_bytes()].concat()
        })
        .collect();
    [b"II*\0\x08\0\0\0", &((entries.len() / 12) as u16).to_le_bytes()[..], &entries, &[0; 4]].concat()
}

/// A table of pointers to directories, each of which begins at another entry of the table.
fn pointers_into_themselves(count: u32) -> Vec<u8> {
    exif((0..count).map(|number| (0x8769, 4, 1, 10 + 12 * number)))
}

/// Many texts, all of them the same 34 000 zeros.
fn texts_in_one_place(count: u32) -> Vec<u8> {
    [exif((0..count).map(|_| (0x111, 2, 34_000, 14 + 12 * count))), vec![0; 34_000]].concat()
}

/// An animation of so many frames of one pixel.
fn many_frames(count: usize) -> Vec<u8> {
    let mut bytes = b"GIF89a\x01\0\x01\0\x80\0\0\0\0\0\xff\xff\xff".to_vec();
    for _ in 0..count {
        bytes.extend(b",\0\0\0\0\x01\0\x01\0\0\x02\x02D\x01\0");
    }
    bytes.push(b';');
    bytes
}

/// A screen of one pixel, and a frame of four thousand million.
fn wide_frame() -> Vec<u8> {
    b"GIF89a\x01\0\x01\0\x80\0\0\0\0\0\xff\xff\xff,\0\0\0\0\0\x40\0\x40\0\x02\x02D\x01\0;".to_vec()
}

/// The markers of a JPEG of this size, and one byte of picture.
fn jpeg_header(width: u16, height: u16) -> Vec<u8> {
    let [[h0, h1], [w0, w1]] = [height.to_be_bytes(), width.to_be_bytes()];
    let table = [&[0xff, 0xdb, 0, 67, 0][..], &[1; 64]].concat();
    let huffman = |class: u8| [&[0xff, 0xc4, 0, 20, class, 1][..], &[0; 15], &[0]].concat();
    let frame = [0xff, 0xc0, 0, 11, 8, h0, h1, w0, w1, 1, 1, 0x11, 0];
    let scan = [0xff, 0xda, 0, 8, 1, 1, 0, 0, 63, 0, 0x00, 0xff, 0xd9];
    [&[0xff, 0xd8][..], &table, &frame, &huffman(0), &huffman(0x10), &scan].concat()
}

/// A lossless picture of one colour, which takes no bits at all for its pixels.
fn one_colour(width: u32, height: u32) -> Vec<u8> {
    let head = (width - 1) & 0x3fff | ((height - 1) & 0x3fff) << 14;
    // No transforms, no cache, no other codes; five codes of a single symbol each.
    [&[0x2f][..], &head.to_le_bytes(), &[0x88, 0x88, 0x08, 0x11, 0x11, 0, 0, 0]].concat()
}

/// A lossless picture of one size on a canvas of another.
fn webp(width: u32, height: u32, inner_width: u32, inner_height: u32) -> Vec<u8> {
    riff(&[(b"VP8X", &extended(0, width, height)), (b"VP8L", &one_colour(inner_width, inner_height))])
}

/// A frame that says it is small, and whose picture says it is not.
fn animated_webp() -> Vec<u8> {
    let lossy =
        [&[0x30, 0, 0, 0x9d, 0x01, 0x2a][..], &16_000_u16.to_le_bytes(), &16_000_u16.to_le_bytes(), &[0; 40]].concat();
    riff(&[(b"VP8X", &extended(2, 64, 64)), (b"ANIM", &[0; 6]), (b"ANMF", &frame(64, 64, b"VP8 ", &lossy))])
}

/// One tile, so wide that a row of it fills the memory.
fn tile(width: u32) -> Vec<u8> {
    Tiff::new(16, 16, 3, 8, 2, 8).tiles(width, 16, vec![packed_zeros(1 << 20)]).file()
}

/// A pixel of very many samples.
fn samples() -> Vec<u8> {
    Tiff::new(2_000, 2_000, 60_000, 8, 2, 8).strips(2_000, vec![packed_zeros(1 << 20)]).file()
}

/// A strip that is a JPEG file of another size.
fn jpeg_in_tiff() -> Vec<u8> {
    let ycc = Tiff::new(16, 16, 3, 8, 6, 7).with(530, Values::Short(vec![1, 1]));
    ycc.strips(16, vec![jpeg_header(16_000, 16_000)]).file()
}

/// A hundred thousand strips where one would do, all of them the same JPEG of as many empty segments.
fn strips_in_one_place() -> Vec<u8> {
    let coded = [&[0xff, 0xd8][..], &[0xff, 0xe1, 0, 2].repeat(100_000), &jpeg_header(16, 16)[2..]].concat();
    let (start, length) = (8, coded.len() as u32);
    let again = |number| Values::Long(vec![number; 100_000]);
    Tiff::new(16, 16, 1, 8, 1, 7).strips(16, vec![coded]).with_pieces_at(again(start), again(length)).file()
}

/// A picture of three hundred megabytes in a file of a few.
fn empty_tiff() -> Vec<u8> {
    Tiff::new(9_990, 9_990, 3, 8, 2, 8).strips(9_990, vec![vec![0; 40]]).file()
}

/// The header of a BMP of this size.
fn bmp(width: i32, height: i32) -> Vec<u8> {
    let mut bytes = b"BM".to_vec();
    bytes.extend([[0; 4], [0; 4], 54_u32.to_le_bytes()].concat());
    bytes.extend([40_u32.to_le_bytes(), width.to_le_bytes(), height.to_le_bytes()].concat());
    bytes.extend([1, 0, 24, 0]);
    bytes.resize(200, 0);
    bytes
}
