//! Budgets, calls and spending on the command line; what needs a vendor is tested in `tests/tests/ledger/money.rs`.

use serde_json::{Value, json};

use crate::bench::{Bench, stderr};

#[test]
fn an_amount_that_is_none_is_refused_in_one_sentence_and_makes_nothing() {
    let bench = Bench::new();
    let keywords = bench.write("keywords.txt", "a");
    for (amount, word) in [
        ("-1", "negative"),
        ("0", "nothing"),
        ("NaN", "not a number"),
        ("0.0000001", "finer"),
        ("99999999", "too large"),
    ] {
        for option in ["--budget", "--max-cost"] {
            let output = bench.run(&["run", "factory", "-i", &keywords, option, amount]);
            assert_eq!(output.status.code(), Some(2), "{amount}");
            let said = stderr(&output);
            assert!(said.contains(word) && said.contains(option) && said.contains("accepted"), "{said}");
        }
        let output = bench.run(&["budgets", "set", "ann", amount]);
        assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    }
    assert!(
        !bench.home().join("pipeline.db").exists() || bench.answer(0, &["jobs", "list", "-o", "json"]) == json!([])
    );
}

#[test]
fn budgets_are_set_shown_raised_and_taken_away() {
    let bench = Bench::new();
    let id = bench.submit(1, &["--budget", "5.00"]);
    let stands = |amount: i64| {
        json!({
            "budget": format!("job:{id}"), "amount_micros": amount, "spent_micros": 0, "reserved_micros": 0,
            "left_micros": amount, "closed": false, "wants_micros": null, "unpriced": false,
        })
    };
    assert_eq!(bench.job(&id)["budget"], stands(5_000_000));
    assert_eq!(bench.answer(0, &["jobs", "budget", &id, "$7.5", "-o", "json"]), stands(7_500_000));
    let owner = bench.answer(0, &["budgets", "set", "system", "100", "-o", "json"]);
    assert_eq!((&owner["budget"], &owner["amount_micros"]), (&json!("owner:system"), &json!(100_000_000)));
    let all = bench.answer(0, &["budgets", "list", "-o", "json"]);
    assert_eq!(all, json!([stands(7_500_000), owner]));
    assert_eq!(bench.answer(0, &["budgets", "set", "system", "none", "-o", "json"]), Value::Null);
    // What costs nothing needs no money.
    bench.answer(0, &["worker", "--drain", "-o", "json"]);
    assert_eq!(bench.job(&id)["status"], "completed");
    let output = bench.run(&["jobs", "budget", &id, "8"]);
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    assert!(stderr(&output).contains("has ended"), "{}", stderr(&output));
}

#[test]
fn calls_and_spending_are_empty_where_nothing_was_bought_and_wrong_requests_are_refused() {
    let bench = Bench::new();
    bench.submit(1, &[]);
    assert_eq!(bench.answer(0, &["calls", "list", "-o", "json"]), json!([]));
    assert_eq!(bench.answer(0, &["spend", "--by", "day", "--since", "2026-11-01", "-o", "json"]), json!([]));
    let call = "01a2193b-431f-72bd-aeb8-a0f659555ef3";
    let wrong: [(&[&str], &str); 6] = [
        (&["calls", "show", call], "there is no call"),
        (&["calls", "show", "first"], "there is no call"),
        (&["calls", "resolve", call], "--give-up"),
        (&["calls", "resolve", call, "--repeat", "--give-up"], "cannot be used with"),
        (&["calls", "list", "--state", "lost"], "lost"),
        (&["spend", "--since", "yesterday"], "--since"),
    ];
    for (arguments, word) in wrong {
        let output = bench.run(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", stderr(&output));
        assert!(stderr(&output).contains(word), "no {word}: {}", stderr(&output));
    }
}

#[test]
fn a_dry_run_says_when_the_budget_is_short_and_an_unknown_price_needs_a_bound() {
    let bench = Bench::new();
    let keywords = bench.write("keywords.txt", "a\nb\nc");
    let section = "[providers.studio]\nkind = \"http\"\nurl = \"http://127.0.0.1:9\"\n";
    let priced = bench.write("priced.toml", format!("{section}price = 0.04\n"));
    let unpriced = bench.write("unpriced.toml", section);
    let bounded = bench.write("bounded.toml", format!("{section}max_cost = 0.5\n"));
    let run = |file: &str, more: &[&str]| {
        let base =
            ["--providers", file, "run", "factory", "-i", &keywords, "--set", "generate.provider=studio", "--dry-run"];
        bench.run(&[&base[..], more].concat())
    };
    let short = "is less than it may cost";
    assert!(stderr(&run(&priced, &["--budget", "0.11"])).contains(short));
    assert!(!stderr(&run(&priced, &["--budget", "0.12"])).contains(short));
    let output = run(&unpriced, &["--budget", "5"]);
    assert_eq!(output.status.code(), Some(2));
    let said = stderr(&output);
    assert!(["generate", "studio", "--max-cost", "max_cost"].iter().all(|word| said.contains(word)), "{said}");
    assert_eq!(run(&unpriced, &[]).status.code(), Some(0), "without a budget nobody needs to know");
    assert_eq!(run(&unpriced, &["--budget", "5", "--max-cost", "0.2"]).status.code(), Some(0));
    assert_eq!(run(&bounded, &["--budget", "5"]).status.code(), Some(0));
}
