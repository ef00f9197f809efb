//! A program that is started for each message.

use std::process::Stdio;

use pipeline_core::error::{Error, ErrorKind, Result};
use pipeline_core::provider::{HookAnswer, HookMessage};
use tokio::io::AsyncWriteExt as _;
use tokio::process::{Child, Command};

/// What of our surroundings a program gets: no keys of providers, which may stand there too.
const KEPT: [&str; 9] = ["PATH", "HOME", "USER", "LANG", "LC_ALL", "TZ", "TMPDIR", "SYSTEMROOT", "TEMP"];

/// Tells whether this can be a program.
pub(super) fn check(program: &str) -> Result<()> {
    if program.is_empty() || program.contains('\0') {
        return Err(
            Error::invalid("the program is empty").with("accepted", "a path, or a name that is looked for in PATH")
        );
    }
    Ok(())
}

/// Starts the program with the message as its standard input, and waits for its end; 0 means that it has the message.
pub(super) async fn send(program: &str, args: &[String], message: &HookMessage) -> Result<HookAnswer> {
    check(program)?;
    let mut command = Command::new(program);
    command.args(args).env_clear().stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
    command.envs(KEPT.iter().filter_map(|name| Some((name, std::env::var_os(name)?))));
    command.env("PIPELINE_EVENT", &message.kind).env("PIPELINE_HOOK", &message.hook);
    command.env("PIPELINE_MESSAGE", message.id.to_string()).env("PIPELINE_ATTEMPT", message.attempt.to_string());
    if let Some(job) = message.job {
        command.env("PIPELINE_JOB", job.to_string());
    }
    #[cfg(unix)]
    command.process_group(0);
    let broken = |error: std::io::Error| {
        Error::new(ErrorKind::Unavailable, "the program cannot be started").with("program", program).because(error)
    };
    let mut family = Family(command.spawn().map_err(broken)?);
    let ended = async {
        if let Some(mut input) = family.0.stdin.take() {
            // A program need not read it.
            input.write_all(message.body.as_bytes()).await.ok();
        }
        family.0.wait().await
    };
    let status = tokio::time::timeout(message.timeout, ended)
        .await
        .map_err(|_| Error::new(ErrorKind::Timeout, "the program has not ended in time").with("program", program))?
        .map_err(broken)?;
    Ok(match status.code() {
        Some(0) => HookAnswer::Taken { status: 0 },
        // Ended by a signal, as shells tell it.
        code => HookAnswer::Refused { status: code.unwrap_or(128), after: None },
    })
}

/// A program with the children it may have; they end with this, when it has not.
struct Family(Child);

impl Drop for Family {
    fn drop(&mut self) {
        #[cfg(unix)]
        if let Some(id) = self.0.id().and_then(|id| rustix::process::Pid::from_raw(i32::try_from(id).ok()?)) {
            // Its group has its id, and holds whatever it has started.
            rustix::process::kill_process_group(id, rustix::process::Signal::KILL).ok();
        }
    }
}
