//! The figures of `docs/qc-calibration.md` that hold anywhere: those of pictures made by code.

use pipeline_testkit::calibration::made_table;

const PAGE: &str = include_str!("../../docs/qc-calibration.md");

/// The cells of the table that begins with `| made scenes |`.
fn cells(text: &str) -> Vec<Vec<String>> {
    let rows = text.lines().skip_while(|line| !line.starts_with("| made scenes |"));
    let rows = rows.take_while(|line| line.starts_with('|'));
    rows.map(|row| row.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect()).collect()
}

/// Equal texts, or numbers within two parts in a hundred: scaling and JPEG round otherwise on other processors.
fn agree(one: &str, other: &str) -> bool {
    match (one.parse::<f64>(), other.parse::<f64>()) {
        (Ok(one), Ok(other)) => (one - other).abs() <= 0.02 * one.abs().max(other.abs()) + 0.002,
        _ => one == other,
    }
}

#[test]
fn the_page_says_of_made_scenes_what_is_measured() {
    let table = made_table().unwrap();
    let (found, said) = (cells(&table), cells(PAGE));
    let same = found.len() == said.len()
        && found.iter().zip(&said).all(|(found, said)| {
            found.len() == said.len() && found.iter().zip(said).all(|(found, said)| agree(found, said))
        });
    assert!(same && found.len() > 10, "the table in docs/qc-calibration.md is to be:\n{table}");
}
