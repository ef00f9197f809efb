//! One band's file taken apart, and all of them put together.

use super::huffman::{Decoder, Encoder, Table};
use super::symbols::{Symbol, TABLES, Writer, read as read_symbols};

/// The second bytes of markers (ITU T.81, table B.1).
const START_OF_FRAME: u8 = 0xc0;
const TABLES_FOLLOW: u8 = 0xc4;
const START_OF_SCAN: u8 = 0xda;
const END: [u8; 2] = [0xff, 0xd9];
/// What comes before the first segment.
const START: [u8; 2] = [0xff, 0xd8];

/// A band: the symbols of its scan, and what is written before it.
pub(super) struct Scan {
    /// The segments before the scan, without tables of codes.
    segments: Vec<u8>,
    /// The segment that begins the scan.
    start: Vec<u8>,
    symbols: Vec<Symbol>,
    /// How often each symbol is there, without the first means.
    occurrences: Occurrences,
    /// Where each component's first mean stands among the symbols, and what its last one is.
    first: [usize; 3],
    last: [i32; 3],
}

/// How often each symbol of each table is there.
type Occurrences = [[u32; 256]; TABLES];

/// Takes a file with one scan apart; `None` when it is anything else.
pub(super) fn read(file: &[u8], layout: [usize; 3], units: usize) -> Option<Scan> {
    let mut rest = file.strip_prefix(&START)?;
    let mut segments = Vec::new();
    let mut tables: [Option<Table>; TABLES] = [const { None }; TABLES];
    loop {
        let [255, marker, high, low, ..] = *rest else { return None };
        let (segment, after) = rest.split_at_checked(2 + usize::from(u16::from_be_bytes([high, low])))?;
        rest = after;
        match marker {
            TABLES_FOLLOW => read_tables(segment.get(4..)?, &mut tables)?,
            START_OF_SCAN => {
                let [Some(a), Some(b), Some(c), Some(d)] = &tables else { return None };
                let decoders = [a, b, c, d].map(Decoder::new);
                let (symbols, first) = read_symbols(rest, &decoders, layout, units)?;
                let (occurrences, last) = count(&symbols, first);
                return Some(Scan { segments, start: segment.to_vec(), symbols, occurrences, first, last });
            }
            _ => segments.extend_from_slice(segment),
        }
    }
}

fn read_tables(mut bytes: &[u8], tables: &mut [Option<Table>; TABLES]) -> Option<()> {
    while let Some((place, rest)) = bytes.split_first() {
        let (counts, rest) = rest.split_first_chunk::<16>()?;
        let length = counts.iter().map(|count| usize::from(*count)).sum();
        let (values, rest) = rest.split_at_checked(length)?;
        // The upper half of the byte says details, the lower one colour.
        let table = tables.get_mut(usize::from((place & 1) * 2 + (place >> 4)))?;
        *table = Some(Table { counts: *counts, values: values.to_vec() });
        bytes = rest;
    }
    Some(())
}

/// Counts the symbols, and sums up the differences of each component. Blue and red share a table and take turns.
fn count(symbols: &[Symbol], first: [usize; 3]) -> (Occurrences, [i32; 3]) {
    let mut occurrences = [[0; 256]; TABLES];
    let mut sums = [0; 3];
    let mut colours = 0;
    for symbol in symbols {
        occurrences[symbol.table() & (TABLES - 1)][usize::from(symbol.value())] += 1;
        match symbol.table() {
            0 => sums[0] += symbol.to_difference(),
            2 => {
                sums[1 + colours % 2] += symbol.to_difference();
                colours += 1;
            }
            _ => {}
        }
    }
    for symbol in first.iter().filter_map(|at| symbols.get(*at)) {
        occurrences[symbol.table() & (TABLES - 1)][usize::from(symbol.value())] -= 1;
    }
    (occurrences, sums)
}

/// Puts bands together to a file of this height, with the best tables for all of their symbols.
pub(super) fn join(mut bands: Vec<Scan>, height: u16) -> Option<Vec<u8>> {
    // Each band was written as if nothing came before it: its first means have to be told from the last ones before.
    let mut before = [0; 3];
    let mut occurrences = [[0; 256]; TABLES];
    for band in &mut bands {
        let counted = occurrences.iter_mut().flatten().zip(band.occurrences.iter().flatten());
        counted.for_each(|(sum, count)| *sum += count);
        for (component, at) in band.first.into_iter().enumerate() {
            let symbol = band.symbols.get_mut(at)?;
            *symbol = Symbol::difference(symbol.table(), symbol.to_difference() - before[component]);
            occurrences[symbol.table() & (TABLES - 1)][usize::from(symbol.value())] += 1;
        }
        before = band.last;
    }
    let tables = occurrences.each_ref().map(Table::best);
    let mut file = head(bands.first()?, height, &tables)?;
    let encoders = tables.each_ref().map(Encoder::new);
    file.reserve(bands.iter().map(|band| band.symbols.len()).sum());
    let mut writer = Writer::after(file);
    for band in bands {
        for symbol in band.symbols {
            let (length, code) = encoders[symbol.table() & (TABLES - 1)].code(symbol.value());
            writer.put(code << symbol.length() | u32::from(symbol.bits()), length + symbol.length());
        }
    }
    let mut file = writer.finish();
    file.extend(END);
    Some(file)
}

/// Everything before the scan.
fn head(band: &Scan, height: u16, tables: &[Table; TABLES]) -> Option<Vec<u8>> {
    let mut file = START.to_vec();
    let mut rest = &band.segments[..];
    while let [255, marker, high, low, ..] = *rest {
        let (segment, after) = rest.split_at_checked(2 + usize::from(u16::from_be_bytes([high, low])))?;
        let at = file.len();
        file.extend_from_slice(segment);
        if marker == START_OF_FRAME {
            // Marker, length and precision stand before the height.
            file.get_mut(at + 5..at + 7)?.copy_from_slice(&height.to_be_bytes());
        }
        rest = after;
    }
    for (index, table) in tables.iter().enumerate() {
        file.extend([255, TABLES_FOLLOW]);
        file.extend(u16::try_from(2 + 1 + 16 + table.values.len()).ok()?.to_be_bytes());
        file.push(((index as u8 % 2) << 4) | (index as u8 / 2));
        file.extend(table.counts);
        file.extend(&table.values);
    }
    file.extend(&band.start);
    Some(file)
}
