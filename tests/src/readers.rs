//! Readers of pictures that nobody here wrote: exiftool, and Pillow.
#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    clippy::missing_panics_doc,
    reason = "test code: a failed step is a failed test"
)]

use std::path::Path;
use std::process::Command;

use serde_json::{Map, Value};

/// Set to `1`, tests fail where they would be skipped because exiftool is not installed.
pub const REQUIRE_EXIFTOOL: &str = "PIPELINE_REQUIRE_EXIFTOOL";
/// Set to `1`, tests fail where they would be skipped because Pillow is not installed.
pub const REQUIRE_PILLOW: &str = "PIPELINE_REQUIRE_PILLOW";

/// Opens a picture whole and says what it found.
const LOOK: &str = "import json, sys
from PIL import Image
image = Image.open(sys.argv[1])
image.load()
exif = image.getexif()
print(json.dumps({'format': image.format, 'size': image.size, 'description': exif.get(0x010e), 'xmp': 'xmp' in image.info or
    'XML:com.adobe.xmp' in image.info, 'orientation': exif.get(0x0112, 1)}))";

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

/// Everything exiftool finds in a file, by group and name; among it `ExifTool:Validate`, which is `OK` or counts.
pub fn exiftool(file: &Path) -> Map<String, Value> {
    let asked = ["-json", "-G1", "-a", "-struct", "-validate", "-warning", "-error", "-all:all"];
    let output = Command::new("exiftool").args(asked).arg(file).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let mut found: Vec<Map<String, Value>> = serde_json::from_str(&text).unwrap();
    found.pop().unwrap()
}

/// What Pillow finds in a file; `null` when it cannot open it.
pub fn pillow(file: &Path) -> Value {
    let output = Command::new("python3").args(["-c", LOOK]).arg(file).output().unwrap();
    if !output.status.success() {
        eprintln!("{}", String::from_utf8_lossy(&output.stderr));
    }
    serde_json::from_slice(&output.stdout).unwrap_or_default()
}
