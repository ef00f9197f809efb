//! The vendor as a process of its own, which can be killed and started again.

use std::io;
use std::path::Path;
use std::process::Stdio;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

use super::books::Statement;

/// A running `fake-vendor`; dropping it kills it.
#[derive(Debug)]
pub struct VendorProgram {
    child: Child,
    address: String,
}

impl VendorProgram {
    /// Starts the program with these arguments and waits until it listens.
    ///
    /// # Errors
    /// The system's; `InvalidData` when the program does not say where it listens, for example because of an unknown
    /// option.
    pub async fn start(program: impl AsRef<Path>, arguments: &str) -> io::Result<Self> {
        let mut child = Command::new(program.as_ref())
            .args(arguments.split_whitespace())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let mut line = String::new();
        if let Some(stdout) = child.stdout.take() {
            BufReader::new(stdout).read_line(&mut line).await?;
        }
        let address = line.trim().strip_prefix("http://").ok_or(io::ErrorKind::InvalidData)?;
        Ok(Self { address: address.to_owned(), child })
    }

    /// Returns where it listens, for example `http://127.0.0.1:40001`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Returns the port it listens on.
    pub fn port(&self) -> u16 {
        self.address.rsplit_once(':').and_then(|(_, port)| port.parse().ok()).unwrap_or(0)
    }

    /// Kills it, as `kill -9` does, and waits until it is gone.
    ///
    /// # Errors
    /// The system's.
    pub async fn kill(mut self) -> io::Result<()> {
        self.child.kill().await
    }

    /// Returns what it has seen and charged so far.
    ///
    /// # Errors
    /// The system's; `InvalidData` when the answer makes no sense.
    pub async fn statement(&self) -> io::Result<Statement> {
        let (_, body) = self.send("GET", "/charges", "", "").await?;
        serde_json::from_str(&body).map_err(io::Error::other)
    }

    /// Sends one request on a connection of its own; returns the status, 0 without one, and the body, which may be cut.
    ///
    /// # Errors
    /// The system's, when there is no connection.
    pub async fn send(&self, method: &str, path: &str, headers: &str, body: &str) -> io::Result<(u16, String)> {
        let mut stream = TcpStream::connect(&self.address).await?;
        let (length, host) = (body.len(), &self.address);
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\ncontent-type: application/json\r\n\
             content-length: {length}\r\n{headers}\r\n{body}"
        );
        stream.write_all(request.as_bytes()).await?;
        let mut answer = Vec::new();
        // A connection that is cut has said what it had to say.
        stream.read_to_end(&mut answer).await.ok();
        let answer = String::from_utf8_lossy(&answer);
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
        Ok((head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0), body.to_owned()))
    }
}
