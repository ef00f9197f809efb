//! A throwaway S3: the server of moto, which keeps everything in memory.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::missing_panics_doc,
    reason = "test code: a failed step is a failed test"
)]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use pipeline::store::{S3Credentials, S3Options};

/// Set to `1`, tests fail where they would be skipped because moto is not installed.
pub const REQUIRE: &str = "PIPELINE_REQUIRE_S3";

/// A signature that is none.
const UNCHECKED: &str = "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, \
                         Signature=0";

/// How the watchdog ends a server: at the end of its standard input, which the test process holds open.
const WATCHDOG: &str = r#""$@" < /dev/null &
server=$!
cat > /dev/null
kill -9 "$server"
wait "$server""#;

/// A server on a free port of this machine. It ends with this value, and at the latest with the process, in whatever way
/// that ends.
#[derive(Debug)]
pub struct MotoServer {
    address: SocketAddr,
    buckets: AtomicU32,
    watchdog: Child,
}

impl MotoServer {
    /// Tells whether moto is installed: `pip install 'moto[server]'`.
    pub fn available() -> bool {
        program().is_some()
    }

    /// Tells whether tests with S3 can run, and says so when they cannot.
    pub fn require() -> bool {
        let available = Self::available();
        if !available {
            eprintln!("moto is not installed: the tests of S3 are SKIPPED");
            assert!(std::env::var_os(REQUIRE).is_none_or(|value| value != "1"), "{REQUIRE}=1, but there is none");
        }
        available
    }

    /// Returns the server that the tests of a process share; `None`, told once, when moto is not installed.
    pub fn shared() -> Option<&'static Self> {
        static SHARED: OnceLock<Option<MotoServer>> = OnceLock::new();
        SHARED.get_or_init(|| Self::require().then(Self::start)).as_ref()
    }

    /// Starts a server and waits until it listens.
    pub fn start() -> Self {
        let program = program().unwrap_or_else(|| panic!("moto is not installed"));
        let mut watchdog = Command::new("/bin/sh");
        watchdog.args(["-c", WATCHDOG, "watchdog"]).args(program).args(["-H", "127.0.0.1", "-p", "0"]);
        // In a group of its own: an interrupt from the terminal must not end it before the server.
        watchdog.process_group(0).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut watchdog = watchdog.spawn().unwrap();
        let mut lines = BufReader::new(watchdog.stderr.take().unwrap()).lines().map_while(Result::ok);
        let told: Vec<String> = lines.by_ref().take_while(|line| !line.contains("Press CTRL+C")).collect();
        let address = told.iter().find_map(|line| line.split_once("http://")?.1.trim().parse().ok());
        let address = address.unwrap_or_else(|| panic!("moto does not start:\n{}", told.join("\n")));
        // Nobody reads its log, and it must not wait for a reader.
        std::thread::spawn(move || lines.for_each(drop));
        Self { address, buckets: AtomicU32::new(0), watchdog }
    }

    /// Returns where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Makes an empty bucket and returns its name.
    pub fn create_bucket(&self) -> String {
        let name = format!("test{}", self.buckets.fetch_add(1, Ordering::SeqCst));
        assert_eq!(self.request("PUT", &name, b"").0, 200);
        name
    }

    /// Returns options that lead here.
    pub fn options(&self) -> S3Options {
        self.options_at(self.address)
    }

    /// Returns options that lead to another address, for example of a proxy.
    pub fn options_at(&self, address: SocketAddr) -> S3Options {
        S3Options {
            endpoint: Some(format!("http://{address}")),
            region: Some("us-east-1".to_owned()),
            credentials: Some(S3Credentials::new("test", "a secret of the tests")),
            ..S3Options::default()
        }
    }

    /// Writes an object, whatever is there.
    pub fn overwrite(&self, bucket: &str, key: &str, content: &[u8]) {
        assert_eq!(self.request("PUT", &format!("{bucket}/{key}"), content).0, 200);
    }

    /// Returns the content of an object.
    pub fn object(&self, bucket: &str, key: &str) -> Option<Vec<u8>> {
        let (status, content) = self.request("GET", &format!("{bucket}/{key}"), b"");
        assert!([200, 404].contains(&status), "{status}");
        (status == 200).then_some(content)
    }

    /// Asks without a library. Moto wants a signature and does not look at it.
    fn request(&self, method: &str, path: &str, content: &[u8]) -> (u16, Vec<u8>) {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        let (host, length) = (self.address, content.len());
        let head = format!(
            "{method} /{path} HTTP/1.0\r\nHost: {host}\r\nContent-Type: application/octet-stream\r\n\
             Authorization: {UNCHECKED}\r\nContent-Length: {length}\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(content).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        let end = answer.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
        let status = String::from_utf8_lossy(&answer).split(' ').nth(1).unwrap().parse().unwrap();
        (status, answer.split_off(end + 4))
    }
}

impl Drop for MotoServer {
    fn drop(&mut self) {
        drop(self.watchdog.stdin.take());
        self.watchdog.wait().ok();
    }
}

/// Returns how the server is started.
fn program() -> Option<&'static [&'static str]> {
    static FOUND: OnceLock<Option<&'static [&'static str]>> = OnceLock::new();
    const WAYS: [&[&str]; 2] = [&["moto_server"], &["python3", "-m", "moto.server"]];
    *FOUND.get_or_init(|| {
        WAYS.into_iter().find(|way| {
            let (program, arguments) = way.split_first().unwrap();
            let mut command = Command::new(program);
            command.args(arguments).arg("--help").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            command.status().is_ok_and(|status| status.success())
        })
    })
}
