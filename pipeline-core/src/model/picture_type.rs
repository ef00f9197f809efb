//! Which kind of picture a file is, by its first bytes.

use super::MediaType;

/// Tells which kind of picture the bytes are, whatever the file is called; `None` for anything else, and for SVG, which
/// is text.
///
/// Sources: the signatures of PNG, JPEG, RIFF, GIF, TIFF, BigTIFF and BMP; the brands of ISO/IEC 14496-12 and 23008-12.
pub fn picture_type(bytes: &[u8]) -> Option<MediaType> {
    if bytes.starts_with(b"\x89PNG\r\n\x1a\n") {
        return Some(MediaType::Png);
    }
    if bytes.starts_with(b"\xff\xd8\xff") {
        return Some(MediaType::Jpeg);
    }
    if bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"WEBP") {
        return Some(MediaType::WebP);
    }
    if bytes.starts_with(b"GIF87a") || bytes.starts_with(b"GIF89a") {
        return Some(MediaType::Gif);
    }
    if [b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"].iter().any(|magic| bytes.starts_with(*magic)) {
        return Some(MediaType::Tiff);
    }
    // "BM" alone would also match prose; the length of the second header has few values.
    if bytes.starts_with(b"BM") && matches!(bytes.get(14..18), Some([12 | 16 | 40 | 52 | 56 | 64 | 108 | 124, 0, 0, 0]))
    {
        return Some(MediaType::Bmp);
    }
    if bytes.get(4..8) == Some(b"ftyp") { brand(bytes) } else { None }
}

/// The brands of an ISO base media file, major one first.
fn brand(bytes: &[u8]) -> Option<MediaType> {
    let length = bytes.first_chunk::<4>().map_or(0, |length| u32::from_be_bytes(*length) as usize);
    let brands = bytes.get(8..length.clamp(12, 256).min(bytes.len()))?;
    brands.chunks_exact(4).enumerate().filter(|(index, _)| *index != 1).find_map(|(_, brand)| match brand {
        b"avif" | b"avis" => Some(MediaType::Avif),
        b"heic" | b"heix" | b"hevc" | b"hevx" | b"heim" | b"heis" => Some(MediaType::Heic),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_and_brands_decide() {
        let bmp: Vec<u8> = [b"BM".as_slice(), &[0; 12], &[40, 0, 0, 0], &[0; 36]].concat();
        let cases: [(&[u8], Option<MediaType>); 19] = [
            (b"\x89PNG\r\n\x1a\n....", Some(MediaType::Png)),
            (b"\xff\xd8\xff\xe0", Some(MediaType::Jpeg)),
            (b"RIFF\x10\0\0\0WEBPVP8 ", Some(MediaType::WebP)),
            (b"RIFF\x10\0\0\0WAVEfmt ", None),
            (b"GIF89a..", Some(MediaType::Gif)),
            (b"II*\0....", Some(MediaType::Tiff)),
            (b"MM\0*....", Some(MediaType::Tiff)),
            (b"II+\0\x08\0\0\0", Some(MediaType::Tiff)),
            (b"MM\0+\0\x08\0\0", Some(MediaType::Tiff)),
            (&bmp, Some(MediaType::Bmp)),
            (b"BMW drives into the sunset", None),
            (b"\0\0\0\x1cftypavif\0\0\0\0mif1", Some(MediaType::Avif)),
            (b"\0\0\0\x1cftypmif1\0\0\0\0mif1heic", Some(MediaType::Heic)),
            (b"\0\0\0\x1cftypmif1\0\0\0\0mif1heix", Some(MediaType::Heic)),
            (b"\0\0\0\x18ftyphevc\0\0\0\0hevc", Some(MediaType::Heic)),
            (b"\0\0\0\x1cftypisom\0\0\0\0mp41", None),
            (b"<svg xmlns='http://www.w3.org/2000/svg'/>", None),
            (b"\x00\x01\x02\x03", None),
            (b"", None),
        ];
        for (bytes, expected) in cases {
            assert_eq!(picture_type(bytes), expected, "{:?}", String::from_utf8_lossy(bytes));
        }
    }
}
