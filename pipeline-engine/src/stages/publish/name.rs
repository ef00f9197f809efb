//! The name of a published file, without number and extension.

use pipeline_core::stage::Task;
use pipeline_core::template::Template;
use pipeline_core::{Error, Result};
use serde_json::Value;
use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::is_combining_mark;

/// Fills in the template.
pub(super) fn file_stem(template: &str, task: &Task) -> Result<String> {
    let mut variables = task.inputs.variables.clone();
    variables.insert("n".to_owned(), Value::from(format!("{:03}", task.ordinal + 1)));
    variables.insert("v".to_owned(), Value::from(format!("{:02}", task.slot + 1)));
    variables.insert("id".to_owned(), Value::from(task.item.to_string()));
    variables.entry("keyword".to_owned()).or_insert_with(|| Value::from(task.name.clone()));
    variables.entry("stem".to_owned()).or_insert_with(|| Value::from(task.name.clone()));
    let text = Template::parse(template)
        .and_then(|template| template.render(&variables))
        .map_err(|error| Error::invalid("cannot fill in the file name template").because(error))?;
    Ok(safe_name(&text))
}

/// Turns any text into a file name that every file system takes: letters with their marks, digits, `-`, `_`; at most 80
/// characters.
fn safe_name(text: &str) -> String {
    let mut name = String::new();
    for c in text.nfc() {
        // A mark belongs to the letter before it; the one after an emoji to nothing that is kept.
        let marks = is_combining_mark(c) && !name.is_empty() && !name.ends_with('-');
        if c.is_alphanumeric() || c == '_' || marks {
            name.push(c);
        } else if !name.ends_with('-') {
            name.push('-');
        }
    }
    // 180 bytes leave room for a number and an extension below the usual limit of 255.
    let mut bytes = 0;
    let fits = |c: &char| {
        bytes += c.len_utf8();
        bytes <= 180
    };
    let name: String = name.trim_matches('-').chars().take(80).take_while(fits).collect();
    let name = name.trim_matches('-');
    let reserved = ["con", "prn", "aux", "nul"].contains(&name.to_lowercase().as_str())
        || (name.len() == 4 && ["com", "lpt"].iter().any(|device| name.to_lowercase().starts_with(device)));
    if name.is_empty() || reserved { format!("image-{name}").trim_matches('-').to_owned() } else { name.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_safe_on_every_file_system() {
        assert_eq!(safe_name("A red fox / at dawn!"), "A-red-fox-at-dawn");
        assert_eq!(safe_name("../../etc/passwd"), "etc-passwd");
        assert_eq!(safe_name("CON"), "image-CON");
        assert_eq!(safe_name("..."), "image");
        assert_eq!(safe_name("Überfahrt 東京"), "Überfahrt-東京");
        assert_eq!(safe_name("Zu\u{308}rich हिन्दी ❤\u{fe0f} x"), "Zürich-हिन्दी-x");
        assert!(safe_name(&"x".repeat(500)).len() <= 80);
        assert!(safe_name(&"東".repeat(500)).len() <= 180);
    }
}
