//! A job of three stages under every single fault, and under pairs of them.

use std::time::{Duration, Instant};

use pipeline_core::provider::Repeat;
use pipeline_testkit::simulation::{Fault, Options, Outcome, simulate};

const FAULTS: [Fault; 4] =
    [Fault::Error, Fault::Crash, Fault::Sleep(Duration::from_secs(20)), Fault::Delay(Duration::from_secs(1))];

/// Pairs are tried for so long; `SIMULATION_PAIRS_SECONDS` says otherwise.
const PAIRS: Duration = Duration::from_secs(10);

const REPEATS: [Repeat; 4] = [Repeat::Idempotent, Repeat::Resumable, Repeat::IdempotentResumable, Repeat::Unsafe];

fn run(repeat: Repeat, script: &[(u64, Fault)]) -> Outcome {
    let outcome = simulate(7, &Options { script: Some((repeat, script.to_vec())), ..Options::default() });
    assert_eq!(outcome.violation, None, "{repeat:?} {script:?}");
    outcome
}

#[test]
fn every_single_fault_at_every_step_is_survived() {
    let mut count = 0;
    for repeat in REPEATS {
        let steps = run(repeat, &[]).steps;
        assert!(steps > 20, "{steps}");
        for step in 0..steps {
            for fault in FAULTS {
                run(repeat, &[(step, fault)]);
                count += 1;
            }
        }
    }
    println!("{count} single faults");
}

#[test]
fn pairs_of_faults_are_survived() {
    let bound = std::env::var("SIMULATION_PAIRS_SECONDS").ok().and_then(|text| text.parse().ok());
    let (begun, bound) = (Instant::now(), bound.map_or(PAIRS, Duration::from_secs));
    let mut pairs = Vec::new();
    for repeat in REPEATS {
        let steps = run(repeat, &[]).steps;
        for first in 0..steps {
            // The second may come after what the first has caused.
            for second in first + 1..steps + 30 {
                for kinds in [(0, 0), (0, 1), (1, 0), (1, 1), (2, 1), (1, 2)] {
                    pairs.push((repeat, [(first, FAULTS[kinds.0]), (second, FAULTS[kinds.1])]));
                }
            }
        }
    }
    // A stride that has no divisor in common with most counts: what is left out when time runs short is spread evenly.
    let (all, stride) = (pairs.len(), 7_919);
    let mut done = 0;
    while done < all && begun.elapsed() < bound {
        let (repeat, script) = &pairs[done * stride % all];
        run(*repeat, script);
        done += 1;
    }
    println!("{done} of {all} pairs of faults");
}
