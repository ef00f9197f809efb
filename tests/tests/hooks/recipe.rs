//! The recipe of `docs/hooks.md`, as it stands there.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use pipeline::core::provider::HookAnswer;

use super::{SECRETS, add, engine, webhook};

/// The receiver of the documentation, on a free port.
struct Python(Child, String);

impl Drop for Python {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

fn snippet() -> String {
    let page = include_str!("../../../docs/hooks.md");
    let (_, rest) = page.split_once("```python\n").unwrap();
    rest.split_once("```").unwrap().0.to_owned()
}

/// Starts the receiver; `None` without Python.
fn start(secret: &str) -> Option<Python> {
    Command::new("python3").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().ok()?;
    let mut command = Command::new("python3");
    command.args(["-u", "-c", &snippet()]).env("HOOK_SECRET", secret).env("PORT", "0");
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let port = line.trim().rsplit(' ').next().unwrap().to_owned();
    Some(Python(child, format!("http://127.0.0.1:{port}/")))
}

#[tokio::test]
async fn the_receiver_of_the_documentation_takes_what_is_genuine_and_nothing_else() {
    let Some(receiver) = start(SECRETS[0]) else {
        println!("skipped: there is no python3");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let engine = engine(folder.path()).await;
    let hook = add(&engine, webhook(folder.path(), &receiver.1, &SECRETS, true)).await;
    assert_eq!(engine.test_hook(&hook).await.unwrap(), HookAnswer::Taken { status: 204 });
    webhook(folder.path(), &receiver.1, &[SECRETS[1], SECRETS[1]], true);
    assert_eq!(engine.test_hook(&hook).await.unwrap(), HookAnswer::Refused { status: 401, after: None });
}
