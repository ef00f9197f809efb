//! IPTC-IIM: datasets of record 2, in UTF-8.
//!
//! Source: IPTC-NAA Information Interchange Model 4.2, chapters 1, 5 and 6: numbers, order and limits in bytes.

use super::facts::{Facts, cut};

const MARK: u8 = 0x1c;
/// Record 1, dataset 90: `ESC % G` says that all texts are UTF-8.
const UTF8: (u8, u8, &[u8]) = (1, 90, b"\x1b%G");
/// Record 2, dataset 0: version 4 of the model.
const VERSION: (u8, u8, &[u8]) = (2, 0, &[0, 4]);
const TITLE: (u8, usize) = (5, 64);
const KEYWORD: (u8, usize) = (25, 64);
const CREATOR: (u8, usize) = (80, 32);
const RIGHTS: (u8, usize) = (116, 128);
const DESCRIPTION: (u8, usize) = (120, 2000);
/// A foreign dataset that is longer is not one that people read.
const LONGEST: u16 = 0x7fff;

/// A dataset: its number in record 2, and its value.
type Dataset<'a> = (u8, &'a [u8]);

/// Returns the block: what is known of the picture, and what the old one says besides.
pub(super) fn block(old: Option<&[u8]>, facts: &Facts) -> Vec<u8> {
    let texts = [(TITLE, facts.title.as_str())]
        .into_iter()
        .chain(facts.keywords.iter().map(|word| (KEYWORD, word.as_str())))
        .chain(facts.creator.as_deref().map(|text| (CREATOR, text)))
        .chain(facts.rights.as_deref().map(|text| (RIGHTS, text)))
        .chain([(DESCRIPTION, facts.description.as_str())]);
    let mut ours: Vec<Dataset<'_>> = texts
        .map(|((number, most), text)| (number, cut(text, most).as_bytes()))
        .filter(|(_, value)| !value.is_empty())
        .collect();
    let said: Vec<u8> = ours.iter().map(|(number, _)| *number).chain([0]).collect();
    let kept = old.map(foreign).unwrap_or_default();
    ours.extend(kept.into_iter().filter(|(number, _)| !said.contains(number)));
    // The model wants the datasets in the order of their numbers; those of one number stay in theirs.
    ours.sort_by_key(|(number, _)| *number);
    let mut out = Vec::new();
    for (record, number, value) in [UTF8, VERSION].into_iter().chain(ours.into_iter().map(|(n, value)| (2, n, value))) {
        out.extend_from_slice(&[MARK, record, number]);
        out.extend_from_slice(&u16::try_from(value.len()).unwrap_or(LONGEST).to_be_bytes());
        out.extend_from_slice(value);
    }
    out
}

/// Returns the datasets of record 2, as far as the block can be read and its texts mean the same in UTF-8.
fn foreign(block: &[u8]) -> Vec<Dataset<'_>> {
    let mut found = Vec::new();
    let mut utf8 = false;
    let mut rest = block;
    while let [MARK, record, number, high, low, after @ ..] = rest {
        let length = u16::from_be_bytes([*high, *low]);
        let Some((value, after)) = after.split_at_checked(usize::from(length)).filter(|_| length <= LONGEST) else {
            break;
        };
        match (*record, *number) {
            (1, 90) => utf8 = value == UTF8.2,
            (2, number) => found.push((number, value)),
            _ => {}
        }
        rest = after;
    }
    found.retain(|(_, value)| value.is_ascii() || utf8 && std::str::from_utf8(value).is_ok());
    found
}
