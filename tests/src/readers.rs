//! Readers of pictures that nobody here wrote: exiftool, Pillow, and sharp.
#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    clippy::missing_panics_doc,
    reason = "test code: a failed step is a failed test"
)]

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Map, Value};

/// Set to `1`, tests fail where they would be skipped because exiftool is not installed.
pub const REQUIRE_EXIFTOOL: &str = "PIPELINE_REQUIRE_EXIFTOOL";
/// Set to `1`, tests fail where they would be skipped because Pillow is not installed.
pub const REQUIRE_PILLOW: &str = "PIPELINE_REQUIRE_PILLOW";

/// Set to `1`, tests fail where they would be skipped because sharp is not installed.
pub const REQUIRE_SHARP: &str = "PIPELINE_REQUIRE_SHARP";

/// Opens pictures whole and says what it found.
const LOOK: &str = "import json, sys
from PIL import Image
def look(file):
    image = Image.open(file)
    image.load()
    exif = image.getexif()
    return {'format': image.format, 'size': image.size, 'mode': image.mode, 'description': exif.get(0x010e),
        'xmp': 'xmp' in image.info or 'XML:com.adobe.xmp' in image.info, 'orientation': exif.get(0x0112, 1)}
print(json.dumps([look(file) for file in sys.argv[1:]]))";

/// Where the package of sharp and its script are; `npm ci` there installs it. `PIPELINE_SHARP` may name another folder.
fn sharp_folder() -> PathBuf {
    let here = || Path::new(env!("CARGO_MANIFEST_DIR")).join("bench/images");
    std::env::var_os("PIPELINE_SHARP").map_or_else(here, PathBuf::from)
}

/// Tells whether a program answers, and says that its tests are skipped when it does not.
fn require(name: &str, program: &str, arguments: &[&str], variable: &str) -> bool {
    let answers = Command::new(program).args(arguments).output().is_ok_and(|output| output.status.success());
    if !answers {
        eprintln!("{name} is not installed: its tests are SKIPPED");
        assert!(std::env::var_os(variable).is_none_or(|value| value != "1"), "{variable}=1, but there is none");
    }
    answers
}

/// Tells whether tests with exiftool can run, and says so when they cannot.
pub fn exiftool_is_there() -> bool {
    require("exiftool", "exiftool", &["-ver"], REQUIRE_EXIFTOOL)
}

/// Tells whether tests with Pillow can run, and says so when they cannot.
pub fn pillow_is_there() -> bool {
    require("Pillow", "python3", &["-c", "import PIL"], REQUIRE_PILLOW)
}

/// Tells whether tests with sharp can run, and says so when they cannot.
pub fn sharp_is_there() -> bool {
    let script = sharp_folder().join("look.mjs");
    require("sharp (npm ci in tests/bench/images)", "node", &[&script.to_string_lossy()], REQUIRE_SHARP)
}

/// Everything exiftool finds in a file, by group and name; among it `ExifTool:Validate`, which is `OK` or counts.
pub fn exiftool(file: &Path) -> Map<String, Value> {
    let asked = ["-json", "-G1", "-a", "-struct", "-validate", "-warning", "-error", "-all:all"];
    let output = Command::new("exiftool").args(asked).arg(file).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let mut found: Vec<Map<String, Value>> = serde_json::from_str(&text).unwrap();
    found.pop().unwrap()
}

/// What Pillow finds in each file.
pub fn pillow(files: &[PathBuf]) -> Vec<Value> {
    said(Command::new("python3").args(["-c", LOOK]).args(files))
}

/// What sharp's `metadata()` finds in each file, having decoded it: profiles in base64, and of other blocks the length. A
/// file that it cannot read has an `error`.
pub fn sharp(files: &[PathBuf]) -> Vec<Value> {
    said(Command::new("node").arg(sharp_folder().join("look.mjs")).args(files))
}

fn said(command: &mut Command) -> Vec<Value> {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}
