//! A block of EXIF metadata, looked at in bounded time and memory.
//!
//! kamadak-exif follows every pointer to a directory and keeps all entries of each, so that a table of N pointers into
//! itself becomes N²/2 entries, and a value that N entries point at is copied N times. What comes from outside is read
//! here, or judged here before that crate reads it.
//!
//! Sources: TIFF 6.0, section 2; Exif 2.32, sections 4.6.2 and 4.6.3.

/// Stands before the block in JPEG; some writers put it into WebP and PNG too.
const NAME: &[u8] = b"Exif\0\0";
/// Most entries that are looked at; a camera writes a hundred or so.
const MAX_ENTRIES: usize = 4096;
/// Most directories in a row, as in kamadak-exif: the picture's, the preview's, and what somebody adds.
const MAX_ROW: usize = 8;
/// Bytes of an entry: tag, type, number of values, and the values or where they lie.
const ENTRY: usize = 12;

const ORIENTATION: u16 = 0x0112;
const EXIF: u16 = 0x8769;
const GPS: u16 = 0x8825;
const INTEROP: u16 = 0xa005;

/// Returns what the first directory of a block says of the orientation, whatever number that is. Other entries may be
/// damaged. A name before the block is skipped.
pub(super) fn orientation(block: &[u8]) -> Option<u32> {
    let block = Block::of(block)?;
    let entries = block.directory(block.first()?)?.take(MAX_ENTRIES);
    entries.filter(|entry| entry.tag == ORIENTATION).find_map(|entry| block.first_number(&entry))
}

/// Tells whether kamadak-exif may read a block: whether that takes time and memory in proportion to `most`.
///
/// Its directories (those in a row, which are the picture's and the preview's, and below them those of EXIF, GPS and
/// interoperability) have 4096 entries in all at the most, none is pointed at twice, and none has two pointers of a
/// kind. The values that lie in the block are `most` bytes together at the most, those that several entries share
/// counted for each of them; values of unknown types count a byte each. The reader takes up to 24 bytes for each of
/// them, where a text is nothing but ends. What points out of the block is passed over, as the reader does. A name before
/// the block is skipped.
pub(super) fn is_sane(block: &[u8], most: usize) -> bool {
    Block::of(block).is_some_and(|block| Walk { block, most, entries: 0, bytes: 0, seen: Vec::new() }.row().is_some())
}

/// The bytes of a block, from its header on.
#[derive(Clone, Copy, Debug)]
struct Block<'a> {
    bytes: &'a [u8],
    little: bool,
}

#[derive(Clone, Copy, Debug)]
struct Entry<'a> {
    tag: u16,
    kind: u16,
    /// `None` when they lie outside of the block.
    values: Option<&'a [u8]>,
}

impl<'a> Block<'a> {
    /// `None` without a header.
    fn of(bytes: &'a [u8]) -> Option<Self> {
        let bytes = bytes.strip_prefix(NAME).unwrap_or(bytes);
        match bytes.first_chunk::<4>()? {
            b"II*\0" => Some(Self { bytes, little: true }),
            b"MM\0*" => Some(Self { bytes, little: false }),
            _ => None,
        }
    }

    /// Where the first directory lies; `None` when there is none.
    fn first(&self) -> Option<usize> {
        self.long(4).filter(|at| *at != 0)
    }

    /// The entries of the directory at a place, up to one that is cut off; `None` when it lies outside of the block.
    fn directory(&self, at: usize) -> Option<impl Iterator<Item = Entry<'a>>> {
        let block = *self;
        let count = self.short(at)?;
        Some((0..usize::from(count)).map_while(move |index| block.entry(at.checked_add(2 + index * ENTRY)?)))
    }

    /// Where the directory after the one at a place lies; `None` when there is none.
    fn next(&self, at: usize) -> Option<usize> {
        let count = usize::from(self.short(at)?);
        self.long(at.checked_add(2 + count * ENTRY)?).filter(|at| *at != 0)
    }

    fn entry(&self, at: usize) -> Option<Entry<'a>> {
        let field = self.bytes.get(at..at.checked_add(ENTRY)?)?;
        let kind = self.short(at + 2)?;
        let length = self.long(at + 4)?.checked_mul(width(kind));
        let values = match length {
            Some(length @ ..=4) => field.get(8..8 + length),
            Some(length) => {
                let start = self.long(at + 8)?;
                start.checked_add(length).and_then(|end| self.bytes.get(start..end))
            }
            None => None,
        };
        Some(Entry { tag: self.short(at)?, kind, values })
    }

    /// The first value of an entry, where it is a whole number without a sign.
    fn first_number(&self, entry: &Entry<'_>) -> Option<u32> {
        let values = entry.values?;
        match entry.kind {
            1 => values.first().map(|byte| u32::from(*byte)),
            3 => values.first_chunk().map(|bytes| u32::from(self.u16(*bytes))),
            4 => values.first_chunk().map(|bytes| self.u32(*bytes)),
            _ => None,
        }
    }

    fn short(&self, at: usize) -> Option<u16> {
        self.bytes.get(at..)?.first_chunk().map(|bytes| self.u16(*bytes))
    }

    fn long(&self, at: usize) -> Option<usize> {
        let number = self.bytes.get(at..)?.first_chunk().map(|bytes| self.u32(*bytes))?;
        usize::try_from(number).ok()
    }

    fn u16(&self, bytes: [u8; 2]) -> u16 {
        if self.little { u16::from_le_bytes(bytes) } else { u16::from_be_bytes(bytes) }
    }

    fn u32(&self, bytes: [u8; 4]) -> u32 {
        if self.little { u32::from_le_bytes(bytes) } else { u32::from_be_bytes(bytes) }
    }
}

/// Bytes of a value of a type.
fn width(kind: u16) -> usize {
    match kind {
        3 | 8 => 2,
        4 | 9 | 11 => 4,
        5 | 10 | 12 => 8,
        _ => 1,
    }
}

/// A walk over all directories of a block, and what it came past. Each step is `None` where it has to end.
#[derive(Debug)]
struct Walk<'a> {
    block: Block<'a>,
    most: usize,
    entries: usize,
    bytes: usize,
    seen: Vec<usize>,
}

impl Walk<'_> {
    /// The directories that each point at the next.
    fn row(&mut self) -> Option<()> {
        let mut next = self.block.first();
        for _ in 0..MAX_ROW {
            let Some(at) = next else { break };
            self.directory(at, &[EXIF, GPS])?;
            next = self.block.next(at);
        }
        next.is_none().then_some(())
    }

    /// One directory and those below it, which the entries of these tags point at. No directory below the second level has
    /// any, so that this goes no deeper than three.
    fn directory(&mut self, at: usize, pointers: &[u16]) -> Option<()> {
        let block = self.block;
        let Some(entries) = block.directory(at) else { return Some(()) };
        if self.seen.contains(&at) {
            return None;
        }
        self.seen.push(at);
        let mut followed = Vec::new();
        for entry in entries {
            self.entries += 1;
            self.bytes = self.bytes.saturating_add(entry.values.map_or(0, <[u8]>::len));
            if self.entries > MAX_ENTRIES || self.bytes > self.most {
                return None;
            }
            if !pointers.contains(&entry.tag) {
                continue;
            }
            if followed.contains(&entry.tag) {
                return None;
            }
            followed.push(entry.tag);
            if let Some(below) = block.first_number(&entry).and_then(|at| usize::try_from(at).ok()) {
                self.directory(below, if entry.tag == EXIF { &[INTEROP] } else { &[] })?;
            }
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use exif::experimental::Writer;
    use exif::{Context, Field, In, Rational, Reader, Tag, Value};

    use super::*;

    /// As much as a block may have in a JPEG.
    const MOST: usize = 65_527;

    fn field(tag: Tag, value: Value) -> Field {
        Field { tag, ifd_num: In::PRIMARY, value }
    }

    /// What a camera writes: all five directories, a maker note and a preview.
    fn camera(little: bool) -> Vec<u8> {
        let third = Rational { num: 1, denom: 3 };
        let maker_note = (0..20_000).map(|n: u32| (n * 7) as u8).collect();
        let fields = [
            field(Tag::Make, Value::Ascii(vec![b"Camera works".to_vec()])),
            field(Tag::Orientation, Value::Short(vec![6])),
            field(Tag::ExposureTime, Value::Rational(vec![third])),
            field(Tag(Context::Exif, 0x927c), Value::Undefined(maker_note, 0)),
            field(Tag::GPSLatitude, Value::Rational(vec![third; 3])),
            field(Tag::InteroperabilityIndex, Value::Ascii(vec![b"R98".to_vec()])),
        ];
        let mut writer = Writer::new();
        for field in &fields {
            writer.push_field(field);
        }
        let preview = vec![0xff; 9_000];
        writer.set_jpeg(&preview, In::THUMBNAIL);
        let mut written = Cursor::new(Vec::new());
        writer.write(&mut written, little).unwrap();
        written.into_inner()
    }

    /// A little-endian block: a directory of these entries of tag, type, number of values and place, then this.
    fn block(entries: &[(u16, u16, u32, u32)], rest: &[u8]) -> Vec<u8> {
        let mut bytes = b"II*\0\x08\0\0\0".to_vec();
        bytes.extend((entries.len() as u16).to_le_bytes());
        for (tag, kind, count, place) in entries {
            bytes.extend([tag.to_le_bytes(), kind.to_le_bytes()].concat());
            bytes.extend([count.to_le_bytes(), place.to_le_bytes()].concat());
        }
        bytes.extend([0; 4]);
        bytes.extend_from_slice(rest);
        bytes
    }

    #[test]
    fn the_orientation_is_read_in_both_byte_orders_and_behind_a_name() {
        for little in [false, true] {
            let bytes = camera(little);
            assert_eq!(orientation(&bytes), Some(6));
            assert_eq!(orientation(&[NAME, &bytes].concat()), Some(6));
        }
        for other in [&b""[..], b"II*\0", b"II*\0\0\0\0\0\x01\0", b"PNG", &camera(true)[..12]] {
            assert_eq!(orientation(other), None);
        }
    }

    #[test]
    fn the_orientation_may_be_a_number_of_any_width_among_damaged_entries() {
        let odd = |number| [(0x10f, 2, 900, 70_000), (0x110, 5, u32::MAX, 8), (0x11a, 99, 7, 7), number, (1, 3, 9, 9)];
        for (kind, expected) in [(1, Some(8)), (3, Some(8)), (4, Some(8)), (9, None), (2, None)] {
            assert_eq!(orientation(&block(&odd((ORIENTATION, kind, 1, 8)), &[])), expected, "type {kind}");
        }
        assert_eq!(orientation(&block(&odd((ORIENTATION, 3, 0, 8)), &[])), None);
        // More than one do not fit into the entry.
        assert_eq!(orientation(&block(&odd((ORIENTATION, 3, 3, 74)), &[5, 0, 1, 0, 1, 0])), Some(5));
        let mut cut = block(&odd((ORIENTATION, 3, 1, 3)), &[]);
        cut.truncate(10 + 4 * ENTRY);
        assert_eq!(orientation(&cut), Some(3));
        cut.pop();
        assert_eq!(orientation(&cut), None);
    }

    #[test]
    fn the_orientation_is_the_one_that_kamadak_exif_finds() {
        let good = camera(false);
        let mut state = 0x2545_f491_4f6c_dd1d_u64;
        let mut random = move || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state as usize
        };
        for _ in 0..2_000 {
            let mut bytes = good.clone();
            for _ in 0..=random() % 4 {
                // The header and the first directory.
                bytes[random() % 80] = random() as u8;
            }
            let read = Reader::new().continue_on_error(true).read_raw(bytes.clone());
            let read = read.or_else(|error| error.distill_partial_result(|_| {})).ok();
            let theirs = read.and_then(|exif| exif.get_field(Tag::Orientation, In::PRIMARY)?.value.get_uint(0));
            assert_eq!(orientation(&bytes), theirs, "{:?}", &bytes[..80]);
        }
    }

    #[test]
    fn what_cameras_write_is_sane() {
        for little in [false, true] {
            let bytes = camera(little);
            assert!(is_sane(&bytes, MOST));
            assert!(is_sane(&[NAME, &bytes].concat(), MOST));
            assert!(is_sane(&bytes, bytes.len()), "no byte belongs to two values");
            assert!(!is_sane(&bytes, 20_000), "the maker note alone has so many");
        }
    }

    #[test]
    fn damage_that_costs_nothing_is_sane() {
        let far = [(0x10f, 2, u32::MAX, 70_000), (0x110, 5, u32::MAX, 8), (EXIF, 4, 1, 70_000), (GPS, 2, 1, 8)];
        let mut bytes = block(&far, &[]);
        assert!(is_sane(&bytes, 100));
        let next = bytes.len() - 4;
        bytes[next..].copy_from_slice(&70_000_u32.to_le_bytes());
        assert!(is_sane(&bytes, 100), "the next directory lies outside");
        bytes.truncate(next - 5);
        assert!(is_sane(&bytes, 100), "it is cut off");
        assert!(!is_sane(b"", 100) && !is_sane(b"PNG", 100));
    }

    #[test]
    fn pointers_into_their_own_table_are_not_sane() {
        for count in [2, 5_400, 14_000] {
            let pointers: Vec<_> = (0..count).map(|n| (EXIF, 4, 1, 10 + 12 * n)).collect();
            assert!(!is_sane(&block(&pointers, &[]), usize::MAX), "{count} pointers");
        }
        let itself = block(&[(EXIF, 4, 1, 8)], &[]);
        assert!(!is_sane(&itself, MOST));
        let twice = block(&[(EXIF, 4, 1, 38), (GPS, 4, 1, 38)], &[1, 0, 1, 0, 1, 0, 1, 0, 0, 0, 7, 0, 0, 0]);
        assert!(!is_sane(&twice, MOST));
        let mut circle = block(&[(1, 1, 1, 1)], &[]);
        circle[22] = 8;
        assert!(!is_sane(&circle, MOST));
    }

    #[test]
    fn directories_in_a_row_are_followed_and_counted() {
        let row = |count: u32| {
            let mut bytes = b"II*\0\x08\0\0\0".to_vec();
            for number in 1..=count {
                let next = if number == count { 0 } else { 8 + number * 6 };
                bytes.extend([0, 0]);
                bytes.extend(next.to_le_bytes());
            }
            bytes
        };
        assert!(is_sane(&row(8), MOST));
        assert!(!is_sane(&row(9), MOST));
    }

    #[test]
    fn entries_that_share_a_value_count_it_each() {
        let shared = |count: usize| {
            let place = 10 + 12 * count as u32 + 4;
            block(&vec![(0x111, 2, 34_000, place); count], &vec![0; 34_000])
        };
        assert!(is_sane(&shared(1), MOST));
        assert!(!is_sane(&shared(2), MOST));
        assert!(!is_sane(&shared(2_600), 1 << 20));
        // Those of no known type are not copied.
        assert!(!is_sane(&block(&[(1, 99, 300, 26)], &[0; 300]), 299));
    }

    #[test]
    fn more_entries_than_anybody_writes_are_not_sane() {
        assert!(is_sane(&block(&vec![(0x111, 1, 1, 0); 4096], &[]), MOST));
        assert!(!is_sane(&block(&vec![(0x111, 1, 1, 0); 4097], &[]), MOST));
        let below: Vec<u8> = block(&vec![(1, 1, 1, 0); 4095], &[])[8..].to_vec();
        assert!(is_sane(&block(&[(EXIF, 4, 1, 26)], &below), MOST));
        assert!(!is_sane(&block(&[(EXIF, 4, 1, 38), (7, 1, 1, 0)], &below), MOST));
    }
}
