//! Placeholders of other template languages: they would be printed as they stand, so they are refused.

/// Returns what to write instead of the first foreign placeholder: `${{Name}}` or `{name}`.
pub(super) fn foreign(source: &str) -> Option<String> {
    if let Some((_, rest)) = source.split_once("${{") {
        let name = rest.split("}}").next().unwrap_or_default().trim();
        if is_name(name) {
            return Some(message(&format!("${{{{{name}}}}}"), name));
        }
    }
    let mut rest = source;
    while let Some((before, after)) = rest.split_once('{') {
        let tag = match after.chars().next() {
            Some('{') => Some("}}"),
            Some('%') => Some("%}"),
            Some('#') => Some("#}"),
            _ => None,
        };
        if let Some(end) = tag {
            rest = after.split_once(end).map_or("", |(_, rest)| rest);
            continue;
        }
        let name = after.split('}').next().unwrap_or_default();
        let closed = after.len() > name.len();
        if closed && is_name(name) && !before.ends_with('\\') {
            return Some(message(&format!("{{{name}}}"), name));
        }
        rest = after;
    }
    None
}

fn is_name(text: &str) -> bool {
    let head = text.chars().next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_');
    head && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

fn message(found: &str, name: &str) -> String {
    let column = name.to_ascii_lowercase();
    format!("`{found}` is not a placeholder here; write `{{{{ {column} }}}}`")
}
