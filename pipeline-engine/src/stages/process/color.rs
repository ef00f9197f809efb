//! Colours as they are written in settings.

/// Reads `transparent`, `white`, `black`, `#rrggbb` or `#rrggbbaa` as red, green, blue and alpha.
pub(super) fn color(text: &str) -> Option<[u8; 4]> {
    match text {
        "transparent" => return Some([0; 4]),
        "white" => return Some([255; 4]),
        "black" => return Some([0, 0, 0, 255]),
        _ => {}
    }
    let digits = text.strip_prefix('#').filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()))?;
    let byte = |at: usize| digits.get(at..at + 2).and_then(|pair| u8::from_str_radix(pair, 16).ok());
    let alpha = match digits.len() {
        6 => 255,
        8 => byte(6)?,
        _ => return None,
    };
    Some([byte(0)?, byte(2)?, byte(4)?, alpha])
}

/// The same without transparency.
pub(super) fn opaque(text: &str) -> Option<[u8; 3]> {
    let [red, green, blue, alpha] = color(text)?;
    (alpha == 255).then_some([red, green, blue])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_digits_are_colours_and_nothing_else_is() {
        assert_eq!(color("white"), Some([255; 4]));
        assert_eq!(color("#336699"), Some([0x33, 0x66, 0x99, 255]));
        assert_eq!(color("#33669900"), Some([0x33, 0x66, 0x99, 0]));
        assert_eq!((color("transparent"), opaque("transparent")), (Some([0; 4]), None));
        assert_eq!(opaque("black"), Some([0; 3]));
        for wrong in ["", "#", "red", "#12345", "#1234567", "#+12345", "#é1234", "336699"] {
            assert_eq!(color(wrong), None, "{wrong}");
        }
    }
}
