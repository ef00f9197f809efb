//! Many histories, and the corpus of those that once failed.

use pipeline_testkit::simulation::{Campaign, Options, simulate};

/// Seeds that once broke an invariant, one a line, with what it was.
const CORPUS: &str = include_str!("corpus.txt");

/// How many histories a plain test run makes.
const HISTORIES: u64 = 10_000;

#[test]
fn ten_thousand_histories_break_no_invariant_and_reach_every_rare_state() {
    let report = Campaign { seed: 1, histories: HISTORIES, options: Options::default() }.run();
    println!("{report}");
    assert!(report.failed.is_empty(), "{report}");
    assert!(report.tally.missed().is_empty(), "never reached: {:?}", report.tally.missed());
}

#[test]
fn a_seed_that_once_failed_fails_no_more() {
    for line in CORPUS.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let seed = line.split_whitespace().next().and_then(|seed| seed.parse().ok());
        let seed = seed.unwrap_or_else(|| panic!("`{line}` does not begin with a seed"));
        let outcome = simulate(seed, &Options::default());
        assert_eq!(outcome.violation, None, "{line}");
    }
}

#[test]
fn the_same_seed_gives_the_same_history_to_the_letter() {
    let options = Options { told: true, ..Options::default() };
    for seed in 900..905 {
        let (first, second) = (simulate(seed, &options), simulate(seed, &options));
        assert_eq!(first.lines, second.lines, "seed {seed}");
        assert_eq!(first.trace, second.trace, "seed {seed}");
    }
    assert_ne!(simulate(1, &options).trace, simulate(2, &options).trace);
}
