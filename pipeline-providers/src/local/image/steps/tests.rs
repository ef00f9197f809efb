//! Tests of lists of steps.

use pipeline_core::provider::{Anchor, ResizeFit, ResizeKernel, TrimBorder};

use super::*;

const SIZE: Dimensions = Dimensions { width: 40, height: 30 };

fn picture() -> Picture {
    let pixels =
        (0..40 * 30_u32).flat_map(|n| [(80 + n % 40 * 2) as u8, (90 + n / 40 * 2) as u8, (100 + n % 7 * 5) as u8]);
    Picture::rgb(SIZE, pixels.collect()).unwrap()
}

fn bench<'a>(overlays: &'a [Result<Picture>], soft: &'a [ProcessPart]) -> Workbench<'a> {
    Workbench {
        limits: Limits { max_side: 64, max_pixels: 4096, ..Limits::DEFAULT },
        threads: Threads::ONE,
        overlays,
        soft,
    }
}

fn run(steps: &[ProcessStep], soft: &[ProcessPart]) -> Result<(Picture, Log)> {
    let mut log = Log::default();
    let made = bench(&[], soft).run(Cow::Owned(picture()), steps, &mut log)?;
    Ok((made.into_owned(), log))
}

/// For each part a step that cannot be done.
fn impossible() -> Vec<ProcessStep> {
    use ProcessStep as S;
    let (position, kernel, fill) = (Anchor::Center, ResizeKernel::Lanczos3, [0; 4]);
    let size = |width| S::Resize { width, height: None, fit: ResizeFit::Inside, position, kernel, enlarge: true, fill };
    vec![
        S::Extract { left: 39, top: 0, width: 2, height: 1 },
        S::Rotate { degrees: 361.0, fill },
        size(Some(65)),
        size(None),
        S::Pad { top: 0, right: 25, bottom: 0, left: 0, fill },
        S::Gamma { gamma: 9.0 },
        S::Normalise { clip: 26.0 },
        S::Modulate { brightness: -1.0, saturation: 1.0, hue: 0.0 },
        S::Modulate { brightness: 1.0, saturation: f32::NAN, hue: 0.0 },
        S::Modulate { brightness: 1.0, saturation: 1.0, hue: 400.0 },
        S::Blur { sigma: 0.1 },
        S::Sharpen { amount: 10.5 },
        S::Watermark { overlay: 0, position, margin: 0, scale: None, opacity: 1.0 },
    ]
}

#[test]
fn each_part_that_fails_ends_the_list_or_is_left_out_and_told() {
    let sharpen = ProcessStep::Sharpen { amount: 5.0 };
    let saturate = ProcessStep::Modulate { brightness: 1.0, saturation: 2.0, hue: 0.0 };
    let (expected, _) = run(&[sharpen, saturate], &[]).unwrap();
    for step in impossible() {
        let steps = [sharpen, step, saturate];
        let error = run(&steps, &[]).unwrap_err();
        let others: Vec<ProcessPart> = ProcessPart::ALL.iter().copied().filter(|part| *part != step.part()).collect();
        assert_eq!(run(&steps, &others).unwrap_err().to_string(), error.to_string(), "{step:?}");
        let (made, log) = run(&steps, &[step.part()]).unwrap();
        assert_eq!(log.applied, ["sharpen 5", "saturate 2"], "{step:?}");
        let failed: Vec<_> = log.failed.iter().map(|(part, error)| (*part, error.to_string())).collect();
        assert_eq!(failed, [(step.part(), error.to_string())]);
        let near = made.pixels().iter().zip(expected.pixels()).all(|(found, other)| found.abs_diff(*other) <= 3);
        assert!(near, "{step:?}: the rest is done as if the step were not there");
    }
}

#[test]
fn neighbours_of_one_pass_give_what_they_give_one_after_the_other() {
    let modulate = ProcessStep::Modulate { brightness: 1.1, saturation: 1.5, hue: 0.0 };
    let sharpen = ProcessStep::Sharpen { amount: 4.0 };
    let normalise = ProcessStep::Normalise { clip: 1.0 };
    let (at_once, log) = run(&[normalise, modulate, sharpen], &[]).unwrap();
    assert_eq!(log.applied.len(), 4);
    let mut apart = picture();
    for step in [normalise, modulate, sharpen] {
        let mut log = Log::default();
        apart = bench(&[], &[]).run(Cow::Owned(apart), &[step], &mut log).unwrap().into_owned();
    }
    let errors: Vec<u8> = at_once.pixels().iter().zip(apart.pixels()).map(|(a, b)| a.abs_diff(*b)).collect();
    let mean = errors.iter().map(|error| f64::from(*error)).sum::<f64>() / errors.len() as f64;
    assert!(mean < 1.5, "they differ by the rounding in between: {mean}");
}

#[test]
fn every_step_says_what_it_did_and_nothing_when_it_did_nothing() {
    use ProcessStep as S;
    let (position, kernel, fill) = (Anchor::TopLeft, ResizeKernel::Cubic, [0, 0, 0, 255]);
    let fit = ResizeFit::Inside;
    let size = |width, enlarge| S::Resize { width: Some(width), height: None, fit, position, kernel, enlarge, fill };
    let steps = [
        S::Extract { left: 1, top: 2, width: 30, height: 20 },
        S::Trim { border: TrimBorder::Sides, tolerance: 0 },
        S::Rotate { degrees: 90.0, fill },
        S::Flip,
        S::Flop,
        size(10, false),
        S::Pad { top: 1, right: 2, bottom: 3, left: 4, fill },
        S::Gamma { gamma: 1.5 },
        S::Normalise { clip: 0.0 },
        S::Modulate { brightness: 0.9, saturation: 1.2, hue: 30.0 },
        S::Blur { sigma: 0.5 },
        S::Sharpen { amount: 1.0 },
        S::Watermark { overlay: 0, position, margin: 1, scale: Some(0.25), opacity: 0.5 },
    ];
    let overlays = [Ok(picture())];
    let mut log = Log::default();
    let made = bench(&overlays, &[]).run(Cow::Owned(picture()), &steps, &mut log).unwrap();
    assert_eq!(made.size(), Dimensions { width: 16, height: 19 });
    let words = log.applied.iter().map(|done| done.split(' ').next().unwrap());
    assert_eq!(
        words.collect::<Vec<_>>().join(" "),
        "extract rotate flip flop resize pad gamma normalise brighten saturate hue blur sharpen watermark"
    );
    assert_eq!(log.applied.last().unwrap(), "watermark top_left 1,1 4x3 0.5");

    let nothing = [
        S::Extract { left: 0, top: 0, width: 40, height: 30 },
        S::Trim { border: TrimBorder::Alpha, tolerance: 9 },
        S::Rotate { degrees: 360.0, fill },
        size(60, false),
        S::Pad { top: 0, right: 0, bottom: 0, left: 0, fill },
        S::Gamma { gamma: 1.0 },
        S::Modulate { brightness: 1.0, saturation: 1.0, hue: 0.0 },
        S::Blur { sigma: 0.0 },
        S::Sharpen { amount: 0.0 },
        S::Flatten { background: [1, 2, 3] },
        S::Watermark { overlay: 0, position, margin: 0, scale: Some(0.5), opacity: 0.0 },
    ];
    let mut log = Log::default();
    let made = bench(&overlays, &[]).run(Cow::Owned(picture()), &nothing, &mut log).unwrap();
    assert_eq!((made.into_owned(), log.applied), (picture(), Vec::new()));
}

#[test]
fn an_overlay_that_is_missing_or_damaged_fails_as_a_watermark() {
    let step =
        |overlay| ProcessStep::Watermark { overlay, position: Anchor::Center, margin: 0, scale: None, opacity: 1.0 };
    let overlays = [Err(Error::corrupt("the PNG picture is damaged or cut off"))];
    let fail = |overlay, soft: &[ProcessPart]| {
        let mut log = Log::default();
        let steps = [step(overlay)];
        let made = bench(&overlays, soft).run(Cow::Owned(picture()), &steps, &mut log).map(Cow::into_owned);
        made.map(|made| (made, log))
    };
    assert_eq!(fail(0, &[]).unwrap_err().kind(), ErrorKind::Corrupt);
    assert!(fail(1, &[]).unwrap_err().to_string().contains("overlay=1, accepted=less than 1"));
    let (made, log) = fail(0, &[ProcessPart::Watermark]).unwrap();
    assert_eq!((made, log.failed[0].0), (picture(), ProcessPart::Watermark));
}

#[test]
fn values_out_of_range_are_errors_that_name_the_range() {
    let cases = [
        (ProcessStep::Sharpen { amount: -0.1 }, "sharpen amount is out of range (value=-0.1, accepted=0 to 10)"),
        (
            ProcessStep::Modulate { brightness: 1.0, saturation: f32::NAN, hue: 0.0 },
            "saturation is out of range (value=NaN, accepted=0 to 3)",
        ),
        (ProcessStep::Gamma { gamma: 7.0 }, "gamma is out of range (value=7, accepted=0.2 to 5)"),
    ];
    for (step, message) in cases {
        let error = run(&[step], &[]).unwrap_err();
        assert_eq!((error.kind(), error.to_string().as_str()), (ErrorKind::Invalid, message));
    }
}

#[test]
fn flattening_an_opaque_picture_is_no_step() {
    let size = Dimensions { width: 1, height: 1 };
    let flat = |pixels: Vec<u8>, background| {
        let picture = if pixels.len() == 4 { Picture::rgba(size, pixels) } else { Picture::rgb(size, pixels) };
        let mut picture = Cow::Owned(picture.unwrap());
        let done = flatten(&mut picture, background);
        (picture.pixels().to_vec(), done)
    };
    assert_eq!(flat(vec![1, 2, 3], [9; 3]), (vec![1, 2, 3], None));
    assert_eq!(flat(vec![1, 2, 3, 0], [255, 0, 10]), (vec![255, 0, 10], Some("flatten #ff000a".to_owned())));
}
