//! The first directory of a TIFF file, as far as it must be known before the file is decoded.

/// Most entries that are looked at; a directory of a picture has twenty or so.
const MAX_ENTRIES: usize = 4096;

/// The entries of a directory (TIFF 6.0, section 2; BigTIFF). Each of them lies within the file.
#[derive(Debug)]
pub(in super::super) struct Directory<'a> {
    little: bool,
    entries: Vec<Entry<'a>>,
}

#[derive(Debug)]
struct Entry<'a> {
    tag: u64,
    /// Bytes of one number; 0 when they are no whole numbers.
    width: usize,
    /// Where the values lie in the file.
    start: usize,
    values: &'a [u8],
}

impl<'a> Directory<'a> {
    /// Reads it; `None` when it is not there or points out of the file.
    pub(in super::super) fn read(bytes: &'a [u8]) -> Option<Self> {
        let (little, big) = match bytes.first_chunk::<4>()? {
            b"II*\0" => (true, false),
            b"MM\0*" => (false, false),
            b"II+\0" => (true, true),
            b"MM\0+" => (false, true),
            _ => return None,
        };
        let number = |at: usize, width: usize| number(bytes.get(at..at.checked_add(width)?)?, little);
        // Where the directory lies, how long its count, an entry and the values in an entry are.
        let (at, count, entry, inside) = if big { (number(8, 8)?, 8, 20, 8) } else { (number(4, 4)?, 2, 12, 4) };
        let at = usize::try_from(at).ok()?;
        let entries = usize::try_from(number(at, count)?).ok().filter(|entries| *entries <= MAX_ENTRIES)?;
        let entries = (0..entries).map(|index| {
            let at = at.checked_add(count + index * entry)?;
            let width = match number(at + 2, 2)? {
                1 | 2 | 6 | 7 => 1,
                3 | 8 => 2,
                4 | 9 | 11 | 13 => 4,
                5 | 10 | 12 | 16 | 17 | 18 => 8,
                _ => 0,
            };
            let length = usize::try_from(number(at + 4, entry - 4 - inside)?).ok()?.checked_mul(width)?;
            let start = if length <= inside {
                at + entry - inside
            } else {
                usize::try_from(number(at + entry - inside, inside)?).ok()?
            };
            let values = bytes.get(start..start.checked_add(length)?)?;
            Some(Entry { tag: number(at, 2)?, width, start, values })
        });
        Some(Self { little, entries: entries.collect::<Option<_>>()? })
    }

    /// Returns the numbers of a tag; none when it is not there.
    pub(in super::super) fn numbers(&self, tag: u64) -> impl Iterator<Item = u64> {
        let entry = self.entries.iter().find(|entry| entry.tag == tag && entry.width > 0);
        let little = self.little;
        entry.into_iter().flat_map(move |entry| {
            entry.values.chunks_exact(entry.width).filter_map(move |bytes| number(bytes, little))
        })
    }

    /// Returns the first number of a tag.
    pub(in super::super) fn first(&self, tag: u64) -> Option<u64> {
        self.numbers(tag).next()
    }

    /// Returns a copy of the file in which the first number of a tag, which fits into a byte, is another one.
    pub(super) fn with(&self, file: &[u8], tag: u64, number: u8) -> Option<Vec<u8>> {
        let entry = self.entries.iter().find(|entry| entry.tag == tag && entry.width > 0)?;
        let mut copy = file.to_vec();
        let place = copy.get_mut(entry.start..entry.start.checked_add(entry.width)?)?;
        place.fill(0);
        *(if self.little { place.first_mut() } else { place.last_mut() })? = number;
        Some(copy)
    }

    /// Returns the bytes of a tag.
    pub(super) fn bytes(&self, tag: u64) -> Option<&'a [u8]> {
        self.entries.iter().find(|entry| entry.tag == tag).map(|entry| entry.values)
    }
}

fn number(bytes: &[u8], little: bool) -> Option<u64> {
    let add = |sum: u64, byte: &u8| sum << 8 | u64::from(*byte);
    (bytes.len() <= 8).then(|| if little { bytes.iter().rev().fold(0, add) } else { bytes.iter().fold(0, add) })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One entry of two numbers of four bytes, which lie after the directory.
    fn file(big_endian: bool) -> Vec<u8> {
        if big_endian {
            let mut bytes = b"MM\0*\0\0\0\x08\0\x01".to_vec();
            bytes.extend(b"\x01\x11\0\x04\0\0\0\x02\0\0\0\x1a\0\0\0\0");
            bytes.extend(b"\0\0\0\x07\0\0\x01\0");
            return bytes;
        }
        let mut bytes = b"II*\0\x08\0\0\0\x01\0".to_vec();
        bytes.extend(b"\x11\x01\x04\0\x02\0\0\0\x1a\0\0\0\0\0\0\0");
        bytes.extend(b"\x07\0\0\0\0\x01\0\0");
        bytes
    }

    #[test]
    fn numbers_are_read_in_both_byte_orders() {
        for big_endian in [false, true] {
            let bytes = file(big_endian);
            let directory = Directory::read(&bytes).unwrap();
            assert_eq!(directory.numbers(0x111).collect::<Vec<_>>(), [7, 256]);
            assert_eq!(directory.first(0x112), None);
        }
    }

    #[test]
    fn a_directory_that_leads_out_of_the_file_is_none() {
        let bytes = file(false);
        for length in 0..bytes.len() {
            assert!(Directory::read(&bytes[..length]).is_none(), "cut at {length}");
        }
        let mut far = file(false);
        far[18..22].fill(0xff);
        assert!(Directory::read(&far).is_none());
    }
}
