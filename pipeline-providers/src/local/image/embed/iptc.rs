//! IPTC-IIM: datasets of the records 1 (envelope) and 2 (application), in UTF-8.
//!
//! Source: IPTC-NAA Information Interchange Model 4.2, chapters 1, 5 and 6: numbers, order and limits in bytes.

use std::borrow::Cow;

use super::facts::{Facts, cut};

const MARK: u8 = 0x1c;
/// Record 1, dataset 90: `ESC % G` says that all texts are UTF-8.
const CHARACTERS: (u8, u8) = (1, 90);
const UTF8: &[u8] = b"\x1b%G";
/// Other ways to say which characters are meant: ISO 8859-1.
const LATIN: [&[u8]; 3] = [b"\x1b-A", b"\x1b.A", b"\x1b/A"];
/// Record 2, dataset 0: version 4 of the model.
const VERSION: (u8, u8) = (2, 0);
const TITLE: (u8, usize) = (5, 64);
const KEYWORD: (u8, usize) = (25, 64);
const CREATOR: (u8, usize) = (80, 32);
const RIGHTS: (u8, usize) = (116, 128);
const DESCRIPTION: (u8, usize) = (120, 2000);
/// Datasets of record 1 that are numbers.
const NUMBERS: [(u8, u8); 3] = [(1, 0), (1, 20), (1, 22)];
/// Datasets of record 2 that show the caption, or the picture, as it once was.
const PREVIEWS: [(u8, u8); 4] = [(2, 125), (2, 200), (2, 201), (2, 202)];
/// A foreign dataset that is longer is not one that people read.
const LONGEST: usize = 0x7fff;
/// What Windows' Latin characters have in place of ISO 8859-1's second set of control characters.
const WINDOWS: [char; 32] = [
    '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8d}', 'Ž', '\u{8f}', '\u{90}', '‘', '’',
    '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9d}', 'ž', 'Ÿ',
];

/// Datasets after these are not read: 90 bytes are kept for each, and one has 5.
const MOST: usize = 10_000;

/// A dataset: its record and number, and its value.
type Dataset<'a> = ((u8, u8), Cow<'a, [u8]>);
/// The same, as it is stored.
type Stored<'a> = ((u8, u8), &'a [u8]);

/// Returns the block: what is known of the picture, and what the old one says besides.
pub(super) fn block(old: Option<&[u8]>, facts: &Facts) -> Vec<u8> {
    let texts = [(TITLE, facts.title.as_str())]
        .into_iter()
        .chain(facts.keywords.iter().map(|word| (KEYWORD, word.as_str())))
        .chain(facts.creator.as_deref().map(|text| (CREATOR, text)))
        .chain(facts.rights.as_deref().map(|text| (RIGHTS, text)))
        .chain([(DESCRIPTION, facts.description.as_str())]);
    let mut all: Vec<Dataset<'_>> = vec![(CHARACTERS, UTF8.into()), (VERSION, Cow::Borrowed(&[0, 4]))];
    all.extend(
        texts
            .map(|((number, most), text)| ((2, number), Cow::Borrowed(cut(text, most).as_bytes())))
            .filter(|(_, value)| !value.is_empty()),
    );
    let said: Vec<(u8, u8)> = all.iter().map(|(id, _)| *id).collect();
    let kept = old.map(foreign).unwrap_or_default();
    all.extend(kept.into_iter().filter(|(id, value)| !said.contains(id) && value.len() <= LONGEST));
    // The model wants the datasets in the order of their numbers; those of one number stay in theirs.
    all.sort_by_key(|(id, _)| *id);
    let mut out = Vec::new();
    for ((record, number), value) in all {
        out.extend_from_slice(&[MARK, record, number]);
        out.extend_from_slice(&u16::try_from(value.len()).unwrap_or_default().to_be_bytes());
        out.extend_from_slice(&value);
    }
    out
}

/// Returns the first datasets as far as the block can be read, with their texts in UTF-8.
fn foreign(block: &[u8]) -> Vec<Dataset<'_>> {
    let mut found: Vec<Stored<'_>> = Vec::new();
    let mut characters = None;
    let mut rest = block;
    while found.len() < MOST
        && let Some(((id, value), after)) = first(rest)
    {
        match id {
            CHARACTERS => characters = Some(value),
            (1 | 2, _) if !PREVIEWS.contains(&id) => found.push((id, value)),
            _ => {}
        }
        rest = after;
    }
    let is_utf8 = |value: &[u8]| std::str::from_utf8(value).is_ok();
    let is_number = |id| NUMBERS.contains(&id);
    // Many programs write UTF-8 and do not say so; several texts in Latin letters are hardly UTF-8 by chance.
    let utf8 = match characters {
        Some(characters) => characters == UTF8,
        None => found.iter().all(|(id, value)| is_number(*id) || is_utf8(value)),
    };
    let latin = !utf8 && characters.is_none_or(|characters| LATIN.contains(&characters));
    let kept = found.into_iter().filter_map(|(id, value)| match value {
        value if is_number(id) || value.is_ascii() || utf8 && is_utf8(value) => Some((id, Cow::Borrowed(value))),
        value if latin => {
            Some((id, Cow::Owned(value.iter().map(|byte| letter(*byte)).collect::<String>().into_bytes())))
        }
        _ => None,
    });
    kept.collect()
}

/// Splits the first dataset off, and returns what follows too.
fn first(bytes: &[u8]) -> Option<(Stored<'_>, &[u8])> {
    let [MARK, record, number, high, low, after @ ..] = bytes else { return None };
    let mut length = usize::from(u16::from_be_bytes([*high, *low]));
    let mut after = after;
    if length > LONGEST {
        // Of a long one that is how many bytes its length has, which follow.
        let (digits, value) = after.split_at_checked(length & LONGEST)?;
        length =
            digits.iter().try_fold(0_usize, |sum, digit| sum.checked_mul(256)?.checked_add(usize::from(*digit)))?;
        after = value;
    }
    let (value, after) = after.split_at_checked(length)?;
    Some((((*record, *number), value), after))
}

fn letter(byte: u8) -> char {
    byte.checked_sub(0x80).and_then(|place| WINDOWS.get(usize::from(place))).copied().unwrap_or(char::from(byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts() -> Facts {
        let [title, description] = ["A title", "A description"].map(str::to_owned);
        Facts { title, description, keywords: Vec::new(), creator: None, rights: None, source: None }
    }

    fn dataset(record: u8, number: u8, value: &[u8]) -> Vec<u8> {
        [&[MARK, record, number][..], &(value.len() as u16).to_be_bytes(), value].concat()
    }

    /// The value of a dataset in the block that is made of this one.
    fn after(old: &[u8], id: (u8, u8)) -> Option<String> {
        let made = block(Some(old), &facts());
        assert_eq!(made, block(Some(&made), &facts()), "again the same");
        let mut rest = &made[..];
        let mut found = None;
        while let Some(((found_id, value), after)) = first(rest) {
            found = found.or((found_id == id).then(|| String::from_utf8(value.to_vec()).unwrap()));
            rest = after;
        }
        assert!(rest.is_empty());
        found
    }

    #[test]
    fn texts_in_latin_letters_stay_and_become_utf8() {
        let latin = [dataset(2, 80, b"J\xf6rg M\xfcller"), dataset(2, 90, b"\x80 \x93Z\xfcrich\x94")].concat();
        for says in [None, Some(b"\x1b.A")] {
            let old = [says.map(|says| dataset(1, 90, says)).unwrap_or_default(), latin.clone()].concat();
            assert_eq!(after(&old, (2, 80)).unwrap(), "Jörg Müller");
            assert_eq!(after(&old, (2, 90)).unwrap(), "€ “Zürich”");
            assert_eq!(after(&old, (2, 5)).unwrap(), "A title");
            assert_eq!(after(&old, CHARACTERS).unwrap().as_bytes(), UTF8);
        }
        let other = [dataset(1, 90, b"\x1b-B"), latin, dataset(2, 110, b"dpa")].concat();
        assert_eq!((after(&other, (2, 80)), after(&other, (2, 110)).unwrap()), (None, "dpa".to_owned()));
    }

    #[test]
    fn utf8_is_taken_as_such_whether_it_is_said_or_not() {
        for says in [Vec::new(), dataset(1, 90, UTF8)] {
            let old = [says, dataset(2, 80, "Jörg Müller".as_bytes()), dataset(2, 90, "京都".as_bytes())].concat();
            assert_eq!(after(&old, (2, 80)).unwrap(), "Jörg Müller");
            assert_eq!(after(&old, (2, 90)).unwrap(), "京都");
        }
    }

    #[test]
    fn only_the_first_datasets_of_very_many_are_kept() {
        let old = dataset(2, 25, b"k").repeat(100_000);
        assert_eq!(foreign(&old).len(), MOST);
    }

    #[test]
    fn the_envelope_stays_and_a_preview_goes() {
        let long = [&[MARK, 2, 12, 0x80, 4, 0, 0, 0x90, 0][..], &vec![b'x'; 0x9000]].concat();
        let old = [
            dataset(1, 0, &[0, 4]),
            dataset(1, 5, b"DPA"),
            dataset(1, 30, b"B\xfcro"),
            dataset(2, 202, b"preview"),
            long,
            dataset(2, 110, b"dpa"),
        ]
        .concat();
        assert_eq!(after(&old, (1, 0)).unwrap(), "\0\u{4}");
        assert_eq!(after(&old, (1, 5)).unwrap(), "DPA");
        assert_eq!(after(&old, (1, 30)).unwrap(), "Büro");
        assert_eq!(after(&old, (2, 202)), None);
        assert_eq!((after(&old, (2, 12)), after(&old, (2, 110)).unwrap()), (None, "dpa".to_owned()));
    }
}
