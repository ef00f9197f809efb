//! A throwaway PostgreSQL server, made with the programs of an installed one.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::missing_panics_doc,
    reason = "test code: a failed step is a failed test"
)]

use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use sqlx::{AssertSqlSafe, ConnectOptions as _, Executor as _, PgConnection};

/// Set to `1`, tests fail where they would be skipped because no PostgreSQL is installed.
pub const REQUIRE: &str = "PIPELINE_REQUIRE_POSTGRES";

/// Where the programs are, before `PATH` and the usual folders are searched.
pub const PROGRAMS: &str = "PIPELINE_POSTGRES_BIN";

/// How the watchdog ends a server: at the end of its standard input, which the test process holds open.
const WATCHDOG: &str = r#"cat > /dev/null
"$1/pg_ctl" stop --silent --mode=immediate --pgdata="$2/data" > /dev/null 2>&1
rm -rf "$2""#;

/// A server in a folder of its own, reached by a socket in that folder. It ends with this value, and at the latest with
/// the process, in whatever way that ends.
#[derive(Debug)]
pub struct Cluster {
    programs: PathBuf,
    folder: PathBuf,
    user: Option<(u32, u32)>,
    settings: String,
    databases: AtomicU32,
    watchdog: Option<Child>,
}

impl Cluster {
    /// Tells whether the programs are installed.
    pub fn available() -> bool {
        programs().is_some()
    }

    /// Starts a server that keeps what it acknowledges, as one in earnest does.
    pub fn start() -> Self {
        Self::start_with("")
    }

    /// Starts a server that never waits for the disk, for tests that do not end it.
    pub fn start_volatile() -> Self {
        Self::start_with("-c fsync=off -c synchronous_commit=off -c full_page_writes=off")
    }

    /// Starts a server with settings of its own, for example `-c fsync=off`.
    pub fn start_with(settings: &str) -> Self {
        let programs = programs().unwrap_or_else(|| panic!("no PostgreSQL is installed"));
        // Short, because the path of a socket may have 107 bytes.
        let folder = tempfile::Builder::new().prefix("pg-").tempdir().unwrap().keep();
        // The server refuses to run as root.
        let user = (std::fs::metadata(&folder).unwrap().uid() == 0).then(unprivileged);
        if let Some((uid, gid)) = user {
            std::os::unix::fs::chown(&folder, Some(uid), Some(gid)).unwrap();
        }
        let settings = format!(
            "-c listen_addresses= -c unix_socket_directories={} -c max_connections=200 -c max_wal_size=256MB \
             -c shared_buffers=128MB {settings}",
            folder.display()
        );
        let mut watchdog = Command::new("/bin/sh");
        watchdog.args(["-c", WATCHDOG, "watchdog"]).arg(&programs).arg(&folder);
        // In a group of its own: an interrupt from the terminal must not end it before the server.
        watchdog.process_group(0).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut cluster = Self { programs, folder, user, settings, databases: AtomicU32::new(0), watchdog: None };
        cluster.watchdog = Some(cluster.unprivileged(&mut watchdog).spawn().unwrap());
        let data = cluster.data();
        let mut make = cluster.command("initdb");
        make.args(["--auth=trust", "--username=postgres", "--encoding=UTF8", "--no-locale", "--no-sync", "--pgdata"]);
        run(make.arg(data));
        cluster.resume();
        cluster
    }

    /// Returns the server that the tests of a process share, one that never waits for the disk; `None`, told once, when no
    /// PostgreSQL is installed.
    pub fn shared() -> Option<&'static Self> {
        static SHARED: OnceLock<Option<Cluster>> = OnceLock::new();
        SHARED.get_or_init(|| Self::require().then(Self::start_volatile)).as_ref()
    }

    /// Tells whether tests with PostgreSQL can run, and says so when they cannot.
    pub fn require() -> bool {
        let available = Self::available();
        if !available {
            eprintln!("no PostgreSQL is installed: its tests are SKIPPED");
            assert!(std::env::var_os(REQUIRE).is_none_or(|value| value != "1"), "{REQUIRE}=1, but there is none");
        }
        available
    }

    /// Makes an empty database and returns its address.
    pub async fn create_database(&self) -> String {
        let name = format!("test{}", self.databases.fetch_add(1, Ordering::SeqCst));
        self.administer(&format!("CREATE DATABASE {name}")).await;
        self.url(&name)
    }

    /// Returns the address of a database.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://postgres@localhost/{database}?host={}", self.folder.display())
    }

    /// Runs a statement in the database `postgres`, as the superuser.
    pub async fn administer(&self, sql: &str) {
        connect(&self.url("postgres")).await.execute(AssertSqlSafe(sql.to_owned())).await.unwrap();
    }

    /// Closes every connection to the databases made here, from the server's side.
    pub async fn terminate_backends(&self) {
        let others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                      WHERE datname LIKE 'test%' AND pid <> pg_backend_pid()";
        self.administer(others).await;
    }

    /// Closes some of the connections to the databases made here, and returns how many.
    pub async fn terminate_some(&self, most: u32) -> u32 {
        let sql = format!(
            "SELECT count(pg_terminate_backend(pid)) FROM (SELECT pid FROM pg_stat_activity \
             WHERE datname LIKE 'test%' AND pid <> pg_backend_pid() ORDER BY random() LIMIT {most}) AS chosen"
        );
        let mut connection = connect(&self.url("postgres")).await;
        let count: i64 = sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(&mut connection).await.unwrap();
        u32::try_from(count).unwrap()
    }

    /// Tells whether a connection to a database sits in an open transaction and does nothing.
    pub async fn idles_in_transaction(&self, url: &str) -> bool {
        self.any(url, "state LIKE 'idle in transaction%'").await
    }

    /// Tells whether a connection to a database waits for a lock.
    pub async fn waits_for_lock(&self, url: &str) -> bool {
        self.any(url, "wait_event_type = 'Lock'").await
    }

    async fn any(&self, url: &str, condition: &str) -> bool {
        let sql = format!(
            "SELECT EXISTS (SELECT 1 FROM pg_stat_activity \
             WHERE datname = current_database() AND pid <> pg_backend_pid() AND {condition})"
        );
        sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(&mut connect(url).await).await.unwrap()
    }

    /// Ends the server without giving it time for anything.
    pub fn kill(&self) {
        run(self.command("pg_ctl").args(["stop", "--silent", "--mode=immediate", "--pgdata"]).arg(self.data()));
    }

    /// Starts the server again after [`Cluster::kill`], and waits until it accepts connections.
    pub fn resume(&self) {
        let mut start = self.command("pg_ctl");
        start.args(["start", "--silent", "--wait", "--timeout=60", "--pgdata"]).arg(self.data());
        start.arg("--log").arg(self.folder.join("log")).args(["--options", &self.settings]);
        // Its log is a file, and it must not keep the standard streams of the tests open.
        start.stdout(Stdio::null()).stderr(Stdio::null()).stdin(Stdio::null());
        let begun = Instant::now();
        // After a hard end the shared memory may still be in use for a moment.
        while !start.status().unwrap().success() {
            let log = std::fs::read_to_string(self.folder.join("log")).unwrap_or_default();
            assert!(begun.elapsed() < Duration::from_secs(60), "the server does not start:\n{log}");
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    /// Ends the server in good order and starts it again.
    pub fn restart(&self) {
        run(self.command("pg_ctl").args(["stop", "--silent", "--mode=fast", "--pgdata"]).arg(self.data()));
        self.resume();
    }

    /// Returns what the server has logged so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }

    fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.programs.join(program));
        self.unprivileged(&mut command);
        command
    }

    fn unprivileged<'c>(&self, command: &'c mut Command) -> &'c mut Command {
        if let Some((uid, gid)) = self.user {
            command.uid(uid).gid(gid);
        }
        // The folder the tests run in may be closed to that user.
        command.current_dir("/")
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if let Some(mut watchdog) = self.watchdog.take() {
            drop(watchdog.stdin.take());
            watchdog.wait().ok();
        }
    }
}

async fn connect(url: &str) -> PgConnection {
    let options: sqlx::postgres::PgConnectOptions = url.parse().unwrap();
    options.disable_statement_logging().connect().await.unwrap()
}

/// Returns the folder of the programs.
fn programs() -> Option<PathBuf> {
    let given = std::env::var_os(PROGRAMS).map(PathBuf::from);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut installed: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok().map(|entry| entry.path().join("bin")))
        .collect();
    // The newest first.
    installed.sort_by_key(|folder| {
        let version = folder.parent().and_then(Path::file_name).and_then(|name| name.to_str()?.parse::<u32>().ok());
        std::cmp::Reverse(version)
    });
    given
        .into_iter()
        .chain(std::env::split_paths(&path))
        .chain(installed)
        .find(|folder| folder.join("initdb").is_file() && folder.join("pg_ctl").is_file())
        // `initdb` looks for `postgres` beside itself, not beside a link to it.
        .and_then(|folder| folder.join("initdb").canonicalize().ok()?.parent().map(Path::to_path_buf))
}

/// Returns user and group of `postgres`, or of `nobody`.
fn unprivileged() -> (u32, u32) {
    let users = std::fs::read_to_string("/etc/passwd").unwrap();
    let find = |name: &str| {
        let fields: Vec<&str> = users.lines().map(|line| line.split(':').collect::<Vec<_>>()).find(|f| f[0] == name)?;
        Some((fields[2].parse().unwrap(), fields[3].parse().unwrap()))
    };
    find("postgres").or_else(|| find("nobody")).unwrap_or((65_534, 65_534))
}

fn run(command: &mut Command) {
    let output = command.stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{command:?}\n{}", String::from_utf8_lossy(&output.stderr));
}
