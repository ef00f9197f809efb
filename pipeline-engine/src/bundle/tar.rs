//! A gzipped tar file of a few documents, in the format ustar.
//!
//! Source: POSIX.1-2017, `pax`, "ustar Interchange Format".

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use pipeline_core::{Error, Result};

const BLOCK: usize = 512;

/// Packs documents, each under its name.
///
/// # Errors
/// `Invalid` for a name that is longer than 100 bytes.
pub(super) fn pack(documents: &[(String, Vec<u8>)], seconds: u64) -> Result<Vec<u8>> {
    let broken = |error| Error::unexpected("cannot write the archive").because(error);
    let mut packer = GzEncoder::new(Vec::new(), Compression::default());
    for (name, content) in documents {
        packer.write_all(&header(name, content.len(), seconds)?).map_err(broken)?;
        packer.write_all(content).map_err(broken)?;
        let filled = content.len() % BLOCK;
        let gap = if filled == 0 { 0 } else { BLOCK - filled };
        packer.write_all(&vec![0; gap]).map_err(broken)?;
    }
    packer.write_all(&[0; 2 * BLOCK]).map_err(broken)?;
    packer.finish().map_err(broken)
}

fn header(name: &str, size: usize, seconds: u64) -> Result<Vec<u8>> {
    if name.len() > 100 {
        return Err(Error::invalid("the name is too long for an archive").with("name", name));
    }
    let mut header = Vec::with_capacity(BLOCK);
    let mut field = |text: &str, width: usize| {
        header.extend(text.bytes().chain(std::iter::repeat(0)).take(width));
    };
    field(name, 100);
    field("0000600", 8);
    field("0000000", 8);
    field("0000000", 8);
    field(&format!("{size:011o}"), 12);
    field(&format!("{seconds:011o}"), 12);
    // The checksum counts as eight spaces.
    field("        ", 8);
    field("0", 1);
    field("", 100);
    field("ustar", 6);
    field("00", 2);
    field("", 32 + 32 + 8 + 8 + 155 + 12);
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    let sum = format!("{sum:06o}\0 ");
    header.splice(148..156, sum.bytes());
    Ok(header)
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    #[test]
    fn what_is_packed_has_whole_blocks_and_checksums_that_add_up() {
        let packed = pack(&[("a/b.json".to_owned(), b"{}\n".to_vec()), ("c".to_owned(), vec![7; 512])], 8).unwrap();
        let mut plain = Vec::new();
        flate2::read::GzDecoder::new(packed.as_slice()).read_to_end(&mut plain).unwrap();
        assert_eq!(plain.len(), BLOCK * 6);
        for (at, name, size) in [(0, "a/b.json", 3), (2, "c", 512)] {
            let header = plain.get(at * BLOCK..(at + 1) * BLOCK).unwrap();
            assert!(header.starts_with(name.as_bytes()));
            let text = |from: usize, to: usize| String::from_utf8_lossy(header.get(from..to).unwrap()).into_owned();
            assert_eq!(usize::from_str_radix(&text(124, 135), 8).unwrap(), size);
            let mut blank = header.to_vec();
            blank.splice(148..156, *b"        ");
            let sum: u32 = blank.iter().map(|byte| u32::from(*byte)).sum();
            assert_eq!(u32::from_str_radix(&text(148, 154), 8).unwrap(), sum);
        }
        assert!(pack(&[("x".repeat(101), Vec::new())], 0).is_err());
    }
}
