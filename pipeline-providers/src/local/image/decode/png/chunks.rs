//! The chunks of a file (PNG specification, third edition, section 5).

/// A chunk.
#[derive(Clone, Copy, Debug)]
pub(super) struct Chunk<'a> {
    pub(super) kind: [u8; 4],
    pub(super) content: &'a [u8],
    pub(super) checksum: u32,
}

/// Walks over the chunks of a file, until one is cut off.
#[derive(Clone, Debug)]
pub(super) struct Chunks<'a>(&'a [u8]);

impl<'a> Chunks<'a> {
    /// Begins behind the signature, which was looked at before.
    pub(super) fn of(bytes: &'a [u8]) -> Self {
        Self(bytes.get(8..).unwrap_or_default())
    }
}

impl<'a> Iterator for Chunks<'a> {
    type Item = Chunk<'a>;

    fn next(&mut self) -> Option<Chunk<'a>> {
        let (length, rest) = self.0.split_first_chunk::<4>()?;
        let (kind, rest) = rest.split_first_chunk::<4>()?;
        let (content, rest) = rest.split_at_checked(u32::from_be_bytes(*length) as usize)?;
        let (checksum, rest) = rest.split_first_chunk::<4>()?;
        self.0 = rest;
        Some(Chunk { kind: *kind, content, checksum: u32::from_be_bytes(*checksum) })
    }
}
