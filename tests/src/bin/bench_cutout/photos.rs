//! Photos: cut-out ones on plain grounds and on other photos, and photos with masks.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use pipeline::providers::local::image::{Limits, Log, Picture, Threads, Workbench, decode};
use pipeline_core::provider::{Anchor, Dimensions, ProcessStep, ResizeFit, ResizeKernel};

use crate::Options;
use crate::case::Case;

/// How much of the longest side of the composite a cut-out photo takes.
const SHARE: f64 = 0.62;

/// Every case the folders give.
pub(crate) fn cases(options: &Options) -> Vec<Case> {
    let mut cases = Vec::new();
    let grounds: Vec<(String, Picture)> =
        options.grounds.iter().flat_map(|folder| grounds(folder, options.side)).collect();
    let stamps: Vec<(String, Picture)> = options.stamps.iter().flat_map(|folder| stamps(folder, options)).collect();
    for (number, (what, stamp)) in stamps.iter().enumerate() {
        let size = Dimensions { width: options.side, height: options.side * 3 / 4 };
        let shades = [[232, 230, 226], [196, 208, 222], [70, 74, 80]];
        let shade = shades[number % 3];
        let slope =
            |x: u32, y: u32| shade.map(|value: u8| (f64::from(value) * (1.0 - 0.15 * f64::from(x + y) / 1000.0)) as u8);
        cases.push(Case::composed(
            ("photos on plain grounds", what.clone()),
            size,
            |x, y| on(stamp, size, x, y),
            slope,
        ));
        if !grounds.is_empty() {
            let (place, ground) = &grounds[number % grounds.len()];
            let size = ground.size();
            let behind = |x: u32, y: u32| pixel(ground, x, y);
            let name = ("photos on photos", format!("{what} on {place}"));
            cases.push(Case::composed(name, size, |x, y| on(stamp, size, x, y), behind));
        }
    }
    // Scenes without a subject: whatever is cut out of them is wrong.
    for (name, picture) in grounds {
        let truth = vec![0; picture.width() * picture.height()];
        cases.push(Case { group: "scenes".to_owned(), what: name, picture, truth });
    }
    cases.extend(options.pairs.iter().flat_map(|folder| pairs(folder, options.side)));
    cases
}

/// The files below a folder, always in the same order.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}

fn open(path: &Path) -> Option<Picture> {
    decode(&std::fs::read(path).unwrap(), Limits::DEFAULT).ok()?.upright().ok()
}

fn sized(picture: Picture, width: u32, height: u32) -> Picture {
    let step = ProcessStep::Resize {
        width: Some(width),
        height: Some(height),
        fit: ResizeFit::Inside,
        position: Anchor::Center,
        kernel: ResizeKernel::Lanczos3,
        enlarge: true,
        fill: [0; 4],
    };
    let bench = Workbench { limits: Limits::DEFAULT, threads: Threads::ONE, overlays: &[], soft: &[] };
    bench.run(Cow::Owned(picture), &[step], &mut Log::default()).unwrap().into_owned()
}

fn stem(path: &Path) -> String {
    path.file_stem().unwrap().to_string_lossy().into_owned()
}

/// Cut-out photos: with alpha, of some size and of many colours; evenly taken from all there are.
fn stamps(folder: &Path, options: &Options) -> Vec<(String, Picture)> {
    let box_side = (f64::from(options.side) * SHARE) as u32;
    let photos: Vec<(String, Picture)> = files(folder)
        .iter()
        .filter(|path| path.extension().is_some_and(|extension| extension == "png"))
        .filter_map(|path| Some((stem(path), open(path)?)))
        .filter(|(_, picture)| picture.has_alpha() && picture.width().max(picture.height()) >= 200 && is_photo(picture))
        .collect();
    let step = photos.len().div_ceil(options.most.max(1)).max(1);
    let chosen = photos.into_iter().step_by(step);
    chosen.map(|(what, picture)| (what, sized(picture, box_side, box_side * 3 / 4))).collect()
}

/// Drawings have few colours.
fn is_photo(picture: &Picture) -> bool {
    let opaque = picture.pixels().chunks_exact(4).filter(|pixel| pixel[3] == 255);
    let colors: std::collections::BTreeSet<[u8; 3]> =
        opaque.map(|pixel| [pixel[0] / 8, pixel[1] / 8, pixel[2] / 8]).collect();
    colors.len() > 500
}

fn grounds(folder: &Path, side: u32) -> Vec<(String, Picture)> {
    let opened = files(folder).into_iter().filter_map(|path| Some((stem(&path), open(&path)?)));
    opened
        .map(|(name, mut picture)| {
            picture.flatten([255; 3]);
            (name, sized(picture, side, side))
        })
        .collect()
}

/// A pixel of a cut-out photo that stands in the middle, a little low.
fn on(stamp: &Picture, size: Dimensions, x: u32, y: u32) -> [u8; 4] {
    let Dimensions { width, height } = stamp.size();
    let (left, top) = (size.width.saturating_sub(width) / 2, size.height.saturating_sub(height) * 3 / 5);
    match (x.checked_sub(left), y.checked_sub(top)) {
        (Some(x), Some(y)) if x < width && y < height => {
            let at = (y as usize * stamp.width() + x as usize) * stamp.channels();
            let pixel = &stamp.pixels()[at..at + stamp.channels()];
            [pixel[0], pixel[1], pixel[2], pixel.get(3).copied().unwrap_or(255)]
        }
        _ => [0; 4],
    }
}

fn pixel(picture: &Picture, x: u32, y: u32) -> [u8; 3] {
    let at = (y as usize * picture.width() + x as usize) * 3;
    picture.pixels()[at..at + 3].try_into().unwrap()
}

/// Photos with masks: what is white in the mask is subject.
fn pairs(folder: &Path, side: u32) -> Vec<Case> {
    let all = files(folder);
    let masks = all.iter().filter(|path| path.to_string_lossy().ends_with(".mask.png"));
    masks
        .map(|path| {
            let name = path.file_name().unwrap().to_string_lossy().replace(".mask.png", "");
            let photo = all.iter().find(|other| *other != path && stem(other) == name);
            let mut photo =
                photo.and_then(|photo| open(photo)).unwrap_or_else(|| panic!("no photo beside {}", path.display()));
            photo.flatten([255; 3]);
            let photo = sized(photo, side, side);
            let mut mask = sized(open(path).unwrap(), photo.size().width, photo.size().height);
            mask.flatten([0; 3]);
            assert_eq!(mask.size(), photo.size(), "{name}: photo and mask differ in shape");
            let truth = mask.pixels().chunks_exact(3).map(|pixel| pixel[1]).collect();
            Case { group: "photos with masks".to_owned(), what: name, picture: photo, truth }
        })
        .collect()
}
