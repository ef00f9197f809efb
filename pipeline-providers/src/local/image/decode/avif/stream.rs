//! The coded data of a picture, before it is decoded: its units (AV1 specification, section 5.3), and what the sequence
//! header (section 5.5) says.

use pipeline_core::error::Result;

use super::cicp::Cicp;
use super::{broken, unusual};

/// Most frames that make up a picture: as many as there can be layers.
const MAX_FRAMES: u32 = 4;

/// What the sequence header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sequence {
    /// Bits of a sample.
    pub(super) depth: u8,
    /// There is only brightness.
    pub(super) grey: bool,
    /// Colour is stored for every second pixel across, and down.
    pub(super) halved: (bool, bool),
    pub(super) cicp: Cicp,
    /// A frame may be held twice: before and after it is widened or grain is laid over it.
    pub(super) twice: bool,
}

impl Sequence {
    /// Walks the units and reads the header.
    pub(super) fn read(data: &[u8]) -> Result<Self> {
        let mut header = None;
        let mut frames = 0;
        let mut rest = data;
        while !rest.is_empty() {
            let (kind, content, after) = unit(rest).ok_or_else(|| broken("the coded data are cut off"))?;
            rest = after;
            match kind {
                1 if header.is_some() => return Err(broken("there are two sequence headers")),
                1 => header = Some(parse(Bits { bytes: content, at: 0 }).ok_or_else(|| broken("bad sequence header"))?),
                3 | 6 => frames += 1,
                8 => return Err(unusual("a list of tiles")),
                _ => {}
            }
        }
        match frames {
            0 => Err(broken("there is no frame")),
            1..=MAX_FRAMES => header.ok_or_else(|| broken("there is no sequence header")),
            _ => Err(unusual(&format!("{frames} frames in a picture"))),
        }
    }

    /// Bytes that a pixel takes in a decoded frame, and what belongs to its blocks; times two.
    pub(super) fn half_bytes(self) -> u64 {
        let samples = match (self.grey, self.halved) {
            (true, _) => 2,
            (false, (true, true)) => 3,
            (false, (true, false)) => 4,
            (false, _) => 6,
        };
        let frame = samples * if self.depth > 8 { 2 } else { 1 };
        frame * if self.twice { 2 } else { 1 } + 2
    }
}

/// Cuts off a unit: its kind and content, and what comes after it.
fn unit(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&header, mut rest) = bytes.split_first()?;
    if header & 0x80 != 0 {
        return None;
    }
    if header & 4 != 0 {
        rest = rest.get(1..)?; // which layer it belongs to
    }
    if header & 2 == 0 {
        return Some((header >> 3, rest, &[])); // to the end
    }
    let mut length = 0;
    for place in 0..8 {
        let (&byte, after) = rest.split_first()?;
        rest = after;
        length |= u64::from(byte & 0x7f) << (7 * place);
        if byte & 0x80 == 0 {
            let (content, after) = rest.split_at_checked(usize::try_from(length).ok()?)?;
            return Some((header >> 3, content, after));
        }
    }
    None
}

/// Bits one after the other, the high ones first.
struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Bits<'_> {
    fn number(&mut self, bits: u32) -> Option<u32> {
        let mut number = 0;
        for _ in 0..bits {
            let byte = self.bytes.get(self.at / 8)?;
            number = number << 1 | u32::from(byte >> (7 - self.at % 8) & 1);
            self.at += 1;
        }
        Some(number)
    }

    fn flag(&mut self) -> Option<bool> {
        Some(self.number(1)? == 1)
    }

    fn skip(&mut self, bits: u32) {
        self.at += bits as usize;
    }

    /// Skips a number of any length: as many zeros as there come bits after the one.
    fn skip_long(&mut self) -> Option<()> {
        let mut zeros = 0;
        while !self.flag()? {
            zeros += 1;
        }
        self.skip(if zeros < 32 { zeros } else { 0 });
        Some(())
    }
}

/// Reads the header in the order of section 5.5.1.
fn parse(mut bits: Bits<'_>) -> Option<Sequence> {
    let profile = bits.number(3)?;
    let _still = bits.flag()?;
    let reduced = bits.flag()?;
    if reduced {
        bits.skip(5);
    } else {
        skip_operating_points(&mut bits)?;
    }
    let (for_width, for_height) = (bits.number(4)? + 1, bits.number(4)? + 1);
    bits.skip(for_width + for_height);
    if !reduced && bits.flag()? {
        bits.skip(7); // frame numbers
    }
    bits.skip(3); // size of blocks, two filters
    if !reduced {
        skip_tools(&mut bits)?;
    }
    let widened = bits.flag()?;
    bits.skip(2); // two filters
    let mut sequence = colour(&mut bits, profile)?;
    sequence.twice = widened || bits.flag()?;
    Some(sequence)
}

/// Skips timing and operating points.
fn skip_operating_points(bits: &mut Bits<'_>) -> Option<()> {
    let mut delay = None;
    if bits.flag()? {
        bits.skip(64);
        if bits.flag()? {
            bits.skip_long()?;
        }
        if bits.flag()? {
            delay = Some(bits.number(5)? + 1);
            bits.skip(42);
        }
    }
    let display_delay = bits.flag()?;
    for _ in 0..=bits.number(5)? {
        bits.skip(12);
        if bits.number(5)? > 7 {
            bits.skip(1);
        }
        if let Some(delay) = delay
            && bits.flag()?
        {
            bits.skip(2 * delay + 1);
        }
        if display_delay && bits.flag()? {
            bits.skip(4);
        }
    }
    Some(())
}

/// Skips the tools that only pictures after the first one use.
fn skip_tools(bits: &mut Bits<'_>) -> Option<()> {
    bits.skip(4);
    let ordered = bits.flag()?;
    if ordered {
        bits.skip(2);
    }
    let screen = if bits.flag()? { 2 } else { bits.number(1)? };
    if screen > 0 && !bits.flag()? {
        bits.skip(1);
    }
    if ordered {
        bits.skip(3);
    }
    Some(())
}

/// Reads what section 5.5.2 says of the colours.
fn colour(bits: &mut Bits<'_>, profile: u32) -> Option<Sequence> {
    let depth = match (bits.flag()?, profile) {
        (false, _) => 8,
        (true, 2) => 10 + 2 * bits.number(1)? as u8,
        (true, _) => 10,
    };
    let grey = profile != 1 && bits.flag()?;
    let (primaries, transfer, matrix) =
        if bits.flag()? { (bits.number(8)? as u8, bits.number(8)? as u8, bits.number(8)? as u8) } else { (2, 2, 2) };
    let is_rgb = !grey && (primaries, transfer, matrix) == (1, 13, 0);
    let full_range = is_rgb || bits.flag()?;
    let halved = match profile {
        _ if grey => (true, true),
        _ if is_rgb => (false, false),
        0 => (true, true),
        1 => (false, false),
        _ if depth == 12 => {
            let across = bits.flag()?;
            (across, across && bits.flag()?)
        }
        _ => (true, false),
    };
    if halved == (true, true) && !grey {
        bits.skip(2); // where colour lies between the pixels
    }
    if !grey {
        bits.skip(1);
    }
    Some(Sequence { depth, grey, halved, cicp: Cicp { primaries, transfer, matrix, full_range }, twice: false })
}
