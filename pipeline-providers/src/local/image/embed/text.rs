//! A text in a PNG file, of any of the three kinds of chunks, and the blocks that older programs wrote as digits into one.
//!
//! Sources: PNG third edition, section 11.3.3; ImageMagick's `coders/png.c` for the profiles in digits.

use std::borrow::Cow;
use std::io::Read as _;

use flate2::read::ZlibDecoder;

/// A text that is longer is not read.
const LONGEST: u64 = 4 << 20;

/// The keyword of a text; `None` for a chunk that is none.
pub(super) fn keyword(kind: [u8; 4], content: &[u8]) -> Option<&[u8]> {
    [b"tEXt", b"zTXt", b"iTXt"].contains(&&kind).then(|| content.split(|byte| *byte == 0).next().unwrap_or_default())
}

/// The text itself; `None` when it cannot be read.
pub(super) fn value(kind: [u8; 4], content: &[u8]) -> Option<Cow<'_, [u8]>> {
    let rest = behind_zero(content)?;
    match &kind {
        b"tEXt" => Some(Cow::Borrowed(rest)),
        b"zTXt" => unpacked(rest.strip_prefix(&[0])?),
        b"iTXt" => {
            let [packed, method, rest @ ..] = rest else { return None };
            // Language and translated keyword.
            let text = behind_zero(behind_zero(rest)?)?;
            match (packed, method) {
                (0, _) => Some(Cow::Borrowed(text)),
                (1, 0) => unpacked(text),
                _ => None,
            }
        }
        _ => None,
    }
}

/// Reads a profile: its name, its length, and its bytes as digits, a line each.
pub(super) fn profile(text: &[u8]) -> Option<Vec<u8>> {
    let mut lines = text.trim_ascii_start().splitn(3, |byte| *byte == b'\n');
    let (_, length, digits) = (lines.next()?, lines.next()?, lines.next()?);
    let length: usize = std::str::from_utf8(length).ok()?.trim().parse().ok()?;
    let digits = digits.iter().filter(|byte| !byte.is_ascii_whitespace());
    let digits: Vec<u8> = digits.map(|byte| char::from(*byte).to_digit(16)?.try_into().ok()).collect::<Option<_>>()?;
    let bytes: Vec<u8> = digits.as_chunks::<2>().0.iter().map(|[high, low]| high << 4 | low).collect();
    Some(bytes).filter(|bytes| bytes.len() == length)
}

fn behind_zero(bytes: &[u8]) -> Option<&[u8]> {
    bytes.get(bytes.iter().position(|byte| *byte == 0)? + 1..)
}

fn unpacked(bytes: &[u8]) -> Option<Cow<'_, [u8]>> {
    let mut text = Vec::new();
    let length = ZlibDecoder::new(bytes).take(LONGEST + 1).read_to_end(&mut text).ok()?;
    (u64::try_from(length).ok()? <= LONGEST).then_some(Cow::Owned(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_in_digits_is_read_when_it_is_whole() {
        assert_eq!(profile(b"\nexif\n       4\n0aFF\n00 1\n0\n").unwrap(), [0x0a, 0xff, 0, 0x10]);
        for broken in [&b"\nexif\n  5\n0aff0010\n"[..], b"\nexif\n 4\n0aff001x\n", b"\nexif\n", b"", b"\nexif\n-1\n00"]
        {
            assert_eq!(profile(broken), None);
        }
    }

    #[test]
    fn a_text_that_unpacks_to_too_much_is_not_read() {
        let mut packed =
            flate2::read::ZlibEncoder::new(std::io::repeat(b' ').take(LONGEST + 1), flate2::Compression::default());
        let mut content = b"key\0\0".to_vec();
        packed.read_to_end(&mut content).unwrap();
        assert_eq!(value(*b"zTXt", &content), None);
        assert_eq!(keyword(*b"zTXt", &content), Some(&b"key"[..]));
        assert_eq!(keyword(*b"IDAT", &content), None);
    }
}
