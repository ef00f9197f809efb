//! Conditions parsed, checked and evaluated.

use proptest::prelude::*;
use serde_json::json;

use super::*;

fn scope() -> Scope {
    Scope::new()
        .variable(
            "qc",
            &json!({"type": "object", "properties": {
                "score": {"type": "number"}, "verdict": {"type": "string"}, "passed": {"type": "boolean"},
                "tags": {"type": "array", "items": {"type": "string"}}, "width": {"type": ["integer", "null"]},
                "size": {"type": "object", "properties": {"w": {"type": "integer"}}}, "raw": true,
            }}),
            false,
        )
        .variable("item", &json!({"type": "object", "properties": {"keyword": {"type": "string"}}}), true)
}

fn facts() -> Facts {
    [
        (
            "qc".to_owned(),
            json!({"score": 0.5, "whole": 1, "tags": ["cat"], "verdict": "pass", "none": null, "passed": true}),
        ),
        ("item".to_owned(), json!({"keyword": "red car"})),
    ]
    .into()
}

#[test]
fn sound_conditions_pass_the_check() {
    for source in [
        "qc.score > 0",
        "qc.score >= 0.5 && qc.verdict == 'pass'",
        "qc.width != null && qc.width * 2 > 10",
        "'cat' in qc.tags || size(qc.tags) == 0",
        "qc.tags.exists(t, t.startsWith('c'))",
        "qc.tags.map(t, size(t)).all(n, n > 1)",
        "qc.tags.filter(t, t != 'x').size() > 0",
        "qc.tags.exists_one(t, t == 'a')",
        "item.anything == 3 || item.keyword.contains('car')",
        "has(qc.width) ? qc.passed : !qc.passed",
        "qc.size.w - 1 < 3",
        "qc['score'] < 1.0",
        "qc.raw",
        "qc.verdict + 'x' == 'passx'",
        "type(qc.raw) == int",
    ] {
        assert_eq!(Condition::parse(source).unwrap().check(&scope()), Ok(()), "{source}");
    }
}

#[test]
fn unsound_conditions_are_refused_with_the_reason() {
    for (source, message, hint) in [
        ("qd.score > 0", "unknown variable `qd`", "did you mean `qc`?"),
        ("qc.scor > 0", "`qc` has no field `scor`", "did you mean `score`?"),
        ("has(qc.scor)", "`qc` has no field `scor`", "score"),
        ("qc['scor'] > 0", "`qc` has no field `scor`", "score"),
        ("qc.size.h > 0", "`qc.size` has no field `h`", "`w`"),
        ("qc.score > '0.5'", "a number cannot be compared with a text", "without quotes"),
        ("qc.verdict == 1", "a text never equals a number", ""),
        ("qc.score", "the condition gives a number, not true or false", ""),
        ("qc.score && true", "`&&` needs true or false, not a number", ""),
        ("qc.verdict - 'x' == 'y'", "`-` does not go with a text", ""),
        ("qc.passed + 1 > 1", "`+` does not go with true or false", ""),
        ("-qc.verdict == 'x'", "`-` does not go with a text", ""),
        ("sizze(qc.tags) > 1", "unknown function `sizze`", "did you mean `size`?"),
        ("qc.tags.contains('cat')", "`contains` needs texts, not a list", "value in list"),
        ("1 in qc.tags", "a number is never in a list of a text", ""),
        ("qc.tags.exists(t, t > 1)", "a text cannot be compared with a number", ""),
        ("qc.score.exists(t, true)", "a number is not a list", ""),
        ("qc.score.x == 1", "a number has no fields such as `x`", ""),
    ] {
        let problems = Condition::parse(source).unwrap().check(&scope()).unwrap_err();
        let found = problems.iter().find(|problem| problem.message.contains(message));
        let found = found.unwrap_or_else(|| panic!("{source}: {problems:?}"));
        assert!(found.hint.as_deref().unwrap_or_default().contains(hint), "{source}: {found:?}");
    }
}

#[test]
fn whole_and_broken_numbers_compare_and_calculate_together() {
    for (source, expected) in [
        ("qc.score > 0", true),
        ("qc.whole > 0", true),
        ("qc.whole > 0.5", true),
        ("qc.whole == 1.0", true),
        ("qc.score * 2 == 1", true),
        ("qc.score + qc.whole > 1", true),
        ("(1 - qc.score) / 2 < 1", true),
        ("qc.whole % 2 == 1", true),
        ("qc.none == null", true),
        ("'cat' in qc.tags && qc.tags.map(t, t + 's') == ['cats']", true),
        ("item.keyword.matches('^red')", true),
        ("has(qc.missing)", false),
        ("false && qc.missing", false),
    ] {
        assert_eq!(Condition::parse(source).unwrap().evaluate(&facts()), Ok(expected), "{source}");
    }
}

#[test]
fn what_cannot_be_answered_is_an_error_and_never_false() {
    for (source, message) in [
        ("qc.missing > 0", "there is no field `missing`"),
        ("other.score > 0", "there is no `other`"),
        ("qc.score", "neither true nor false"),
        ("qc.none > 1", ""),
        ("qc.verdict > 1", ""),
        ("qc.whole / 0 == 1", "division by zero"),
        ("qc.tags[3] == 'x'", ""),
        ("qc.passed * 2 == 2", ""),
        ("9223372036854775807 + qc.whole > 0", "too large"),
    ] {
        let error = Condition::parse(source).unwrap().evaluate(&facts()).unwrap_err();
        assert!(error.0.contains(message), "{source}: {error}");
        assert!(!error.0.contains("pipeline_"), "{source}: {error}");
    }
}

#[test]
fn references_leave_out_what_the_expression_binds_itself() {
    let condition = Condition::parse("qc.tags.all(t, t != item.keyword) && qc.score > 0").unwrap();
    assert_eq!(condition.references(), ["item", "qc"]);
    assert_eq!(condition.paths(), ["item.keyword", "qc.score", "qc.tags"]);
}

#[test]
fn syntax_errors_say_where_and_hostile_sizes_are_refused() {
    let error = Condition::parse("qc.score >").unwrap_err();
    assert!(error.0.starts_with("syntax error at column"), "{error}");
    for source in [
        String::new(),
        "   ".to_owned(),
        "a".repeat(3000),
        format!("{}1{}", "(".repeat(17), ")".repeat(17)),
        format!("{}1", "-".repeat(500)),
        format!("{}a", "!".repeat(1000)),
        format!("a{}", "+a".repeat(600)),
        format!("a{}", ".b".repeat(900)),
        "'".to_owned(),
        "a ==== b".to_owned(),
    ] {
        assert!(Condition::parse(&source).is_err(), "{source}");
    }
}

#[test]
fn what_is_just_allowed_does_not_exhaust_the_stack() {
    for source in [
        format!("{}1 == 1{}", "(".repeat(16), ")".repeat(16)),
        format!("{}1{} == 1", "[".repeat(16), "]".repeat(16)),
        format!("{}a{}", "!(".repeat(16), ")".repeat(16)),
        format!("{}true{}", "(true ? ".repeat(16), " : false)".repeat(16)),
        format!("{}1{} == 1", "size(".repeat(16), ")".repeat(16)),
        format!("{}true", "true ? true : ".repeat(60)),
        format!("{}true", "!".repeat(150)),
        format!("{}1 > 0", "- ".repeat(90)),
        format!("1{} > 0", " + 1".repeat(150)),
        format!("true{}", " && true".repeat(78)),
        format!("a{} == 1", ".b".repeat(150)),
        format!("a{} == 1", "[0]".repeat(150)),
        format!("a{} == 1", ".f()".repeat(70)),
        format!("1{}", " in a".repeat(150)),
        format!("{}true", "a ? ".repeat(150)),
        format!("'\\q{}'", "[0]".repeat(150)),
        format!("( // )\n{}", "( // )\n".repeat(100)),
        format!("{}true{}", "[1].all(x, ".repeat(15), ")".repeat(15)),
    ] {
        if let Ok(condition) = Condition::parse(&source) {
            let _ = condition.check(&scope());
            let _ = condition.evaluate(&facts());
            let _ = condition.references();
        }
    }
}

#[test]
fn a_condition_is_its_source_in_json_and_can_be_shared() {
    fn shared<T: Send + Sync + Clone>(_: &T) {}
    let condition = Condition::parse("qc.score > 0").unwrap();
    shared(&condition);
    assert_eq!(serde_json::to_value(&condition).unwrap(), json!("qc.score > 0"));
    let read: Condition = serde_json::from_value(json!("qc.score > 0")).unwrap();
    assert_eq!(read, condition);
    assert_eq!(read.evaluate(&facts()), Ok(true));
    let broken: Condition = serde_json::from_value(json!("qc.score >")).unwrap();
    assert!(broken.evaluate(&facts()).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn no_text_makes_a_condition_panic(source in "\\PC{0,80}") {
        if let Ok(condition) = Condition::parse(&source) {
            let _ = condition.check(&scope());
            let _ = condition.evaluate(&facts());
        }
    }

    #[test]
    fn no_arrangement_of_tokens_makes_a_condition_panic(
        tokens in prop::collection::vec(prop::sample::select(vec![
            "qc", ".", "score", "(", ")", "[", "]", "{", "}", "'a'", "1", "0.5", "+", "-", "*", "/", "%", "==", "<",
            "&&", "||", "!", "?", ":", "in", ",", "size", "all", "x", "null", "true", "has", "1u", "b'x'", "qc.tags.map(x,",
        ]), 0..40)
    ) {
        if let Ok(condition) = Condition::parse(&tokens.join(" ")) {
            let _ = condition.check(&scope());
            let _ = condition.evaluate(&facts());
        }
    }
}

#[test]
fn what_a_condition_saw_are_the_fields_it_uses_and_long_ones_are_shortened() {
    let facts: Facts = [
        ("qc".to_owned(), json!({"score": 0.25, "text": "é".repeat(300), "other": true})),
        ("item".to_owned(), json!({"keyword": "cat"})),
    ]
    .into();
    let condition = Condition::parse("qc.score > 0.5 && qc.text != item.keyword && qc.missing == 1").unwrap();
    let saw = condition.seen(&facts);
    assert_eq!(saw.keys().collect::<Vec<_>>(), ["item.keyword", "qc.score", "qc.text"]);
    assert_eq!((&saw["qc.score"], &saw["item.keyword"]), (&json!(0.25), &json!("cat")));
    assert_eq!(saw["qc.text"], json!(format!("{}…", "é".repeat(200))));
}
