//! Media types by content: magic numbers first, then the shape of text.

use pipeline_core::model::{MediaType, picture_type};

/// So much of a text is looked at for its shape.
const HEAD: usize = 4_096;

/// Says what content is; never looks at a name.
pub(super) fn sniff(content: &[u8]) -> MediaType {
    if let Some(picture) = picture_type(content) {
        return picture;
    }
    if let Some(kind) = infer::get(content) {
        match kind.mime_type() {
            // The signature of BMP is two letters, which prose has too.
            "image/bmp" | "text/html" | "text/xml" | "text/plain" | "text/x-shellscript" => {}
            _ => return MediaType::Binary,
        }
    }
    match std::str::from_utf8(content) {
        Ok(text) if !text.contains('\0') => shape(text),
        Ok(_) | Err(_) => MediaType::Binary,
    }
}

fn shape(text: &str) -> MediaType {
    let body = text.trim_start_matches('\u{feff}').trim_start();
    let head: String = body.chars().take(HEAD).flat_map(char::to_lowercase).collect();
    if head.starts_with('<') {
        if head.starts_with("<!doctype html") || head.contains("<html") {
            return MediaType::Html;
        }
        if head.starts_with("<svg") || (head.contains("<svg") && (head.starts_with("<?xml") || head.starts_with("<!")))
        {
            return MediaType::Svg;
        }
        return MediaType::Text;
    }
    if (body.starts_with('{') || body.starts_with('[')) && is_json(body) {
        return MediaType::Json;
    }
    if is_csv(body) { MediaType::Csv } else { MediaType::Text }
}

fn is_json(text: &str) -> bool {
    serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok()
}

/// At least two lines with the same number of commas outside quotes, and at least one comma.
fn is_csv(text: &str) -> bool {
    let commas = |line: &str| {
        let mut quoted = false;
        line.chars()
            .filter(|c| {
                quoted ^= *c == '"';
                *c == ',' && !quoted
            })
            .count()
    };
    let mut lines = text.lines().filter(|line| !line.is_empty()).take(20);
    let Some(first) = lines.next().map(commas) else { return false };
    let mut rest = 0;
    let even = lines.all(|line| {
        rest += 1;
        commas(line) == first
    });
    first > 0 && rest > 0 && even
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_tells_what_it_is() {
        for (content, kind) in [
            (&b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"[..], MediaType::Png),
            (b"\xff\xd8\xff\xe0\0\x10JFIF\0", MediaType::Jpeg),
            (b"RIFF\x24\0\0\0WEBPVP8 ", MediaType::WebP),
            (b"GIF89a\x01\0\x01\0", MediaType::Gif),
            (b"II*\0\x08\0\0\0\x01\0\0\x01", MediaType::Tiff),
            (b"II+\0\x08\0\0\0", MediaType::Tiff),
            (b"MM\0+\0\x08\0\0", MediaType::Tiff),
            (b"\0\0\0\x20ftypavif\0\0\0\0avifmif1miafMA1B", MediaType::Avif),
            (b"<svg xmlns=\"http://www.w3.org/2000/svg\"/>", MediaType::Svg),
            (b"<?xml version=\"1.0\"?>\n<!-- a -->\n<svg></svg>", MediaType::Svg),
            (b"<!DOCTYPE html><html><body><svg/></body></html>", MediaType::Html),
            (b" {\"a\": [1, 2.5]}\n", MediaType::Json),
            (b"{not json", MediaType::Text),
            (b"a,b\n1,2\n3,\"4,5\"\n", MediaType::Csv),
            (b"BMW drives into the sunset", MediaType::Text),
            (b"\0\0\0\x18ftyphevc\0\0\0\0hevc", MediaType::Heic),
            (b"Dear reader, hello.\nBye.\n", MediaType::Text),
            ("caf\u{e9}".as_bytes(), MediaType::Text),
            (b"", MediaType::Text),
            (b"PK\x03\x04rest", MediaType::Binary),
            (b"\xff\xfe\0\x01", MediaType::Binary),
        ] {
            assert_eq!(sniff(content), kind, "{:?}", String::from_utf8_lossy(content));
        }
    }
}
