//! The page about the quality measures says what the code does.

use pipeline_core::provider::QualityRules;
use pipeline_testkit::calibration::made_table;
use serde_json::Value;

const PAGE: &str = include_str!("../../docs/qc-calibration.md");

#[test]
fn the_figures_of_made_scenes_are_those_of_the_page() {
    let table = made_table().unwrap();
    assert!(table.lines().count() > 10);
    for line in table.lines() {
        assert!(PAGE.lines().any(|known| known == line), "not on the page: {line}");
    }
}

#[test]
fn every_rule_stands_on_the_page_with_its_default() {
    let rules = serde_json::to_value(QualityRules::default()).unwrap();
    for (rule, default) in rules.as_object().unwrap() {
        let default = match default {
            Value::Null => "off".to_owned(),
            Value::Bool(true) => "on".to_owned(),
            other => other.as_f64().unwrap().to_string(),
        };
        let row = PAGE.lines().find(|line| line.starts_with(&format!("| `{rule}` |")));
        let cell = row.and_then(|row| row.split('|').nth(2)).map(str::trim);
        assert_eq!(cell, Some(default.as_str()), "{rule}");
    }
}
