//! The names of what a classifier knows, one a line.

use std::path::Path;

use pipeline_core::error::{Error, ErrorKind, Result};

/// Most bytes of such a file.
const MOST_BYTES: u64 = 16_000_000;

/// Reads a file of labels. Of `n01440764 tench, Tinca tinca` the label is `tench`: numbers of WordNet and further names are
/// left out. Empty lines at the end are none.
///
/// # Errors
/// `NotFound` when the file cannot be read, `Unsupported` when it is too large, `Corrupt` when a line says nothing.
pub(super) fn read(file: &Path) -> Result<Vec<String>> {
    let absent = || {
        Error::not_found("the file of labels cannot be read")
            .with("labels", file.display())
            .with("accepted", "a text file with one label a line, in the order of the model's answers")
    };
    let length = std::fs::metadata(file).map_err(|error| absent().because(error))?.len();
    if length > MOST_BYTES {
        return Err(Error::new(ErrorKind::Unsupported, "the file of labels is too large")
            .with("labels", file.display())
            .with("accepted", format!("at most {MOST_BYTES} bytes")));
    }
    let text = std::fs::read_to_string(file).map_err(|error| absent().because(error))?;
    let labels: Vec<String> = text.trim_end().lines().map(|line| label(line).to_owned()).collect();
    match labels.iter().position(String::is_empty) {
        None => Ok(labels),
        Some(line) => Err(Error::corrupt("a line of the file of labels says nothing")
            .with("labels", file.display())
            .with("line", line + 1)
            .with("accepted", "one label a line")),
    }
}

fn label(line: &str) -> &str {
    let line = line.trim();
    let wordnet =
        |word: &str| word.len() == 9 && word.starts_with('n') && word[1..].bytes().all(|byte| byte.is_ascii_digit());
    let named = line.split_once(char::is_whitespace).filter(|(word, _)| wordnet(word)).map_or(line, |(_, rest)| rest);
    named.split(',').next().unwrap_or_default().trim()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_further_names_are_left_out() {
        for (line, expected) in [
            ("n01440764 tench, Tinca tinca", "tench"),
            ("goldfish", "goldfish"),
            ("  great white shark , white shark", "great white shark"),
            ("n123 is short", "n123 is short"),
            ("näpfchen1 é", "näpfchen1 é"),
            ("", ""),
        ] {
            assert_eq!(label(line), expected);
        }
    }
}
