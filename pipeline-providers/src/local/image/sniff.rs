//! What a file is, by its first bytes.

use pipeline_core::model::{MediaType, picture_type};

/// How much of a file is looked at to tell text from anything else.
const TEXT_SAMPLE: usize = 4096;

/// Tells what the bytes are, whatever the file is called; `None` for anything unknown.
///
/// Pictures are known by their magic bytes. Text that is none of HTML, JSON or SVG is [`MediaType::Text`].
pub fn sniff(bytes: &[u8]) -> Option<MediaType> {
    picture_type(bytes).or_else(|| text(bytes))
}

/// HTML, SVG, JSON or plain text; `None` when it is not text.
fn text(bytes: &[u8]) -> Option<MediaType> {
    let sample = bytes.get(..TEXT_SAMPLE).unwrap_or(bytes);
    let sample = match std::str::from_utf8(sample) {
        Ok(text) => text,
        // A character may be cut by the end of the sample.
        Err(error) if error.error_len().is_none() && sample.len() < bytes.len() => {
            std::str::from_utf8(sample.get(..error.valid_up_to())?).ok()?
        }
        Err(_) => return None,
    };
    let start = sample.trim_start_matches('\u{feff}').trim_start();
    if start.is_empty() || sample.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t' | '\u{c}')) {
        return None;
    }
    let lower = start.get(..start.len().min(1024)).unwrap_or(start).to_ascii_lowercase();
    if lower.starts_with("<!doctype html") || lower.starts_with("<html") {
        return Some(MediaType::Html);
    }
    if lower.starts_with("<svg") || (lower.starts_with("<?xml") || lower.starts_with("<!")) && lower.contains("<svg") {
        return Some(MediaType::Svg);
    }
    if start.starts_with(['{', '[']) && serde_json::from_slice::<serde::de::IgnoredAny>(bytes).is_ok() {
        return Some(MediaType::Json);
    }
    Some(MediaType::Text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_decide_and_not_names() {
        let cases: [(&[u8], Option<MediaType>); 10] = [
            (b"\x89PNG\r\n\x1a\n....", Some(MediaType::Png)),
            (b"BMW drives into the sunset", Some(MediaType::Text)),
            (b"\0\0\0\x1cftypisom\0\0\0\0mp41", None),
            (b"<svg xmlns='http://www.w3.org/2000/svg'/>", Some(MediaType::Svg)),
            (b"<?xml version='1.0'?>\n<!-- a --><svg/>", Some(MediaType::Svg)),
            (b"\xef\xbb\xbf<!DOCTYPE html><html>", Some(MediaType::Html)),
            (b"{\"a\": 1}", Some(MediaType::Json)),
            ("schöne Grüße".as_bytes(), Some(MediaType::Text)),
            (b"\x00\x01\x02\x03", None),
            (b"", None),
        ];
        for (bytes, expected) in cases {
            assert_eq!(sniff(bytes), expected, "{:?}", String::from_utf8_lossy(bytes));
        }
    }

    #[test]
    fn a_character_cut_by_the_sample_is_still_text() {
        let text = "é".repeat(TEXT_SAMPLE);
        assert_eq!(sniff(&[b"a", text.as_bytes()].concat()), Some(MediaType::Text));
    }
}
