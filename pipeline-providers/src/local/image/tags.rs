//! The tags of an EXIF block: taken from one block, and laid out as another in which a maker note stays where it was.
//!
//! Sources: TIFF 6.0, section 2; Exif 3.0, sections 4.6.2 to 4.6.8.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use exif::{Context, Exif, Field, In, Reader, SRational, Tag, Value};

use super::exif_block::is_sane;

/// An old block that is longer is not read.
const LONGEST: usize = 2 << 20;
/// Nor are more tags than this.
const MOST_TAGS: usize = 4096;
/// Exif 3.0's type of a text in UTF-8.
const UTF8: u16 = 129;
const EXIF_TABLE: u16 = 0x8769;
const PLACE_TABLE: u16 = 0x8825;
const INTEROP_TABLE: u16 = 0xa005;
pub(super) const MAKER_NOTE: Tag = Tag(Context::Exif, 0x927c);
/// XMP, IPTC-IIM and Photoshop's resources, as TIFF has them.
pub(super) const BLOCKS: [Tag; 3] =
    [Tag(Context::Tiff, 0x02bc), Tag(Context::Tiff, 0x83bb), Tag(Context::Tiff, 0x8649)];
/// How far a program of Microsoft's has moved the maker note.
const NOTE_MOVED: Tag = Tag(Context::Exif, 0xea1d);
/// Tags that describe a TIFF's own pixels and tables, which are not those of the picture.
const STRUCTURE: &[u16] = &[
    0x100, 0x101, 0x102, 0x103, 0x106, 0x111, 0x115, 0x116, 0x117, 0x11c, 0x142, 0x143, 0x144, 0x145, 0x14a, 0x201,
    0x202, 0x212,
];

/// What a block says of its first picture.
#[derive(Clone, Debug)]
pub(super) struct Tags {
    fields: BTreeMap<Tag, Value>,
    /// What is not left out to make room.
    stated: BTreeSet<Tag>,
    little_endian: bool,
}

impl Tags {
    /// No tags yet, of a block in this order of bytes.
    pub(super) fn none(little_endian: bool) -> Self {
        Self { fields: BTreeMap::new(), stated: BTreeSet::new(), little_endian }
    }

    /// Reads a block as far as that is possible, as the decoder does when it looks for the orientation; `None` when it is
    /// none. A tag that is there twice has its first value.
    pub(super) fn read(block: &[u8]) -> Option<Self> {
        // Some programs put the name that the block has in JPEG before it in WebP and PNG too.
        let block = block.strip_prefix(b"Exif\0\0").unwrap_or(block);
        if block.len() > LONGEST || !is_sane(block, block.len()) {
            return None;
        }
        let read = Reader::new().continue_on_error(true).read_raw(block.to_vec());
        let exif = read.or_else(|error| error.distill_partial_result(|_| {})).ok()?;
        let mut tags = Self::none(exif.little_endian());
        // Tables may refer to one place again and again; those of an honest block come to no more than it has bytes.
        let mut bytes = 0_usize;
        for Field { tag, ifd_num, value } in exif.fields() {
            let Some(value) = known(&exif, value) else { continue };
            bytes = bytes.saturating_add(cost(&value));
            if bytes > block.len().saturating_mul(2) || tags.fields.len() >= MOST_TAGS {
                break;
            }
            let structure = tag.context() == Context::Tiff && STRUCTURE.contains(&tag.number());
            if *ifd_num == In::PRIMARY && !structure {
                tags.fields.entry(*tag).or_insert(value);
            }
        }
        if tags.note().is_none_or(|(at, _)| at < 8) {
            tags.forget_note();
        }
        Some(tags)
    }

    pub(super) fn get(&self, tag: Tag) -> Option<&Value> {
        self.fields.get(&tag)
    }

    /// Says something that stays even where room is short.
    pub(super) fn state(&mut self, tag: Tag, value: Value) {
        self.fields.insert(tag, value);
        self.stated.insert(tag);
    }

    /// Says something unless it is said already.
    pub(super) fn offer(&mut self, tag: Tag, value: Value) {
        if let Entry::Vacant(place) = self.fields.entry(tag) {
            place.insert(value);
            self.stated.insert(tag);
        }
    }

    /// Leaves out what does not pass.
    pub(super) fn retain(&mut self, passes: impl Fn(Tag) -> bool) {
        self.fields.retain(|tag, _| passes(*tag));
    }

    /// Where the maker note is, and its bytes. What is in it may count from the start of the block, each maker in a way of
    /// its own: anywhere else it would be wrong.
    fn note(&self) -> Option<(usize, &[u8])> {
        match self.fields.get(&MAKER_NOTE)? {
            Value::Undefined(bytes, at) if bytes.len() > 4 => Some((usize::try_from(*at).ok()?, bytes)),
            _ => None,
        }
    }

    fn forget_note(&mut self) {
        self.retain(|tag| ![MAKER_NOTE, NOTE_MOVED].contains(&tag));
    }

    /// Returns the block in at most so many bytes where that is possible: of what was not stated the longest goes first.
    pub(super) fn written(mut self, most: usize) -> Vec<u8> {
        let mut total = self.fields.values().map(cost).sum::<usize>() + 8 + 4 * 18;
        let mut others: Vec<(usize, Tag)> = self
            .fields
            .iter()
            .filter(|(tag, _)| !self.stated.contains(tag))
            .map(|(tag, value)| (cost(value), *tag))
            .collect();
        others.sort_unstable();
        while total > most
            && let Some((bytes, tag)) = others.pop()
        {
            total -= bytes;
            self.fields.remove(&tag);
        }
        let written = self.laid_out();
        if written.len() <= most || self.note().is_none() {
            return written;
        }
        // It alone may force a gap before it.
        self.forget_note();
        self.laid_out()
    }

    fn laid_out(&self) -> Vec<u8> {
        let table = |context| self.fields.iter().filter(move |(tag, _)| tag.context() == context);
        let count = |context| table(context).count();
        let (places, shared) = (count(Context::Gps), count(Context::Interop));
        let details = count(Context::Exif) + usize::from(shared > 0);
        let mut layout = Layout::new(self.note(), self.little_endian);
        let first = count(Context::Tiff) + usize::from(details > 0) + usize::from(places > 0);
        let tables =
            [(Context::Tiff, first), (Context::Exif, details), (Context::Gps, places), (Context::Interop, shared)];
        // Readers expect the tables first, and the first of them right behind the header.
        let [first, details, places, shared] = tables
            .map(|(context, count)| (context, layout.reserve(if count == 0 { 0 } else { 6 + 12 * count }), count));
        layout.put(4, &layout.long(first.1));
        for (context, at, entries) in [first, details, places, shared] {
            let mut fields: Vec<(u16, u16, usize, Vec<u8>)> = Vec::with_capacity(entries);
            for (tag, value) in table(context) {
                let (kind, count, bytes) = encoded(value, self.little_endian);
                fields.push((tag.number(), kind, count, bytes));
            }
            for (owner, number, (_, at, count)) in [
                (Context::Tiff, EXIF_TABLE, details),
                (Context::Tiff, PLACE_TABLE, places),
                (Context::Exif, INTEROP_TABLE, shared),
            ] {
                if owner == context && count > 0 {
                    fields.retain(|field| field.0 != number);
                    fields.push((number, 4, 1, layout.long(at).to_vec()));
                }
            }
            fields.sort_by_key(|field| field.0);
            layout.table(at, &fields, if context == Context::Exif { self.note().map(|(at, _)| at) } else { None });
        }
        layout.bytes
    }
}

/// A block that is being written: all of it goes before and behind the maker note.
struct Layout {
    bytes: Vec<u8>,
    /// Where there is room before the note, and where that ends.
    free: usize,
    note: usize,
    little_endian: bool,
}

impl Layout {
    fn new(note: Option<(usize, &[u8])>, little_endian: bool) -> Self {
        let (at, note) = note.unwrap_or((8, &[]));
        let mut bytes = if little_endian { b"II*\0".to_vec() } else { b"MM\0*".to_vec() };
        bytes.resize(at, 0);
        bytes.extend_from_slice(note);
        Self { bytes, free: 8, note: at, little_endian }
    }

    /// Returns where so many bytes go, at an even place as the standard wants.
    fn reserve(&mut self, length: usize) -> usize {
        if self.free + length <= self.note {
            let at = self.free;
            self.free = (at + length).next_multiple_of(2);
            return at;
        }
        let at = self.bytes.len().next_multiple_of(2);
        self.bytes.resize(at + length, 0);
        at
    }

    fn put(&mut self, at: usize, bytes: &[u8]) {
        if let Some(place) = self.bytes.get_mut(at..at + bytes.len()) {
            place.copy_from_slice(bytes);
        }
    }

    /// Writes a table with its values: number, type, count and bytes of each.
    fn table(&mut self, at: usize, fields: &[(u16, u16, usize, Vec<u8>)], note: Option<usize>) {
        if fields.is_empty() {
            return;
        }
        let mut table = self.short(fields.len()).to_vec();
        for (number, kind, count, bytes) in fields {
            table.extend(self.short(usize::from(*number)));
            table.extend(self.short(usize::from(*kind)));
            table.extend(self.long(*count));
            match note.filter(|_| *number == MAKER_NOTE.number()) {
                Some(at) => table.extend(self.long(at)),
                None if bytes.len() <= 4 => table.extend(bytes.iter().copied().chain([0; 4]).take(4)),
                None => {
                    let at = self.reserve(bytes.len());
                    self.put(at, bytes);
                    table.extend(self.long(at));
                }
            }
        }
        self.put(at, &table);
    }

    fn short(&self, number: usize) -> [u8; 2] {
        let number = u16::try_from(number).unwrap_or(u16::MAX);
        if self.little_endian { number.to_le_bytes() } else { number.to_be_bytes() }
    }

    fn long(&self, number: usize) -> [u8; 4] {
        let number = u32::try_from(number).unwrap_or(u32::MAX);
        if self.little_endian { number.to_le_bytes() } else { number.to_be_bytes() }
    }
}

/// Returns a value that can be written; texts of Exif 3.0 become what older readers know too, which have long been given UTF-8
/// in it.
fn known(exif: &Exif, value: &Value) -> Option<Value> {
    let Value::Unknown(kind, count, at) = value else { return Some(value.clone()) };
    if *kind != UTF8 {
        return None;
    }
    let (block, at, count) = (exif.buf(), usize::try_from(*at).ok()?, usize::try_from(*count).ok()?);
    let place = *block.get(at..)?.first_chunk::<4>()?;
    let number = if exif.little_endian() { u32::from_le_bytes(place) } else { u32::from_be_bytes(place) };
    let at = if count <= 4 { at } else { usize::try_from(number).ok()? };
    let text = std::str::from_utf8(block.get(at..at.checked_add(count)?)?).ok()?.trim_end_matches('\0');
    Some(Value::Ascii(text.split('\0').map(|part| part.as_bytes().to_vec()).collect()))
}

/// About how many bytes a value takes, its entry in the table counted, and never fewer than it takes.
fn cost(value: &Value) -> usize {
    let bytes = match value {
        Value::Byte(bytes) | Value::Undefined(bytes, _) => bytes.len(),
        Value::Ascii(texts) => texts.iter().map(|text| text.len() + 1).sum(),
        Value::SByte(values) => values.len(),
        Value::Short(values) => values.len() * 2,
        Value::SShort(values) => values.len() * 2,
        Value::Long(values) => values.len() * 4,
        Value::SLong(values) => values.len() * 4,
        Value::Float(values) => values.len() * 4,
        Value::Rational(values) => values.len() * 8,
        Value::SRational(values) => values.len() * 8,
        Value::Double(values) => values.len() * 8,
        Value::Unknown(..) => 0,
    };
    if bytes <= 4 { 12 } else { bytes.saturating_add(13) }
}

/// Returns type, count and bytes of a value.
fn encoded(value: &Value, little_endian: bool) -> (u16, usize, Vec<u8>) {
    /// The bytes of all values; these are in the order of the smallest first.
    fn all<const N: usize>(values: impl IntoIterator<Item = [u8; N]>, little_endian: bool) -> Vec<u8> {
        let each = values.into_iter().map(|mut bytes| {
            if !little_endian {
                bytes.reverse();
            }
            bytes
        });
        each.flatten().collect()
    }
    let (kind, size, bytes) = match value {
        Value::Byte(bytes) => (1, 1, bytes.clone()),
        Value::Ascii(texts) => (2, 1, texts.iter().flat_map(|text| text.iter().copied().chain([0])).collect()),
        Value::Short(values) => (3, 2, all(values.iter().map(|n| n.to_le_bytes()), little_endian)),
        Value::Long(values) => (4, 4, all(values.iter().map(|n| n.to_le_bytes()), little_endian)),
        Value::Rational(values) => {
            let numbers = values.iter().flat_map(|n| [n.num, n.denom]);
            (5, 8, all(numbers.map(u32::to_le_bytes), little_endian))
        }
        Value::SByte(values) => (6, 1, values.iter().map(|n| n.to_le_bytes()[0]).collect()),
        Value::Undefined(bytes, _) => (7, 1, bytes.clone()),
        Value::SShort(values) => (8, 2, all(values.iter().map(|n| n.to_le_bytes()), little_endian)),
        Value::SLong(values) => (9, 4, all(values.iter().map(|n| n.to_le_bytes()), little_endian)),
        Value::SRational(values) => {
            let numbers = values.iter().flat_map(|SRational { num, denom }| [*num, *denom]);
            (10, 8, all(numbers.map(i32::to_le_bytes), little_endian))
        }
        Value::Float(values) => (11, 4, all(values.iter().map(|n| n.to_le_bytes()), little_endian)),
        Value::Double(values) => (12, 8, all(values.iter().map(|n| n.to_le_bytes()), little_endian)),
        Value::Unknown(..) => (7, 1, Vec::new()),
    };
    (kind, bytes.len() / size, bytes)
}
