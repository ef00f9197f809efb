//! What is embedded is found again, once, and nothing else changes.

use std::fmt::Write as _;
use std::io::Cursor;

use bytes::Bytes;
use exif::{Context, Field, In, Reader, Tag, Value, experimental::Writer};
use pipeline_core::error::ErrorKind;
use pipeline_core::model::MediaType;
use pipeline_core::provider::{DigitalSource, Dimensions, EmbedMetadataRequest, ImageFile};
use proptest::prelude::*;

use super::super::{Limits, Orientation, Picture, decode, encode};
use super::embed;

const FORMATS: [MediaType; 3] = [MediaType::Jpeg, MediaType::Png, MediaType::WebP];
const TITLE: &str = "Café au lait – morning & <steam> 京都 🦊";
const XMP: &str = "XML:com.adobe.xmp";

fn picture(alpha: bool) -> Picture {
    let size = Dimensions { width: 37, height: 23 };
    let pixel = |n: u32| [(n * 7) as u8, (n * 3) as u8, (n / 5) as u8];
    if alpha {
        let pixels = (0..37 * 23).flat_map(|n| [pixel(n)[0], pixel(n)[1], pixel(n)[2], (n % 256) as u8]);
        return Picture::rgba(size, pixels.collect()).unwrap();
    }
    Picture::rgb(size, (0..37 * 23).flat_map(pixel).collect()).unwrap()
}

fn request(image: ImageFile) -> EmbedMetadataRequest {
    EmbedMetadataRequest {
        image,
        title: TITLE.to_owned(),
        description: "A cup of espresso, naïve latte art.\nTwo lines.".to_owned(),
        keywords: ["coffee", "früh", "京都"].map(str::to_owned).to_vec(),
        creator: Some("Zoë Ångström".to_owned()),
        rights: Some("© 2026 Zoë Ångström".to_owned()),
        source: Some(DigitalSource::TrainedAlgorithmicMedia),
    }
}

fn file(media_type: MediaType) -> ImageFile {
    encode(&picture(false), media_type, 90).unwrap()
}

fn has(bytes: &[u8], text: &str) -> bool {
    count(bytes, text) > 0
}

fn count(bytes: &[u8], text: &str) -> usize {
    bytes.windows(text.len()).filter(|window| *window == text.as_bytes()).count()
}

fn exif(bytes: &[u8], tag: Tag) -> Option<Value> {
    let exif = Reader::new().read_from_container(&mut Cursor::new(bytes)).unwrap();
    exif.get_field(tag, In::PRIMARY).map(|field| field.value.clone())
}

fn ascii(bytes: &[u8], tag: Tag) -> String {
    match exif(bytes, tag) {
        Some(Value::Ascii(texts)) => String::from_utf8(texts.concat()).unwrap(),
        other => panic!("{tag}: {other:?}"),
    }
}

/// The texts of a property of the packet in a file.
fn property(bytes: &[u8], name: &str) -> Vec<String> {
    let from = bytes.windows(10).position(|window| window == b"<x:xmpmeta").unwrap();
    let to = bytes.windows(12).position(|window| window == b"</x:xmpmeta>").unwrap() + 12;
    let packet = std::str::from_utf8(&bytes[from..to]).unwrap().to_owned();
    let document = roxmltree::Document::parse(&packet).unwrap();
    let found = document.descendants().filter(|node| node.tag_name().name() == name);
    let texts = found.flat_map(|node| node.descendants().filter(roxmltree::Node::is_text).collect::<Vec<_>>());
    texts.filter_map(|node| node.text().map(str::to_owned)).collect()
}

#[test]
fn every_text_is_found_in_every_block_of_every_format() {
    for format in FORMATS {
        let made = embed(&request(file(format))).unwrap();
        assert_eq!(made.media_type, format);
        assert_eq!(property(&made.bytes, "title"), [TITLE], "{format}");
        assert_eq!(property(&made.bytes, "description"), ["A cup of espresso, naïve latte art. Two lines."]);
        assert_eq!(property(&made.bytes, "subject"), ["coffee", "früh", "京都"]);
        assert_eq!(property(&made.bytes, "creator"), ["Zoë Ångström"]);
        assert_eq!(property(&made.bytes, "rights"), ["© 2026 Zoë Ångström"]);
        assert_eq!(property(&made.bytes, "DigitalSourceType"), [DigitalSource::TrainedAlgorithmicMedia.uri()]);
        assert_eq!(ascii(&made.bytes, Tag::ImageDescription), "A cup of espresso, naïve latte art. Two lines.");
        assert_eq!(ascii(&made.bytes, Tag::Artist), "Zoë Ångström");
        assert_eq!(ascii(&made.bytes, Tag::Copyright), "© 2026 Zoë Ångström");
        let Some(Value::Byte(title)) = exif(&made.bytes, Tag(Context::Tiff, 0x9c9b)) else { panic!("{format}") };
        let title: Vec<u16> = title.as_chunks::<2>().0.iter().map(|pair| u16::from_le_bytes(*pair)).collect();
        assert_eq!(String::from_utf16(&title).unwrap(), format!("{TITLE}\0"));
        for (tag, side) in [(Tag::PixelXDimension, 37), (Tag::PixelYDimension, 23)] {
            assert_eq!(exif(&made.bytes, tag).unwrap().get_uint(0), Some(side), "{format}");
        }
    }
    let jpeg = embed(&request(file(MediaType::Jpeg))).unwrap().bytes;
    assert!(has(&jpeg, "Photoshop 3.0\0") && has(&jpeg, "\u{1c}\u{2}\u{19}\0\u{6}coffee"), "IPTC");
}

#[test]
fn pixels_and_everything_else_stay_byte_for_byte() {
    for format in FORMATS {
        for alpha in [false, true] {
            if alpha && format == MediaType::Jpeg {
                continue;
            }
            let before = encode(&picture(alpha), format, 90).unwrap();
            let after = embed(&request(before.clone())).unwrap();
            let pixels = |file: &ImageFile| decode(&file.bytes, Limits::DEFAULT).unwrap();
            assert_eq!(pixels(&before).picture, pixels(&after).picture, "{format} {alpha}");
            assert_eq!(pixels(&after).orientation, Orientation::UPRIGHT);
        }
    }
}

#[test]
fn embedding_again_replaces_and_the_same_request_gives_the_same_bytes() {
    for format in FORMATS {
        let once = embed(&request(file(format))).unwrap();
        assert_eq!(once, embed(&request(file(format))).unwrap());
        assert_eq!(once, embed(&request(once.clone())).unwrap(), "{format}");
        let other = EmbedMetadataRequest {
            title: "Another".to_owned(),
            keywords: vec!["tea".to_owned()],
            ..request(once.clone())
        };
        let twice = embed(&other).unwrap();
        assert_eq!(property(&twice.bytes, "title"), ["Another"]);
        assert_eq!(property(&twice.bytes, "subject"), ["tea"]);
        for gone in ["coffee", "Café"] {
            assert!(!has(&twice.bytes, gone), "{format}: {gone}");
        }
        assert_eq!(count(&twice.bytes, "<x:xmpmeta"), 1);
    }
}

#[test]
fn what_the_request_does_not_name_stays() {
    for format in FORMATS {
        let before = embed(&request(file(format))).unwrap();
        let silent = EmbedMetadataRequest { creator: None, rights: None, source: None, ..request(before) };
        let after = embed(&silent).unwrap();
        assert_eq!(property(&after.bytes, "creator"), ["Zoë Ångström"], "{format}");
        assert_eq!(property(&after.bytes, "DigitalSourceType"), [DigitalSource::TrainedAlgorithmicMedia.uri()]);
        assert_eq!(ascii(&after.bytes, Tag::Copyright), "© 2026 Zoë Ångström");
        assert_eq!(after, embed(&EmbedMetadataRequest { image: after.clone(), ..silent }).unwrap());
    }
}

/// A file that has orientation, place and camera in EXIF, and a photographer's notes in XMP.
fn photograph(format: MediaType) -> ImageFile {
    let field = |tag, value| Field { tag, ifd_num: In::PRIMARY, value };
    let text = |text: &str| Value::Ascii(vec![text.as_bytes().to_vec()]);
    let fields = [
        field(Tag::Orientation, Value::Short(vec![6])),
        field(Tag::Model, text("A camera")),
        field(Tag::GPSLatitudeRef, text("N")),
        field(Tag::ImageWidth, Value::Long(vec![9999])),
    ];
    let mut writer = Writer::new();
    for field in &fields {
        writer.push_field(field);
    }
    let mut block = Cursor::new(Vec::new());
    writer.write(&mut block, false).unwrap();
    let packet = "<x:xmpmeta xmlns:x=\"adobe:ns:meta/\"><rdf:RDF xmlns:rdf=\"http://www.w3.org/1999/02/22-rdf-syntax-ns#\">\
        <rdf:Description rdf:about=\"\" xmlns:crs=\"http://ns.adobe.com/camera-raw-settings/1.0/\" \
        xmlns:dc=\"http://purl.org/dc/elements/1.1/\" crs:Exposure2012=\"+0.5 &amp; more\">\
        <dc:title><rdf:Alt><rdf:li xml:lang=\"x-default\">Old</rdf:li></rdf:Alt></dc:title>\
        <crs:Look><rdf:Bag><rdf:li>warm</rdf:li></rdf:Bag></crs:Look></rdf:Description></rdf:RDF></x:xmpmeta>";
    carrying(format, &block.into_inner(), packet.as_bytes())
}

/// A segment APP1 of a JPEG.
fn segment(name: &[u8], content: &[u8]) -> Vec<u8> {
    let length = (name.len() + content.len() + 2) as u16;
    [&[0xff, 0xe1], &length.to_be_bytes()[..], name, content].concat()
}

/// A chunk of a PNG.
fn chunk(kind: &[u8], content: &[u8]) -> Vec<u8> {
    let sum = crc32fast::hash(&[kind, content].concat()).to_be_bytes();
    [&(content.len() as u32).to_be_bytes()[..], kind, content, &sum].concat()
}

/// A PNG that begins with these chunks.
fn png(chunks: &[Vec<u8>]) -> ImageFile {
    let bytes = file(MediaType::Png).bytes;
    ImageFile { bytes: [&bytes[..33], &chunks.concat(), &bytes[33..]].concat().into(), media_type: MediaType::Png }
}

/// A file with these blocks in it.
fn carrying(format: MediaType, block: &[u8], packet: &[u8]) -> ImageFile {
    let bytes = file(format).bytes;
    let bytes = match format {
        MediaType::Jpeg => {
            let exif = segment(b"Exif\0\0", block);
            let xmp = segment(b"http://ns.adobe.com/xap/1.0/\0", packet);
            [&bytes[..2], &exif, &xmp, &bytes[2..]].concat()
        }
        MediaType::Png => {
            let exif = chunk(b"eXIf", block);
            let xmp = chunk(b"iTXt", &[XMP.as_bytes(), &[0; 5], packet].concat());
            [&bytes[..33], &exif, &xmp, &bytes[33..]].concat()
        }
        _ => {
            let chunk = |kind: &[u8], content: &[u8]| {
                let padding = vec![0; content.len() % 2];
                [kind, &(content.len() as u32).to_le_bytes()[..], content, &padding].concat()
            };
            let header = [&[0x0c, 0, 0, 0][..], &36_u32.to_le_bytes()[..3], &22_u32.to_le_bytes()[..3]].concat();
            let chunks =
                [&b"WEBP"[..], &chunk(b"VP8X", &header), &bytes[12..], &chunk(b"EXIF", block), &chunk(b"XMP ", packet)]
                    .concat();
            [&b"RIFF"[..], &(chunks.len() as u32).to_le_bytes(), &chunks].concat()
        }
    };
    ImageFile { bytes: Bytes::from(bytes), media_type: format }
}

#[test]
fn what_stands_in_the_blocks_for_other_purposes_stays() {
    for format in FORMATS {
        let before = photograph(format);
        let after = embed(&request(before.clone())).unwrap();
        let turned = |file: &ImageFile| decode(&file.bytes, Limits::DEFAULT).unwrap();
        assert_eq!(turned(&before).orientation, Orientation::new(6).unwrap(), "{format}");
        assert_eq!(turned(&after).orientation, Orientation::new(6).unwrap(), "{format}: the picture would turn");
        assert_eq!(turned(&before).picture, turned(&after).picture);
        assert_eq!(ascii(&after.bytes, Tag::Model), "A camera");
        assert_eq!(ascii(&after.bytes, Tag::GPSLatitudeRef), "N");
        assert!(exif(&after.bytes, Tag::ImageWidth).is_none(), "a size that is not the picture's");
        assert_eq!(property(&after.bytes, "title"), [TITLE]);
        assert_eq!(property(&after.bytes, "Look"), ["warm"]);
        assert_eq!(property(&after.bytes, "Exposure2012"), ["+0.5 & more"]);
        assert_eq!(after, embed(&request(after.clone())).unwrap(), "{format}");
    }
}

/// An EXIF block of these tags of the first picture.
fn block(fields: &[(Tag, Value)], little_endian: bool) -> Vec<u8> {
    let field = |(tag, value): &(Tag, Value)| Field { tag: *tag, ifd_num: In::PRIMARY, value: value.clone() };
    let orientation = (Tag::Orientation, Value::Short(vec![1]));
    let fields = if fields.is_empty() { std::slice::from_ref(&orientation) } else { fields };
    let fields: Vec<Field> = fields.iter().map(field).collect();
    let mut writer = Writer::new();
    for field in &fields {
        writer.push_field(field);
    }
    let mut block = Cursor::new(Vec::new());
    writer.write(&mut block, little_endian).unwrap();
    block.into_inner()
}

#[test]
fn a_maker_note_stays_where_it_was_in_the_block_because_it_may_count_from_there() {
    let bytes: Vec<u8> = (0..=255).cycle().take(1001).collect();
    let fields = [
        (Tag::Make, Value::Ascii(vec![b"A maker".to_vec()])),
        (Tag::MakerNote, Value::Undefined(bytes.clone(), 0)),
        (Tag::UserComment, Value::Undefined(vec![b'c'; 333], 0)),
        (Tag::GPSLatitudeRef, Value::Ascii(vec![b"N".to_vec()])),
        (Tag::InteroperabilityIndex, Value::Ascii(vec![b"R98".to_vec()])),
    ];
    for format in FORMATS {
        for little_endian in [true, false] {
            let before = carrying(format, &block(&fields, little_endian), b"");
            let Some(Value::Undefined(_, place)) = exif(&before.bytes, Tag::MakerNote) else { panic!() };
            let after = embed(&request(before)).unwrap();
            let read = Reader::new().read_from_container(&mut Cursor::new(&after.bytes)).unwrap();
            assert_eq!(read.little_endian(), little_endian);
            for (tag, value) in &fields {
                let found = &read.get_field(*tag, In::PRIMARY).unwrap().value;
                assert_eq!(found.display_as(*tag).to_string(), value.display_as(*tag).to_string(), "{format} {tag}");
            }
            let Some(Value::Undefined(note, at)) = exif(&after.bytes, Tag::MakerNote) else { panic!() };
            assert_eq!((note, at), (bytes.clone(), place), "{format}");
            assert_eq!(after, embed(&request(after.clone())).unwrap(), "{format}");
        }
    }
}

#[test]
fn a_maker_note_without_room_where_it_was_goes() {
    // Behind a gap which a preview once filled, too small for the description.
    let mut block = block(&[(Tag::MakerNote, Value::Undefined(vec![7; 20_000], 0))], false);
    let near = block.len() - 20_000;
    block.splice(near..near, vec![0; 40_000 - near]);
    let entry = block.windows(4).position(|bytes| bytes == (near as u32).to_be_bytes()).unwrap();
    block[entry..entry + 4].copy_from_slice(&40_000_u32.to_be_bytes());
    let before = carrying(MediaType::Jpeg, &block, b"");
    let Some(Value::Undefined(note, 40_000)) = exif(&before.bytes, Tag::MakerNote) else { panic!() };
    assert_eq!((note.len(), note.iter().all(|byte| *byte == 7)), (20_000, true));
    let short = request(before.clone());
    assert!(exif(&embed(&short).unwrap().bytes, Tag::MakerNote).is_some());
    let long = EmbedMetadataRequest { description: "x".repeat(41_000), ..short };
    let after = embed(&long).unwrap();
    assert_eq!(ascii(&after.bytes, Tag::ImageDescription).len(), 41_000);
    assert!(exif(&after.bytes, Tag::MakerNote).is_none());
}

#[test]
fn a_colour_profile_stays_and_the_colour_space_points_to_it() {
    let profile = vec![7_u8; 300];
    let segment = [b"ICC_PROFILE\0\x01\x01", &profile[..]].concat();
    let bytes = file(MediaType::Jpeg).bytes;
    let length = (segment.len() as u16 + 2).to_be_bytes();
    let bytes = [&bytes[..2], &[0xff, 0xe2], &length, &segment, &bytes[2..]].concat();
    let after = embed(&request(ImageFile { bytes: bytes.into(), media_type: MediaType::Jpeg })).unwrap();
    assert!(after.bytes.windows(segment.len()).any(|window| window == segment));
    assert_eq!(exif(&after.bytes, Tag::ColorSpace).unwrap().get_uint(0), Some(0xffff));
    let plain = embed(&request(file(MediaType::Jpeg))).unwrap();
    assert_eq!(exif(&plain.bytes, Tag::ColorSpace).unwrap().get_uint(0), Some(1));
}

#[test]
fn the_density_of_the_file_is_that_of_its_exif_block() {
    let bytes = file(MediaType::Jpeg).bytes;
    let jfif = b"\xff\xe0\0\x10JFIF\0\x01\x01\x01\x01\x2c\x01\x2c\0\0";
    let begins = bytes.windows(4).position(|window| window == b"JFIF").map_or(2, |at| at + 14);
    let bytes = [&bytes[..2], jfif, &bytes[begins..]].concat();
    let after = embed(&request(ImageFile { bytes: bytes.into(), media_type: MediaType::Jpeg })).unwrap();
    let Some(Value::Rational(x)) = exif(&after.bytes, Tag::XResolution) else { panic!() };
    assert_eq!((x[0].num, x[0].denom), (300, 1));
    assert_eq!(exif(&after.bytes, Tag::ResolutionUnit).unwrap().get_uint(0), Some(2));
}

#[test]
fn iptc_takes_the_beginning_of_a_long_text_and_the_others_all_of_it() {
    let title = format!("{}京", "x".repeat(63));
    let long = EmbedMetadataRequest { title: title.clone(), ..request(file(MediaType::Jpeg)) };
    let made = embed(&long).unwrap().bytes;
    assert_eq!(property(&made, "title"), [title]);
    let head = ["\u{1c}\u{2}\u{5}\0\u{3f}", &"x".repeat(63), "\u{1c}\u{2}\u{19}"].concat();
    assert!(has(&made, &head), "63 bytes, no half character, and the next dataset");
}

#[test]
fn of_an_old_block_that_leaves_no_room_the_longest_values_go_first() {
    let fields = [
        (Tag::Make, Value::Ascii(vec![b"A maker".to_vec()])),
        (Tag::UserComment, Value::Undefined(vec![b'c'; 65_300], 0)),
        (Tag::ImageUniqueID, Value::Ascii(vec![b"an id".to_vec()])),
    ];
    let after = embed(&request(carrying(MediaType::Jpeg, &block(&fields, false), b""))).unwrap();
    assert_eq!(ascii(&after.bytes, Tag::Artist), "Zoë Ångström");
    assert_eq!(ascii(&after.bytes, Tag::Make), "A maker");
    assert_eq!(ascii(&after.bytes, Tag::ImageUniqueID), "an id");
    assert!(exif(&after.bytes, Tag::UserComment).is_none());
}

/// A packet with these properties.
fn packet(properties: &str) -> String {
    format!(
        "<x:xmpmeta xmlns:x=\"adobe:ns:meta/\"><rdf:RDF xmlns:rdf=\"http://www.w3.org/1999/02/22-rdf-syntax-ns#\">\
        <rdf:Description rdf:about=\"\" xmlns:crs=\"http://ns.adobe.com/camera-raw-settings/1.0/\" \
        xmlns:note=\"http://ns.adobe.com/xmp/note/\" xmlns:dc=\"http://purl.org/dc/elements/1.1/\">{properties}\
        </rdf:Description></rdf:RDF></x:xmpmeta>"
    )
}

/// Asks for a title, a description and keywords alone.
fn silent(image: ImageFile) -> EmbedMetadataRequest {
    EmbedMetadataRequest { creator: None, rights: None, source: None, ..request(image) }
}

#[test]
fn of_an_old_packet_that_leaves_no_room_the_longest_properties_go_first() {
    let old = packet(&format!(
        "<dc:creator>Ann</dc:creator><crs:LookTable>{}</crs:LookTable><crs:Other>{}</crs:Other><dc:rights>Hers</dc:rights>",
        "A".repeat(40_500),
        "B".repeat(24_400)
    ));
    let after = embed(&silent(carrying(MediaType::Jpeg, &block(&[], false), old.as_bytes()))).unwrap();
    assert_eq!(property(&after.bytes, "creator"), ["Ann"]);
    assert_eq!(property(&after.bytes, "rights"), ["Hers"]);
    assert!(property(&after.bytes, "LookTable").is_empty());
    assert_eq!(property(&after.bytes, "Other")[0].len(), 24_400);
    assert_eq!(after, embed(&silent(after.clone())).unwrap());
}

#[test]
fn the_rest_of_a_packet_in_further_segments_is_read_when_it_is_whole() {
    let name = b"0123456789ABCDEF0123456789ABCDEF";
    let main = packet(
        "<dc:creator>Ann</dc:creator><note:HasExtendedXMP>0123456789ABCDEF0123456789ABCDEF</note:HasExtendedXMP>",
    );
    let rest = packet("<crs:Look>warm</crs:Look>").into_bytes();
    let part = |from: usize, to: usize| {
        let place = [(rest.len() as u32).to_be_bytes(), (from as u32).to_be_bytes()].concat();
        segment(b"http://ns.adobe.com/xmp/extension/\0", &[&name[..], &place, &rest[from..to]].concat())
    };
    let bytes = carrying(MediaType::Jpeg, &block(&[], false), main.as_bytes()).bytes;
    for (parts, look) in [
        (vec![part(0, 100), part(100, rest.len())], &["warm"][..]),
        (vec![part(100, rest.len()), part(0, 100)], &["warm"]),
        (vec![part(100, rest.len())], &[]),
    ] {
        let bytes = [&bytes[..2], &parts.concat(), &bytes[2..]].concat().into();
        let after = embed(&silent(ImageFile { bytes, media_type: MediaType::Jpeg })).unwrap();
        assert_eq!(property(&after.bytes, "Look"), look);
        assert_eq!(property(&after.bytes, "creator"), ["Ann"]);
        assert!(!has(&after.bytes, "HasExtendedXMP") && !has(&after.bytes, "xmp/extension"));
    }
}

#[test]
fn a_packet_in_utf_16_is_read() {
    let old = packet("<dc:creator>Zoë 京都</dc:creator>");
    let big: Vec<u8> = old.encode_utf16().flat_map(u16::to_be_bytes).collect();
    let little: Vec<u8> = format!("\u{feff}{old}").encode_utf16().flat_map(u16::to_le_bytes).collect();
    for old in [big, little] {
        let after = embed(&silent(carrying(MediaType::WebP, &block(&[], false), &old))).unwrap();
        assert_eq!(property(&after.bytes, "creator"), ["Zoë 京都"]);
    }
}

fn packed(bytes: &[u8]) -> Vec<u8> {
    let mut packed = Vec::new();
    std::io::Read::read_to_end(&mut flate2::read::ZlibEncoder::new(bytes, flate2::Compression::fast()), &mut packed)
        .unwrap();
    packed
}

/// A profile as ImageMagick wrote it into PNG files.
fn raw(keyword: &str, profile: &[u8]) -> Vec<u8> {
    let mut text = format!("\nname\n{:8}\n", profile.len());
    for byte in profile {
        write!(text, "{byte:02x}").unwrap();
    }
    chunk(b"zTXt", &[keyword.as_bytes(), &[0, 0], &packed(text.as_bytes())].concat())
}

#[test]
fn blocks_in_the_packed_and_older_ways_of_png_are_read_and_replaced() {
    let old = packet("<dc:creator>Ann</dc:creator>");
    let xmp = [XMP.as_bytes(), &[0, 1, 0], b"en\0\0", &packed(old.as_bytes())].concat();
    let exif = block(
        &[(Tag::Orientation, Value::Short(vec![6])), (Tag::Model, Value::Ascii(vec![b"A camera".to_vec()]))],
        false,
    );
    let exif = [b"Exif\0\0", &exif[..]].concat();
    let app1 = [b"http://ns.adobe.com/xap/1.0/\0", old.as_bytes()].concat();
    for chunks in [
        vec![chunk(b"iTXt", &xmp), raw("Raw profile type exif", &exif)],
        vec![raw("Raw profile type xmp", old.as_bytes()), raw("Raw profile type APP1", &exif)],
        vec![raw("Raw profile type APP1", &app1), raw("Raw profile type exif", &exif[6..])],
    ] {
        let before = png(&chunks);
        let after = embed(&silent(before.clone())).unwrap();
        assert_eq!(property(&after.bytes, "creator"), ["Ann"]);
        assert_eq!(ascii(&after.bytes, Tag::Model), "A camera");
        for file in [&before, &after] {
            assert_eq!(decode(&file.bytes, Limits::DEFAULT).unwrap().orientation, Orientation::new(6).unwrap());
        }
        assert!(!has(&after.bytes, "Raw profile"));
        assert_eq!(count(&after.bytes, XMP), 1);
    }
}

#[test]
fn texts_of_a_png_say_what_is_new_and_others_stay() {
    let text = |keyword: &str, text: &str| chunk(b"tEXt", format!("{keyword}\0{text}").as_bytes());
    let chunks = [
        text("Title", "an old title"),
        text("Title", "an older title"),
        text("Author", "Ann"),
        text("Comment", "an old comment"),
    ];
    let after = embed(&silent(png(&chunks))).unwrap();
    assert!(!has(&after.bytes, "an old title") && !has(&after.bytes, "an older title"));
    assert_eq!(count(&after.bytes, &format!("iTXtTitle\0\0\0\0\0{TITLE}")), 1);
    assert!(has(&after.bytes, "tEXtAuthor\0Ann") && has(&after.bytes, "tEXtComment\0an old comment"));
    assert_eq!(after, embed(&silent(after.clone())).unwrap());
    let named = embed(&request(after)).unwrap();
    assert!(has(&named.bytes, "iTXtAuthor\0\0\0\0\0Zoë Ångström") && !has(&named.bytes, "Author\0Ann"));
}

#[test]
fn the_orientation_is_that_of_the_block_with_the_name_that_it_has_in_jpeg_too() {
    let exif = block(&[(Tag::Orientation, Value::Short(vec![6]))], true);
    for format in [MediaType::Png, MediaType::WebP] {
        let before = carrying(format, &[b"Exif\0\0", &exif[..]].concat(), b"");
        let after = embed(&request(before.clone())).unwrap();
        for file in [before, after] {
            let found = decode(&file.bytes, Limits::DEFAULT).unwrap().orientation;
            assert_eq!(found, Orientation::new(6).unwrap(), "{format}");
        }
    }
}

#[test]
fn xmp_and_iptc_inside_exif_go_because_they_would_say_what_was_said_before() {
    let old = Value::Byte(b"an old title".to_vec());
    let fields = [0x02bc, 0x83bb, 0x8649].map(|number| (Tag(Context::Tiff, number), old.clone()));
    for format in FORMATS {
        let after = embed(&request(carrying(format, &block(&fields, false), b""))).unwrap();
        assert!(!has(&after.bytes, "an old title"), "{format}");
    }
}

#[test]
fn more_than_a_jpeg_can_hold_is_refused_and_a_png_holds_it() {
    let long = |format| EmbedMetadataRequest { description: "x".repeat(66_000), ..request(file(format)) };
    let error = embed(&long(MediaType::Jpeg)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.to_string().contains("accepted=at most 65"), "{error}");
    assert_eq!(property(&embed(&long(MediaType::Png)).unwrap().bytes, "description")[0].len(), 66_000);
}

#[test]
fn a_format_without_a_place_for_it_is_refused_with_what_is_accepted() {
    for bytes in [&b"GIF89a........"[..], b"II*\0....", b"plain text", b""] {
        let image = ImageFile { bytes: Bytes::copy_from_slice(bytes), media_type: MediaType::Png };
        let error = embed(&request(image)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert!(error.to_string().contains("accepted=jpeg, png, webp"), "{error}");
    }
}

#[test]
fn a_file_cut_before_its_pixels_is_corrupt() {
    for format in FORMATS {
        let whole = photograph(format).bytes;
        let pixels = whole.windows(4).position(|w| w == b"IDAT" || w == b"VP8 " || w[..2] == [0xff, 0xda]).unwrap();
        for end in 12..pixels {
            let image = ImageFile { bytes: whole.slice(..end), media_type: format };
            assert_eq!(embed(&request(image)).unwrap_err().kind(), ErrorKind::Corrupt, "{format} cut at {end}");
        }
    }
}

#[test]
fn files_made_to_be_slow_or_deep_are_neither() {
    // A million empty chunks, and more; a packet of a hundred thousand levels; a table whose every entry is the whole block.
    let png = file(MediaType::Png).bytes;
    let mut tiny = b"\0\0\0\0tEXt".to_vec();
    tiny.extend(crc32fast::hash(b"tEXt").to_be_bytes());
    let bytes = [&png[..33], &tiny.repeat(1_000_000), &png[33..]].concat();
    let after = embed(&request(ImageFile { bytes: bytes.into(), media_type: MediaType::Png })).unwrap();
    assert!(after.bytes.len() > 12_000_000);
    let more = [&png[..33], &tiny.repeat(1 << 20), &png[33..]].concat();
    let refused = embed(&request(ImageFile { bytes: more.into(), media_type: MediaType::Png })).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Corrupt);
    let deep = format!("<x:xmpmeta xmlns:x=\"adobe:ns:meta/\">{}", "<a>".repeat(100_000));
    let facts = super::facts::Facts::of(&request(file(MediaType::Png)));
    assert_eq!(super::xmp::packet(&[deep.as_bytes()], &facts, 1 << 20).unwrap().matches("<x:xmpmeta").count(), 1);
    // Elements that each declare a namespace, and one with very many attributes.
    let spaces = (0..10_000).map(|n| format!("<a xmlns:a{n}='b'>")).collect::<Vec<_>>().concat();
    let attributes = (0..50_000).map(|n| format!(" a{n}=''")).collect::<Vec<_>>().concat();
    for slow in [spaces, format!("<a{attributes}/>")] {
        assert_eq!(super::xmp::packet(&[slow.as_bytes()], &facts, 1 << 20).unwrap().matches("a1").count(), 0);
    }
    let mut block = b"II*\0\x08\0\0\0\xff\xff".to_vec();
    for tag in 0..60_000_u16 {
        block.extend([tag.to_le_bytes(), 7_u16.to_le_bytes()].concat());
        block.extend([900_000_u32.to_le_bytes(), 8_u32.to_le_bytes()].concat());
    }
    block.resize(1 << 20, 0);
    let frame =
        super::facts::Frame { size: Dimensions { width: 1, height: 1 }, jpeg: false, profile: false, density: None };
    assert!(super::exif::block(Some(&block), &facts, frame, 4 << 20).unwrap().len() <= 4 << 20);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn damaged_files_never_panic_and_never_grow_beyond_what_was_added(
        format in prop::sample::select(FORMATS.to_vec()),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..12),
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let mut bytes = photograph(format).bytes.to_vec();
        for (at, value) in changes {
            let at = at.index(bytes.len().min(1500));
            bytes[at] = value;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        let before = bytes.len();
        let image = ImageFile { bytes: bytes.into(), media_type: format };
        if let Ok(made) = embed(&request(image)) {
            prop_assert!(made.bytes.len() < before * 3 + 20_000);
        }
    }

    #[test]
    fn any_texts_are_found_again(
        title in any::<String>(), keywords in prop::collection::vec("\\PC{1,40}", 0..10), creator in any::<String>(),
    ) {
        let tidy = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        for format in FORMATS {
            let asked = EmbedMetadataRequest {
                title: title.clone(),
                keywords: keywords.clone(),
                creator: Some(creator.clone()),
                ..request(file(format))
            };
            let made = embed(&asked).unwrap();
            let wanted: Vec<String> = keywords
                .iter()
                .map(|word| tidy(&word.replace(|c: char| c.is_control() || c == '\u{fffe}' || c == '\u{ffff}', " ")))
                .filter(|word| !word.is_empty())
                .collect();
            prop_assert_eq!(property(&made.bytes, "subject"), wanted);
            prop_assert_eq!(&made, &embed(&EmbedMetadataRequest { image: made.clone(), ..asked }).unwrap());
        }
    }
}
