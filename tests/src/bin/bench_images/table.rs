//! The table.

use std::path::Path;

use super::Used;
use super::job::Row;
use super::peer::Sharp;

pub(crate) fn head() {
    println!(
        "\n{:<36} {:>9} {:>9} {:>7} {:>9} {:>9} {:>9} {:>8} {:>8} {:>9} {:>7} {:>6}",
        "job", "wall ms", "sharp", "times", "promised", "cpu ms", "sharp", "MB", "sharp", "floor ms", "bytes", "held"
    );
}

/// Prints a row: times as fast is by wall time, the floor is decoding and encoding alone.
pub(crate) fn row(row: &Row, ours: Used, sharp: Option<Used>) {
    let promised = row.promised.map_or("-".to_owned(), |times| format!("{times:.1}"));
    let floor = if ours.floor > 0.0 { format!("{:.0}", ours.floor) } else { "-".to_owned() };
    let Some(sharp) = sharp else {
        println!("{:<36} {:>9.1} {:>9} {:>7} {promised:>9} {:>9.1}", row.name, ours.wall, "-", "-", ours.cpu);
        return;
    };
    let times = sharp.wall / ours.wall;
    let bytes = ours.bytes as f64 / sharp.bytes as f64;
    let fast = row.promised.is_none_or(|promised| times >= promised);
    let short = row.shorter.is_none_or(|part| bytes <= 1.0 - part);
    let small = row.batch == 1 || ours.peak <= sharp.peak;
    println!(
        "{:<36} {:>9.1} {:>9.1} {times:>7.2} {promised:>9} {:>9.1} {:>9.1} {:>8.0} {:>8.0} {floor:>9} {:>6.1}% {:>6}",
        row.name,
        ours.wall,
        sharp.wall,
        ours.cpu,
        sharp.cpu,
        ours.peak,
        sharp.peak,
        100.0 * bytes,
        if fast && short && small { "yes" } else { "NO" }
    );
}

/// Prints what one picture costs with the start of the process.
pub(crate) fn cold(ours: f64, sharp: Option<&Sharp>, out: &Path, file: &Path) {
    let sharp = sharp.map_or("-".to_owned(), |sharp| format!("{:.1}", sharp.cold(out, file)));
    let held = if ours <= 60.0 { "yes" } else { "NO" };
    println!("{:<36} {ours:>9.1} {sharp:>9} {:>7} {:>9} {held:>60}", "one picture with start", "-", "60 ms");
}
