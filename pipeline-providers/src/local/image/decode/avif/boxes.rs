//! The boxes of an ISO base media file (ISO/IEC 14496-12, section 4.2), and the numbers in them.

use pipeline_core::error::Result;

use super::broken;

/// A kind and a content.
pub(super) type Boxed<'a> = (&'a [u8; 4], &'a [u8]);

/// Cuts boxes apart: a length, a kind, the content.
pub(super) fn boxes(mut rest: &[u8]) -> impl Iterator<Item = Result<Boxed<'_>>> {
    let mut failed = false;
    std::iter::from_fn(move || {
        if rest.is_empty() || failed {
            return None;
        }
        let cut = cut_one(rest);
        match cut {
            Some((found, after)) => {
                rest = after;
                Some(Ok(found))
            }
            None => {
                failed = true;
                Some(Err(broken("a box is longer than what it lies in")))
            }
        }
    })
}

/// Finds the first box of a kind; all boxes have to be whole.
pub(super) fn find(bytes: &[u8], wanted: [u8; 4]) -> Result<Option<&[u8]>> {
    let mut found = None;
    for each in boxes(bytes) {
        let (kind, content) = each?;
        if *kind == wanted && found.is_none() {
            found = Some(content);
        }
    }
    Ok(found)
}

fn cut_one(bytes: &[u8]) -> Option<(Boxed<'_>, &[u8])> {
    let mut fields = Fields(bytes);
    let short = fields.number(4)?;
    let (kind, _) = fields.0.split_first_chunk::<4>()?;
    fields.take(4)?;
    let length = match short {
        0 => bytes.len(), // to the end
        1 => fields.number(8)?.try_into().ok()?,
        length => length as usize,
    };
    let content = length.checked_sub(bytes.len() - fields.0.len())?;
    Some(((kind, fields.take(content)?), fields.0))
}

/// Fields one after the other, numbers with the high byte first.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fields<'a>(pub(super) &'a [u8]);

impl<'a> Fields<'a> {
    /// Begins a box that has a version and flags, and returns both.
    pub(super) fn versioned(content: &'a [u8]) -> Option<(Self, u64, u64)> {
        let mut fields = Self(content);
        let (version, flags) = (fields.number(1)?, fields.number(3)?);
        Some((fields, version, flags))
    }

    pub(super) fn take(&mut self, bytes: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(bytes)?;
        self.0 = rest;
        Some(taken)
    }

    /// A number of 0 to 8 bytes.
    pub(super) fn number(&mut self, bytes: usize) -> Option<u64> {
        Some(self.take(bytes)?.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }
}
