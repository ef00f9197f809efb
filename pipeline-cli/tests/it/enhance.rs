//! A folder of good and bad files.

use crate::bench::{Bench, count, picture, stdout};

/// The beginning of a JPEG: its markers, and no picture.
const TRUNCATED: &[u8] = &[
    0xff, 0xd8, 0xff, 0xe0, 0x00, 0x10, b'J', b'F', b'I', b'F', 0x00, 0x01, 0x01, 0x00, 0x00, 0x01, 0x00, 0x01, 0x00,
    0x00, 0xff, 0xc0, 0x00, 0x0b, 0x08, 0x00, 0x40, 0x00, 0x40, 0x01, 0x01, 0x11, 0x00,
];

#[test]
fn bad_files_fail_with_a_reason_and_the_others_go_on() {
    let bench = Bench::new();
    picture(&bench.path("in/good.png"), 1);
    bench.write("in/cut.jpg", TRUNCATED);
    bench.write("in/text.png", "this is no picture\n");
    let (folder, out) = (bench.path("in"), bench.path("out"));
    let (folder, out) = (folder.to_string_lossy(), out.to_string_lossy());
    let summary = bench.answer(3, &["run", "enhance", "-i", &folder, "--out", &out, "-o", "json"]);
    assert_eq!((count(&summary, "failed"), count(&summary, "succeeded")), (2, 1));
    assert_eq!(summary["status"], "completed_with_failures");
    assert_eq!(summary["files"].as_array().unwrap().len(), 1);
    let id = summary["job"].as_str().unwrap();
    let items = bench.answer(0, &["items", "list", id, "--status", "failed", "-o", "json"]);
    let items = items.as_array().unwrap();
    assert_eq!(items.len(), 2);
    assert!(items.iter().all(|item| !item["why"].as_str().unwrap().is_empty()), "{items:?}");
    let item = bench.answer(0, &["items", "show", items[0]["id"].as_str().unwrap(), "-o", "json"]);
    assert_eq!(item["status"], "failed");
    assert_eq!(item["stages"].as_array().unwrap().len(), 7);
    let table = bench.run(&["items", "show", items[0]["id"].as_str().unwrap()]);
    assert!(stdout(&table).contains("failed"), "{}", stdout(&table));
    assert_eq!(std::fs::read_dir(bench.path("out")).unwrap().count(), 1, "nothing half-written");
}
