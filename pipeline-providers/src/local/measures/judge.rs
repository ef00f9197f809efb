//! The verdict: measurements against rules.

use pipeline_core::error::{Error, Result};
use pipeline_core::model::{Reason, Verdict};
use pipeline_core::provider::{Dimensions, QualityRules};

use super::measure::Measurements;

/// Judges measurements by rules; every rule that is broken is a reason. A value equal to the threshold is good, and a
/// measure that is absent breaks no rule.
///
/// A blank picture is also without sharpness, contrast and entropy; when blank pictures are refused those are not repeated.
///
/// # Errors
/// `Invalid` for a threshold that is not a number, negative, or beyond what can be measured.
pub fn judge(found: &Measurements, rules: &QualityRules, requested: Option<Dimensions>) -> Result<Verdict> {
    check(rules)?;
    let mut reasons = Vec::new();
    let mut least = |code: &str, what: &str, found: Option<f64>, least: Option<f64>| {
        if let (Some(found), Some(least)) = (found, least)
            && found < least
        {
            reasons.push(Reason::new(code, format!("{what} {} (at least {})", plain(found), plain(least))));
        }
    };
    let blank = rules.reject_blank && found.blank;
    if !blank {
        least("blurry", "blurry: sharpness", found.sharpness, rules.min_sharpness);
        least("low_contrast", "too little contrast: brightness spreads by", found.contrast, rules.min_contrast);
        least("low_entropy", "too few tones: bits of entropy", found.entropy, rules.min_entropy);
    }
    least("too_dark", "too dark: mean brightness", found.brightness, rules.min_brightness);
    least("colorless", "too little colour: colourfulness", found.colorfulness, rules.min_colorfulness);
    least("too_few_pixels", "too small: megapixels", Some(found.megapixels), rules.min_megapixels);

    let mut most = |code: &str, what: &str, found: Option<f64>, most: Option<f64>, percent: bool| {
        if let (Some(found), Some(most)) = (found, most)
            && found > most
        {
            let text = |value: f64| if percent { format!("{}%", plain(value * 100.0)) } else { plain(value) };
            reasons.push(Reason::new(code, format!("{what} {} (at most {})", text(found), text(most))));
        }
    };
    let (shadows, highlights) = (found.clipped_shadows, found.clipped_highlights);
    most("too_bright", "too bright: mean brightness", found.brightness, rules.max_brightness, false);
    most("clipped", "clipped: black or white pixels", found.clipping, rules.max_clipping, true);
    most("clipped_shadows", "clipped shadows: black pixels", shadows, rules.max_clipped_shadows, true);
    most("clipped_highlights", "clipped highlights: white pixels", highlights, rules.max_clipped_highlights, true);
    most("noisy", "noisy: noise", found.noise, rules.max_noise, false);
    most("blocky", "blocky: the grid of compression stands out by", found.blockiness, rules.max_blockiness, true);
    most("letterbox", "letterboxed: bars take", found.letterbox, rules.max_letterbox, true);
    most("unnatural", "unnatural: BRISQUE", found.brisque, rules.max_brisque, false);

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
        ("max_clipped_shadows", rules.max_clipped_shadows, 1.0),
        ("max_clipped_highlights", rules.max_clipped_highlights, 1.0),
        ("min_contrast", rules.min_contrast, 128.0),
        ("min_entropy", rules.min_entropy, 8.0),
        ("min_colorfulness", rules.min_colorfulness, f64::MAX),
        ("max_noise", rules.max_noise, f64::MAX),
        ("max_blockiness", rules.max_blockiness, 1.0),
        ("max_brisque", rules.max_brisque, 100.0),
        ("max_letterbox", rules.max_letterbox, 1.0),
        ("min_megapixels", rules.min_megapixels, f64::MAX),
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
        sharpness: Some(500.0),
        brightness: Some(120.0),
        contrast: Some(50.0),
        noise: Some(3.0),
        clipping: Some(0.01),
        clipped_shadows: Some(0.01),
        clipped_highlights: Some(0.0),
        entropy: Some(7.0),
        colorfulness: Some(40.0),
        blockiness: Some(0.01),
        brisque: Some(20.0),
        blank: false,
        letterbox: Some(0.0),
        width: 1024,
        height: 1024,
        megapixels: 1.0486,
        aspect: 1.0,
        aspect_error: 0.0,
    };

    fn reasons(found: &Measurements, rules: &QualityRules) -> Vec<(String, String)> {
        let requested = Some(Dimensions { width: 1024, height: 1024 });
        match judge(found, rules, requested).unwrap() {
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
        let rules = QualityRules {
            max_clipped_shadows: Some(0.2),
            max_clipped_highlights: Some(0.2),
            min_entropy: Some(3.0),
            min_colorfulness: Some(5.0),
            max_blockiness: Some(0.2),
            max_brisque: Some(60.0),
            min_megapixels: Some(0.5),
            ..QualityRules::default()
        };
        let cases = [
            (Measurements { sharpness: Some(1.25), ..GOOD }, "blurry", "blurry: sharpness 1.25 (at least "),
            (Measurements { brightness: Some(2.0), ..GOOD }, "too_dark", "too dark: mean brightness 2 (at least "),
            (
                Measurements { brightness: Some(254.0), ..GOOD },
                "too_bright",
                "too bright: mean brightness 254 (at most ",
            ),
            (Measurements { clipping: Some(0.95), ..GOOD }, "clipped", "clipped: black or white pixels 95% (at most "),
            (
                Measurements { clipped_shadows: Some(0.3), ..GOOD },
                "clipped_shadows",
                "clipped shadows: black pixels 30% (at most 20%)",
            ),
            (
                Measurements { clipped_highlights: Some(0.205), ..GOOD },
                "clipped_highlights",
                "clipped highlights: white pixels 20.5% (at most 20%)",
            ),
            (
                Measurements { contrast: Some(1.0), ..GOOD },
                "low_contrast",
                "too little contrast: brightness spreads by 1 ",
            ),
            (
                Measurements { entropy: Some(2.5), ..GOOD },
                "low_entropy",
                "too few tones: bits of entropy 2.5 (at least 3)",
            ),
            (
                Measurements { colorfulness: Some(0.5), ..GOOD },
                "colorless",
                "too little colour: colourfulness 0.5 (at least 5)",
            ),
            (Measurements { noise: Some(40.0), ..GOOD }, "noisy", "noisy: noise 40 (at most "),
            (
                Measurements { blockiness: Some(0.5), ..GOOD },
                "blocky",
                "blocky: the grid of compression stands out by 50% (at most 20%)",
            ),
            (Measurements { brisque: Some(75.0), ..GOOD }, "unnatural", "unnatural: BRISQUE 75 (at most 60)"),
            (Measurements { letterbox: Some(0.25), ..GOOD }, "letterbox", "letterboxed: bars take 25% (at most "),
            (Measurements { width: 100, ..GOOD }, "too_small", "too small: shorter side 100 pixels (at least 256)"),
            (Measurements { megapixels: 0.25, ..GOOD }, "too_few_pixels", "too small: megapixels 0.25 (at least 0.5)"),
            (
                Measurements { width: 2048, aspect_error: 1.0, ..GOOD },
                "wrong_aspect",
                "wrong aspect: 2048x1024 is 100% off the requested 1024x1024 (at most 2%)",
            ),
            (
                Measurements { blank: true, contrast: Some(0.0), sharpness: Some(0.0), entropy: Some(0.0), ..GOOD },
                "blank",
                "blank: ",
            ),
        ];
        for (found, code, message) in cases {
            let reasons = reasons(&found, &rules);
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
            max_clipped_shadows: None,
            max_clipped_highlights: None,
            min_contrast: None,
            min_entropy: None,
            min_colorfulness: None,
            max_noise: None,
            max_blockiness: None,
            max_brisque: None,
            reject_blank: false,
            max_letterbox: None,
            min_side: None,
            min_megapixels: None,
            max_aspect_error: None,
        };
        let awful = Measurements {
            sharpness: Some(0.0),
            brightness: Some(0.0),
            contrast: Some(0.0),
            blank: true,
            width: 1,
            ..GOOD
        };
        assert_eq!(judge(&awful, &none, None).unwrap(), Verdict::Pass);
    }

    #[test]
    fn a_measure_that_is_absent_breaks_no_rule() {
        let rules = QualityRules {
            min_sharpness: Some(1e6),
            min_brightness: Some(250.0),
            max_brightness: Some(0.0),
            max_clipping: Some(0.0),
            min_contrast: Some(100.0),
            max_noise: Some(0.0),
            max_brisque: Some(0.0),
            ..QualityRules::default()
        };
        assert_eq!(reasons(&GOOD, &rules).len(), 7);
        let none = Measurements {
            sharpness: None,
            brightness: None,
            contrast: None,
            noise: None,
            clipping: None,
            clipped_shadows: None,
            clipped_highlights: None,
            entropy: None,
            colorfulness: None,
            blockiness: None,
            brisque: None,
            letterbox: None,
            ..GOOD
        };
        assert_eq!(reasons(&none, &rules), []);
    }

    #[test]
    fn a_value_at_its_threshold_is_good() {
        let rules = QualityRules::default();
        let found = Measurements { brightness: rules.min_brightness, ..GOOD };
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
