//! Providers from a file.

use crate::bench::{Bench, stderr};

const STUDIO: &str = "[providers.studio]\nkind = \"http\"\nurl = \"http://127.0.0.1:9\"\nkey = \"env:NO_SUCH_KEY\"\n\
    limits = { concurrency = 2 }\n";

#[test]
fn a_file_adds_providers_and_only_who_calls_them_needs_their_keys() {
    let bench = Bench::new();
    let file = bench.write("studio.toml", STUDIO);
    let list = bench.answer(0, &["--providers", &file, "providers", "list", "-o", "json"]);
    let studio = list.as_array().unwrap().iter().find(|one| one["name"] == "studio").unwrap();
    assert_eq!((&studio["limits"]["concurrency"], &studio["local"]), (&2.into(), &false.into()));
    assert!(list.as_array().unwrap().iter().any(|one| one["name"] == "procedural"), "beside the local ones");
    let keywords = bench.write("keywords.txt", "a");
    let request = ["factory", "-i", &keywords, "--set", "generate.provider=studio", "--providers", &file];
    let submit = [&["submit"][..], &request].concat();
    assert_eq!(bench.run(&submit).status.code(), Some(0));
    for arguments in [[&["run"][..], &request].concat(), vec!["worker", "--drain", "--providers", &file]] {
        let output = bench.run(&arguments);
        assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
        for word in [&file, "providers.studio", "the key is not there", "env:NO_SUCH_KEY"] {
            assert!(stderr(&output).contains(word), "no {word}: {}", stderr(&output));
        }
    }
    // Without the file there is no such provider.
    let output = bench.run(&["submit", "factory", "-i", &keywords, "--set", "generate.provider=studio"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("studio"), "{}", stderr(&output));
}

#[test]
fn a_wrong_file_is_reported_with_places_and_does_not_keep_anyone_from_looking() {
    let bench = Bench::new();
    std::fs::create_dir_all(bench.home()).unwrap();
    let wrong = "[providers.a]\nkind = \"http\"\nurl = \"http://localhost:1\"\nstep = 0\nretries = 3\n\
        [providers.image]\nkind = \"ftp\"\n";
    std::fs::write(bench.home().join("providers.toml"), wrong).unwrap();
    let output = bench.run(&["providers", "list"]);
    assert_eq!(output.status.code(), Some(2));
    let places =
        ["providers.toml:4:1: providers.a.step: 0", "toml:5:1: providers.a.retries", "toml:7:1: providers.image.kind"];
    for place in places {
        assert!(stderr(&output).contains(place), "no {place}: {}", stderr(&output));
    }
    assert_eq!(bench.answer(0, &["jobs", "list", "-o", "json"]), serde_json::json!([]));
    let output = bench.run(&["doctor", "-o", "json"]);
    assert_eq!(output.status.code(), Some(1));
    let named = bench.write("named.toml", "[providers.procedural]\nkind = \"http\"\nurl = \"http://localhost:1\"\n");
    let output = bench.run(&["--providers", &named, "providers", "list"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("a local provider has this name"), "{}", stderr(&output));
    let output = bench.run(&["--providers", "nowhere.toml", "providers", "list"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("nowhere.toml"), "{}", stderr(&output));
}

#[test]
fn a_model_that_cannot_be_run_says_what_to_do() {
    let bench = Bench::new();
    let file = bench.write(
        "models.toml",
        "[providers.cutter]\nkind = \"onnx\"\ncapability = \"remove_background\"\nfile = \"u2net.onnx\"\n",
    );
    let output = bench.run(&["worker", "--drain", "--providers", &file]);
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    let words = if cfg!(feature = "onnx") {
        ["providers.cutter: the model file is not there", "u2net.onnx", "accepted=the path of an ONNX file"]
    } else {
        [
            "providers.cutter: this build cannot run models",
            "kind=onnx",
            "accepted=a build with the cargo feature `onnx`",
        ]
    };
    for word in words {
        assert!(stderr(&output).contains(word), "no {word}: {}", stderr(&output));
    }
}

#[test]
fn doctor_tells_whether_keys_are_there_and_shows_none() {
    let bench = Bench::new();
    let file = bench.write("studio.toml", STUDIO);
    let state = |output: &std::process::Output, name: &str| {
        let checks: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let found = checks.as_array().unwrap().iter().find(|check| check["check"] == name).unwrap().clone();
        (found["state"].as_str().unwrap().to_owned(), found["detail"].as_str().unwrap().to_owned())
    };
    let arguments = ["--providers", &file, "doctor", "-o", "json"];
    let output = bench.run(&arguments);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    let (keys, said) = state(&output, "keys");
    assert!(keys == "wrong" && said.contains("env:NO_SUCH_KEY"), "{keys} {said}");
    let output = bench.command(&arguments).env("NO_SUCH_KEY", "hidden-key").output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!((state(&output, "keys").0, state(&output, "clock").0), ("ok".to_owned(), "ok".to_owned()));
    assert!(!String::from_utf8_lossy(&output.stdout).contains("hidden-key"));
}

#[cfg(unix)]
#[test]
fn doctor_warns_of_a_home_that_others_may_read() {
    use std::os::unix::fs::PermissionsExt as _;
    let bench = Bench::new();
    for (mode, wanted) in [(0o755, "warning"), (0o700, "ok")] {
        std::fs::create_dir_all(bench.home()).unwrap();
        std::fs::set_permissions(bench.home(), std::fs::Permissions::from_mode(mode)).unwrap();
        let checks = bench.answer(0, &["doctor", "-o", "json"]);
        let access = checks.as_array().unwrap().iter().find(|check| check["check"] == "access").unwrap();
        assert_eq!(access["state"], wanted, "{access}");
    }
}
