//! Contact sheets.

use serde_json::Value;

use crate::bench::{Bench, stderr, stdout};

/// Runs five pictures, of which the check rejects some; the name of one is no tame text.
fn job(bench: &Bench) -> String {
    let words = bench.write("words.txt", "red fox\n<b>&\"京都'\nblue whale\ngreen frog\nbright sky\n");
    let run = ["run", "factory", "-i", &words, "--label", "A <sheet>", "-o", "json"];
    let settings = ["--set", "generate.sizes=256x256", "--set", "qc.min_sharpness=0", "--set", "job.seed=7"];
    let output = bench.run(&[&run[..], &settings, &["--set", "qc.min_contrast=40"]].concat());
    let summary: Value = serde_json::from_slice(&output.stdout).unwrap();
    summary["job"].as_str().unwrap().to_owned()
}

fn png_size(bytes: &[u8]) -> (u32, u32) {
    let mut reader = png::Decoder::new(std::io::Cursor::new(bytes)).read_info().unwrap();
    let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut pixels).unwrap();
    assert!(pixels.iter().any(|value| *value != 255));
    (info.width, info.height)
}

#[test]
fn every_item_is_on_the_page_with_its_picture_state_reason_and_measures() {
    let bench = Bench::new();
    let job = job(&bench);
    let (html, png) = (bench.path("sheet.html"), bench.path("sheet.png"));
    let (html_name, png_name) = (html.to_string_lossy().into_owned(), png.to_string_lossy().into_owned());
    let asked = ["jobs", "sheet", &job, "--out", &html_name, "--png", &png_name, "--columns", "3", "-o", "json"];
    let told = bench.answer(0, &asked);
    assert_eq!((&told["items"], &told["pictures"]), (&Value::from(5), &Value::from(5)), "{told}");
    let page = std::fs::read_to_string(&html).unwrap();
    assert_eq!(told["files"][0]["bytes"], page.len());
    assert_eq!((page.matches("<figure>").count(), page.matches("data:image/jpeg;base64,").count()), (5, 5));
    for expected in
        ["A &lt;sheet&gt;", "&lt;b&gt;&amp;&quot;京都&#39;", "succeeded</p>", "sharpness ", "<li>5 items</li>"]
    {
        assert!(page.contains(expected), "{expected}");
    }
    let items = bench.answer(0, &["items", "list", &job, "-o", "json"]);
    for item in items.as_array().unwrap() {
        assert!(page.contains(item["status"].as_str().unwrap()));
        if let Some(why) = item["why"].as_str() {
            assert!(page.contains(&why.replace('<', "&lt;").replace('>', "&gt;")), "{why}");
        }
    }
    assert!(items.as_array().unwrap().iter().any(|item| item["status"] == "rejected"), "{items}");
    // Three columns of 256 pixels, two rows.
    assert_eq!(png_size(&std::fs::read(&png).unwrap()).0, 16 + 3 * (256 + 16));
    // The same again: what is there is never overwritten unless that is wanted, and the small pictures are the same files.
    let small = || {
        let folder = bench.home().join("thumbnails").join("256");
        let within =
            std::fs::read_dir(folder).unwrap().flat_map(|entry| std::fs::read_dir(entry.unwrap().path()).unwrap());
        let mut files: Vec<_> = within.map(|entry| entry.unwrap()).collect();
        files.sort_by_key(std::fs::DirEntry::file_name);
        files.iter().map(|entry| (entry.file_name(), entry.metadata().unwrap().modified().unwrap())).collect::<Vec<_>>()
    };
    let before = small();
    assert_eq!(before.len(), 5);
    let refused = bench.run(&asked);
    assert_eq!(refused.status.code(), Some(2));
    assert!(stderr(&refused).contains("sheet.html is there already") && stderr(&refused).contains("--force"));
    for (out, png, told) in [
        (&png_name, &png_name, "both are"),
        (&bench.path("").to_string_lossy().into_owned(), &png_name, "is a folder or a device"),
    ] {
        let refused = bench.run(&["jobs", "sheet", &job, "--force", "--out", out, "--png", png]);
        assert!(refused.status.code() == Some(2) && stderr(&refused).contains(told), "{}", stderr(&refused));
    }
    bench.answer(0, &[&asked[..], &["--force"]].concat());
    assert_eq!(std::fs::read_to_string(&html).unwrap(), page);
    assert_eq!(small(), before, "made once");
    let left: Vec<_> = std::fs::read_dir(bench.path("")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().ends_with(".part")), "{left:?}");
}

#[test]
fn a_query_and_a_state_choose_the_items_and_small_pictures_of_what_is_gone_go_too() {
    let bench = Bench::new();
    let job = job(&bench);
    let out = bench.path("some.html").to_string_lossy().into_owned();
    let all = bench.answer(0, &["items", "list", &job, "-o", "json"]);
    let rejected = all.as_array().unwrap().iter().filter(|item| item["status"] == "rejected").count();
    let sheet = |more: &[&str]| {
        let told = bench.answer(0, &[&["jobs", "sheet", &job, "--out", &out, "--force", "-o", "json"], more].concat());
        told["items"].as_u64().unwrap() as usize
    };
    assert_eq!((sheet(&["--where", "state:rejected"]), sheet(&["--status", "rejected"])), (rejected, rejected));
    assert_eq!((sheet(&["--where", "\"fox\""]), sheet(&["--where", "state:failed"])), (1, 0));
    // In words, and with the usual name where the command is run.
    let mut command = bench.command(&["jobs", "sheet", &job]);
    let output = command.current_dir(bench.path("")).output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(stdout(&output).starts_with("pipeline-sheet-") && stdout(&output).contains("5 items, 5 pictures"));
    let wrong = bench.run(&["jobs", "sheet", &job, "--size", "9"]);
    assert!(stderr(&wrong).contains("expected a whole number from 96 to 512"), "{}", stderr(&wrong));
    // Small pictures go with what they were made of.
    bench.answer(0, &["jobs", "delete", &job, "-o", "json"]);
    bench.answer(0, &["store", "gc", "--grace", "0", "-o", "json"]);
    let within = std::fs::read_dir(bench.home().join("thumbnails").join("256")).unwrap();
    assert_eq!(within.flat_map(|entry| std::fs::read_dir(entry.unwrap().path()).unwrap()).count(), 0);
}
