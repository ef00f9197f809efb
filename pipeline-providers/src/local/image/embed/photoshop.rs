//! Photoshop's image resources, in which JPEG files carry IPTC-IIM.
//!
//! Source: Adobe Photoshop file formats specification, "Image resource blocks".

use super::facts::Facts;
use super::iptc;

/// What the segment begins with.
pub(super) const NAME: &[u8] = b"Photoshop 3.0\0";
const IPTC: u16 = 0x0404;
/// A checksum of the IPTC block, which readers take as a sign that somebody else has changed it.
const IPTC_DIGEST: u16 = 0x0425;

/// A resource, and all its bytes.
#[derive(Clone, Copy, Debug)]
struct Resource<'a> {
    id: u16,
    content: &'a [u8],
    whole: &'a [u8],
}

/// Old resources of more bytes together are not read: 40 bytes are kept for each, and one has 12.
const LONGEST: usize = 16 << 20;

/// Returns the resources with what is known of the picture in place of the old IPTC block. They go when they are too long.
pub(super) fn with_iptc(old: &[u8], facts: &Facts) -> Vec<u8> {
    let resources = split(if old.len() <= LONGEST { old } else { &[] });
    let block = resources.iter().find(|resource| resource.id == IPTC).map(|resource| resource.content);
    let mut out = Vec::with_capacity(old.len() + 1024);
    put(&mut out, &iptc::block(block, facts));
    for resource in resources.iter().filter(|resource| ![IPTC, IPTC_DIGEST].contains(&resource.id)) {
        out.extend_from_slice(resource.whole);
    }
    out
}

/// Adds the IPTC resource, without a name, padded to a whole number of pairs of bytes.
fn put(out: &mut Vec<u8>, content: &[u8]) {
    out.extend_from_slice(b"8BIM");
    out.extend_from_slice(&IPTC.to_be_bytes());
    out.extend_from_slice(&[0, 0]);
    out.extend_from_slice(&u32::try_from(content.len()).unwrap_or(u32::MAX).to_be_bytes());
    out.extend_from_slice(content);
    if content.len() % 2 == 1 {
        out.push(0);
    }
}

/// Splits the resources as far as they can be read.
fn split(bytes: &[u8]) -> Vec<Resource<'_>> {
    let mut resources = Vec::new();
    let mut rest = bytes;
    while let Some((resource, after)) = first(rest) {
        resources.push(resource);
        rest = after;
    }
    resources
}

fn first(bytes: &[u8]) -> Option<(Resource<'_>, &[u8])> {
    let (id, after) = bytes.strip_prefix(b"8BIM")?.split_first_chunk::<2>()?;
    // A name with its length before it, padded to a whole number of pairs of bytes.
    let name = usize::from(*after.first()?) + 1;
    let (length, after) = after.get(name.next_multiple_of(2)..)?.split_first_chunk::<4>()?;
    let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
    let content = after.get(..length)?;
    // The padding of the last one is sometimes left out.
    let after = after.get(length.next_multiple_of(2)..).unwrap_or_default();
    let whole = bytes.get(..bytes.len() - after.len())?;
    Some((Resource { id: u16::from_be_bytes(*id), content, whole }, after))
}
