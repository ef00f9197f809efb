//! The verdict: measurements against rules.

use pipeline_core::error::{Error, Result};
use pipeline_core::model::{Reason, Verdict};
use pipeline_core::provider::{Dimensions, QualityRules};

use super::measure::Measurements;

/// Judges measurements by rules; every rule that is broken is a reason. A value equal to the threshold is good.
///
/// A blank picture is also without sharpness and contrast; when blank pictures are refused those two are not repeated.
///
/// # Errors
/// `Invalid` for a threshold that is not a number, negative, or beyond what can be measured.
pub fn judge(found: &Measurements, rules: &QualityRules, requested: Option<Dimensions>) -> Result<Verdict> {
    check(rules)?;
    let mut reasons = Vec::new();
    let mut least = |code: &str, what: &str, found: f64, least: Option<f64>| {
        if let Some(least) = least.filter(|least| found < *least) {
            reasons.push(Reason::new(code, format!("{what} {} (at least {})", plain(found), plain(least))));
        }
    };
    let blank = rules.reject_blank && found.blank;
    if !blank {
        least("blurry", "blurry: sharpness", found.sharpness, rules.min_sharpness);
        least("low_contrast", "too little contrast: brightness spreads by", found.contrast, rules.min_contrast);
    }
    least("too_dark", "too dark: mean brightness", found.brightness, rules.min_brightness);

    let mut most = |code: &str, what: &str, found: f64, most: Option<f64>, percent: bool| {
        if let Some(most) = most.filter(|most| found > *most) {
            let text = |value: f64| if percent { format!("{}%", plain(value * 100.0)) } else { plain(value) };
            reasons.push(Reason::new(code, format!("{what} {} (at most {})", text(found), text(most))));
        }
    };
    most("too_bright", "too bright: mean brightness", found.brightness, rules.max_brightness, false);
    most("clipped", "clipped: pure black or white pixels", found.clipping, rules.max_clipping, true);
    most("noisy", "noisy: noise", found.noise, rules.max_noise, false);
    most("letterbox", "letterboxed: bars take", found.letterbox, rules.max_letterbox, true);

    if blank {
        reasons.push(Reason::new("blank", "blank: the picture is of one colour (at least two are needed)"));
    }
    let side = found.width.min(found.height);
    if let Some(least) = rules.min_side.filter(|least| side < *least) {
        reasons.push(Reason::new("too_small", format!("too small: shorter side {side} pixels (at least {least})")));
    }
    if let (Some(most), Some(wanted)) = (rules.max_aspect_error, requested)
        && found.aspect_error > most
    {
        let (off, most) = (plain(found.aspect_error * 100.0), plain(most * 100.0));
        reasons.push(Reason::new(
            "wrong_aspect",
            format!(
                "wrong aspect: {}x{} is {off}% off the requested {wanted} (at most {most}%)",
                found.width, found.height
            ),
        ));
    }
    Ok(if reasons.is_empty() { Verdict::Pass } else { Verdict::Fail { reasons } })
}

/// A number for people: one digit behind the point where it matters.
fn plain(value: f64) -> String {
    let text = if value.abs() < 10.0 { format!("{value:.2}") } else { format!("{value:.1}") };
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn check(rules: &QualityRules) -> Result<()> {
    let thresholds = [
        ("min_sharpness", rules.min_sharpness, f64::MAX),
        ("min_brightness", rules.min_brightness, 255.0),
        ("max_brightness", rules.max_brightness, 255.0),
        ("max_clipping", rules.max_clipping, 1.0),
        ("min_contrast", rules.min_contrast, 128.0),
        ("max_noise", rules.max_noise, f64::MAX),
        ("max_letterbox", rules.max_letterbox, 1.0),
        ("max_aspect_error", rules.max_aspect_error, 1.0),
    ];
    for (rule, threshold, most) in thresholds {
        if let Some(value) = threshold.filter(|value| !(0.0..=most).contains(value)) {
            let accepted = if most == f64::MAX { "0 or more".to_owned() } else { format!("0 to {most}") };
            return Err(Error::invalid("a quality rule is out of range")
                .with("rule", rule)
                .with("value", value)
                .with("accepted", accepted));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: Measurements = Measurements {
        sharpness: 500.0,
        brightness: 120.0,
        contrast: 50.0,
        noise: 3.0,
        clipping: 0.01,
        blank: false,
        letterbox: 0.0,
        width: 1024,
        height: 1024,
        aspect_error: 0.0,
    };

    fn reasons(found: &Measurements) -> Vec<(String, String)> {
        let requested = Some(Dimensions { width: 1024, height: 1024 });
        match judge(found, &QualityRules::default(), requested).unwrap() {
            Verdict::Fail { reasons } => reasons.into_iter().map(|reason| (reason.code, reason.message)).collect(),
            _ => Vec::new(),
        }
    }

    #[test]
    fn a_good_picture_passes() {
        assert_eq!(judge(&GOOD, &QualityRules::default(), None).unwrap(), Verdict::Pass);
    }

    #[test]
    fn each_rule_gives_its_own_reason_and_no_other() {
        let cases = [
            (Measurements { sharpness: 4.25, ..GOOD }, "blurry", "blurry: sharpness 4.25 (at least "),
            (Measurements { brightness: 12.0, ..GOOD }, "too_dark", "too dark: mean brightness 12 (at least 20)"),
            (Measurements { brightness: 250.0, ..GOOD }, "too_bright", "too bright: mean brightness 250 (at most "),
            (Measurements { clipping: 0.9, ..GOOD }, "clipped", "clipped: pure black or white pixels 90% (at most "),
            (Measurements { contrast: 2.0, ..GOOD }, "low_contrast", "too little contrast: brightness spreads by 2 "),
            (Measurements { noise: 40.0, ..GOOD }, "noisy", "noisy: noise 40 (at most "),
            (Measurements { letterbox: 0.25, ..GOOD }, "letterbox", "letterboxed: bars take 25% (at most "),
            (Measurements { width: 100, ..GOOD }, "too_small", "too small: shorter side 100 pixels (at least 256)"),
            (
                Measurements { width: 2048, aspect_error: 1.0, ..GOOD },
                "wrong_aspect",
                "wrong aspect: 2048x1024 is 100% off the requested 1024x1024 (at most 2%)",
            ),
            (Measurements { blank: true, contrast: 0.0, sharpness: 0.0, ..GOOD }, "blank", "blank: "),
        ];
        for (found, code, message) in cases {
            let reasons = reasons(&found);
            assert_eq!(reasons.len(), 1, "{code}: {reasons:?}");
            assert_eq!(reasons[0].0, code);
            assert!(reasons[0].1.starts_with(message), "{}", reasons[0].1);
        }
    }

    #[test]
    fn a_rule_that_is_absent_is_not_applied() {
        let none = QualityRules {
            min_sharpness: None,
            min_brightness: None,
            max_brightness: None,
            max_clipping: None,
            min_contrast: None,
            max_noise: None,
            reject_blank: false,
            max_letterbox: None,
            min_side: None,
            max_aspect_error: None,
        };
        let awful = Measurements { sharpness: 0.0, brightness: 0.0, contrast: 0.0, blank: true, width: 1, ..GOOD };
        assert_eq!(judge(&awful, &none, None).unwrap(), Verdict::Pass);
    }

    #[test]
    fn a_value_at_its_threshold_is_good() {
        let rules = QualityRules::default();
        let found = Measurements { brightness: rules.min_brightness.unwrap(), ..GOOD };
        assert_eq!(judge(&found, &rules, None).unwrap(), Verdict::Pass);
    }

    #[test]
    fn a_threshold_that_makes_no_sense_is_an_error() {
        for value in [f64::NAN, -1.0, 300.0] {
            let rules = QualityRules { min_brightness: Some(value), ..QualityRules::default() };
            let error = judge(&GOOD, &rules, None).unwrap_err();
            assert!(error.to_string().contains("rule=min_brightness"), "{error}");
        }
    }
}
