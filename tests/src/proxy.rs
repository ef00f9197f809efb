//! A TCP proxy with faults: forwards to a target, and stops doing so well when told.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

/// At most this many bytes are carried at once.
const PIECE: usize = 16 * 1024;

/// What goes wrong; the default is nothing. Faults add up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    /// Every piece is forwarded this much later.
    pub delay: Duration,
    /// New connections are closed at once.
    pub refuse: bool,
    /// A connection is reset once it has carried this many bytes from the client to the target.
    pub reset_after_sent: Option<u64>,
    /// The same, from the target to the client.
    pub reset_after_received: Option<u64>,
    /// The client is told that the target has ended its side, while what the client sends still arrives.
    pub half_close: bool,
    /// Connections stay open, and nothing is forwarded in either direction.
    pub black_hole: bool,
    /// At most this many bytes a second are forwarded in each direction.
    pub trickle: Option<u64>,
}

/// A proxy that listens on this machine until it is dropped.
#[derive(Debug)]
pub struct FaultProxy {
    address: SocketAddr,
    faults: Arc<watch::Sender<Faults>>,
    /// Counts the orders to reset every connection.
    resets: Arc<watch::Sender<u64>>,
    listener: JoinHandle<()>,
}

impl FaultProxy {
    /// Listens on a port, 0 for a free one, and forwards to `target`, for example `127.0.0.1:5432`.
    ///
    /// # Errors
    /// The system's, when the port is taken.
    pub async fn start(port: u16, target: impl Into<String>) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", port)).await?;
        let address = listener.local_addr()?;
        let (faults, resets) = (Arc::new(watch::Sender::new(Faults::default())), Arc::new(watch::Sender::new(0)));
        let link = Link { target: target.into(), faults: faults.subscribe(), resets: resets.subscribe() };
        Ok(Self { address, faults, resets, listener: tokio::spawn(listen(listener, link)) })
    }

    /// Returns where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Says what goes wrong from now on, on connections that are open, too.
    pub fn set(&self, faults: Faults) {
        self.faults.send_replace(faults);
    }

    /// Returns what goes wrong.
    pub fn faults(&self) -> Faults {
        *self.faults.borrow()
    }

    /// Resets every open connection, in both directions.
    pub fn reset_all(&self) {
        self.resets.send_modify(|count| *count += 1);
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        self.listener.abort();
    }
}

#[derive(Clone, Debug)]
struct Link {
    target: String,
    faults: watch::Receiver<Faults>,
    resets: watch::Receiver<u64>,
}

async fn listen(listener: TcpListener, link: Link) {
    // Dropped with the listener, and every connection with it.
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                // Without a file handle for the connection there will be one later.
                let Ok((client, _)) = accepted else {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                    continue;
                };
                connections.spawn(carry(client, link.clone()));
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

/// A connection that is to be reset, not ended.
struct Cut;

/// Carries one connection to its end.
async fn carry(mut client: TcpStream, mut link: Link) {
    link.resets.mark_unchanged();
    let target = if link.faults.borrow().refuse { None } else { TcpStream::connect(&link.target).await.ok() };
    let Some(mut target) = target else {
        client.set_zero_linger().ok();
        return;
    };
    client.set_nodelay(true).ok();
    target.set_nodelay(true).ok();
    let carried = {
        let ((from_client, to_client), (from_target, to_target)) = (client.split(), target.split());
        let sent = pump(from_client, to_target, link.faults.clone(), Way::Sent);
        let received = pump(from_target, to_client, link.faults.clone(), Way::Received);
        tokio::select! {
            carried = async { tokio::try_join!(sent, received) } => carried.map(|_| ()),
            Ok(()) = link.resets.changed() => Err(Cut),
        }
    };
    if let Err(Cut) = carried {
        client.set_zero_linger().ok();
        target.set_zero_linger().ok();
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Sent,
    Received,
}

/// Carries one direction to its end.
async fn pump(
    mut from: ReadHalf<'_>,
    mut to: WriteHalf<'_>,
    mut faults: watch::Receiver<Faults>,
    way: Way,
) -> Result<(), Cut> {
    let (mut carried, mut buffer) = (0_u64, vec![0; PIECE]);
    loop {
        let now = *faults.borrow_and_update();
        if now.half_close && way == Way::Received {
            to.shutdown().await.ok();
            return Ok(());
        }
        if now.black_hole {
            if faults.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
            continue;
        }
        let left = match way {
            Way::Sent => now.reset_after_sent,
            Way::Received => now.reset_after_received,
        };
        let left = left.map_or(PIECE as u64, |limit| limit.saturating_sub(carried));
        if left == 0 {
            return Err(Cut);
        }
        // Twenty pieces a second.
        let slow = now.trickle.map_or(PIECE as u64, |rate| (rate / 20).max(1));
        let most = usize::try_from(left.min(slow)).unwrap_or(PIECE).min(PIECE);
        let room = buffer.get_mut(..most).ok_or(Cut)?;
        let count = tokio::select! {
            count = from.read(room) => count.map_err(|_| Cut)?,
            Ok(()) = faults.changed() => continue,
        };
        if count == 0 {
            to.shutdown().await.ok();
            return Ok(());
        }
        tokio::time::sleep(now.delay).await;
        // What went wrong meanwhile stops this piece, too.
        while faults.borrow_and_update().black_hole {
            faults.changed().await.map_err(|_| Cut)?;
        }
        to.write_all(buffer.get(..count).ok_or(Cut)?).await.map_err(|_| Cut)?;
        carried += count as u64;
        if let Some(rate) = now.trickle {
            tokio::time::sleep(Duration::from_secs_f64(count as f64 / rate.max(1) as f64)).await;
        }
    }
}

impl Faults {
    /// Every fault as an option, for people.
    pub const USAGE: &str = "\
  --delay-ms N                  forward every piece this much later
  --refuse                      close new connections at once
  --reset-after-sent N          reset a connection once it has carried N bytes from client to target
  --reset-after-received N      the same, from target to client
  --half-close                  tell the client that the target has ended its side
  --black-hole                  keep connections open and forward nothing
  --trickle N                   forward at most N bytes a second in each direction";

    /// Reads faults from options.
    ///
    /// # Errors
    /// A sentence that says what is wrong.
    pub fn parse(given: impl IntoIterator<Item = String>) -> Result<Self, String> {
        let mut given = given.into_iter();
        let mut faults = Self::default();
        while let Some(option) = given.next() {
            let mut number = || {
                let value = given.next().ok_or_else(|| format!("{option} needs a value"))?;
                value.parse::<u64>().map_err(|_| format!("`{value}` is not a whole number"))
            };
            match option.as_str() {
                "--delay-ms" => faults.delay = Duration::from_millis(number()?),
                "--refuse" => faults.refuse = true,
                "--reset-after-sent" => faults.reset_after_sent = Some(number()?),
                "--reset-after-received" => faults.reset_after_received = Some(number()?),
                "--half-close" => faults.half_close = true,
                "--black-hole" => faults.black_hole = true,
                "--trickle" => faults.trickle = Some(number()?),
                _ => return Err(format!("unknown option {option}")),
            }
        }
        Ok(faults)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    /// An echo behind a proxy.
    async fn echo() -> FaultProxy {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let target = listener.local_addr().unwrap().to_string();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let (mut from, mut to) = stream.split();
                    tokio::io::copy(&mut from, &mut to).await.ok();
                });
            }
        });
        FaultProxy::start(0, target).await.unwrap()
    }

    async fn client(proxy: &FaultProxy) -> TcpStream {
        TcpStream::connect(proxy.address()).await.unwrap()
    }

    async fn ask(stream: &mut TcpStream, text: &[u8]) -> io::Result<Vec<u8>> {
        stream.write_all(text).await?;
        let mut answer = vec![0; text.len()];
        stream.read_exact(&mut answer).await?;
        Ok(answer)
    }

    async fn within<T>(millis: u64, what: impl Future<Output = T>) -> Option<T> {
        tokio::time::timeout(Duration::from_millis(millis), what).await.ok()
    }

    #[tokio::test]
    async fn without_faults_everything_arrives_and_an_end_is_an_end() {
        let proxy = echo().await;
        let mut stream = client(&proxy).await;
        let large = vec![7; 300_000];
        let (mut from, mut to) = stream.split();
        let mut answer = Vec::new();
        let write = async {
            to.write_all(&large).await.unwrap();
            to.shutdown().await.unwrap();
        };
        let ((), read) = tokio::join!(write, from.read_to_end(&mut answer));
        assert_eq!((read.unwrap(), answer == large), (300_000, true));
    }

    #[tokio::test]
    async fn faults_come_and_go_on_open_connections() {
        let proxy = echo().await;
        let mut stream = client(&proxy).await;
        assert_eq!(ask(&mut stream, b"one").await.unwrap(), b"one");
        proxy.set(Faults { black_hole: true, ..Faults::default() });
        assert!(within(100, ask(&mut stream, b"two")).await.is_none());
        proxy.set(Faults { delay: Duration::from_millis(60), ..Faults::default() });
        let mut answer = [0; 3];
        stream.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"two", "what was held back arrives");
        let began = Instant::now();
        ask(&mut stream, b"six").await.unwrap();
        assert!(began.elapsed() >= Duration::from_millis(120), "once each way");
        proxy.set(Faults { trickle: Some(100), ..Faults::default() });
        let began = Instant::now();
        ask(&mut stream, &[7; 40]).await.unwrap();
        assert!(began.elapsed() >= Duration::from_millis(300), "{:?}", began.elapsed());
        proxy.set(Faults::default());
        assert_eq!(ask(&mut stream, b"ten").await.unwrap(), b"ten");
    }

    #[tokio::test]
    async fn new_connections_are_refused_while_old_ones_go_on() {
        let proxy = echo().await;
        let mut old = client(&proxy).await;
        ask(&mut old, b"one").await.unwrap();
        proxy.set(Faults { refuse: true, ..Faults::default() });
        let mut new = client(&proxy).await;
        assert!(ask(&mut new, b"two").await.is_err());
        assert_eq!(ask(&mut old, b"two").await.unwrap(), b"two");
        let nowhere = FaultProxy::start(0, "127.0.0.1:1").await.unwrap();
        assert!(ask(&mut client(&nowhere).await, b"one").await.is_err());
    }

    #[tokio::test]
    async fn a_connection_is_reset_after_so_many_bytes_or_when_told() {
        for faults in [
            Faults { reset_after_sent: Some(5), ..Faults::default() },
            Faults { reset_after_received: Some(5), ..Faults::default() },
        ] {
            let proxy = echo().await;
            proxy.set(faults);
            let mut stream = client(&proxy).await;
            assert_eq!(ask(&mut stream, b"four").await.unwrap(), b"four");
            let error = ask(&mut stream, b"four").await.unwrap_err();
            let reset = [io::ErrorKind::ConnectionReset, io::ErrorKind::BrokenPipe, io::ErrorKind::UnexpectedEof];
            assert!(reset.contains(&error.kind()), "{error:?}");
        }
        let proxy = echo().await;
        let mut stream = client(&proxy).await;
        ask(&mut stream, b"one").await.unwrap();
        proxy.reset_all();
        assert_eq!(stream.read(&mut [0]).await.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
        assert_eq!(ask(&mut client(&proxy).await, b"two").await.unwrap(), b"two");
    }

    #[tokio::test]
    async fn a_half_closed_connection_ends_for_the_reader_and_still_takes_what_is_written() {
        let proxy = echo().await;
        let mut stream = client(&proxy).await;
        ask(&mut stream, b"one").await.unwrap();
        proxy.set(Faults { half_close: true, ..Faults::default() });
        assert_eq!(stream.read(&mut [0]).await.unwrap(), 0);
        stream.write_all(b"two").await.unwrap();
    }

    #[test]
    fn every_option_of_the_usage_is_read() {
        for line in Faults::USAGE.lines() {
            let words: Vec<&str> = line.split_whitespace().collect();
            let value = words[1].chars().all(|c| c.is_ascii_uppercase()).then_some("7");
            let faults = Faults::parse(words.first().copied().into_iter().chain(value).map(str::to_owned)).unwrap();
            assert_ne!(faults, Faults::default(), "{line}");
        }
        assert!(Faults::parse(["--trickle".to_owned()]).is_err());
        assert!(Faults::parse(["--sometimes".to_owned()]).is_err());
    }
}
