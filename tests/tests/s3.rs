//! What is peculiar to artifacts on S3: an unreliable connection, wrong buckets and keys, what errors show.
#![expect(clippy::unwrap_used, reason = "a failed step is a failed test")]

use std::time::{Duration, Instant};

use bytes::Bytes;
use pipeline_core::ErrorKind;
use pipeline_core::error::{Error, Retryability, chain};
use pipeline_core::id::Digest;
use pipeline_core::storage::ArtifactStore as _;
use pipeline_store::{Artifacts, S3Options};
use pipeline_testkit::moto::MotoServer;
use pipeline_testkit::proxy::{FaultProxy, Faults};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

/// A fresh bucket behind a proxy, and a store that is quick to give up.
struct Line {
    server: &'static MotoServer,
    bucket: String,
    proxy: FaultProxy,
    store: Artifacts,
}

impl Line {
    async fn new() -> Option<Self> {
        let server = MotoServer::shared()?;
        let bucket = server.create_bucket();
        let proxy = FaultProxy::start(0, server.address().to_string()).await.unwrap();
        let store = Artifacts::s3(&format!("s3://{bucket}"), &quick(server.options_at(proxy.address()))).unwrap();
        Some(Self { server, bucket, proxy, store })
    }

    /// Returns what the server has of a digest, past the proxy and past the store.
    fn kept(&self, digest: Digest) -> Option<Vec<u8>> {
        let hex = digest.to_hex();
        self.server.object(&self.bucket, &format!("{}/{}/{hex}", &hex[..2], &hex[2..4]))
    }
}

fn quick(options: S3Options) -> S3Options {
    S3Options { timeout: Duration::from_secs(1), retries: 1, ..options }
}

/// Content that nothing compresses and no other test has.
fn content(size: usize) -> Bytes {
    let mut state = size as u32 | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state.to_le_bytes()[1]
    };
    (0..size).map(|_| next()).collect::<Vec<u8>>().into()
}

fn assert_transient(error: &Error) {
    assert!(matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::Timeout), "{error:?}");
    assert_eq!(error.retryability(), Retryability::Transient, "{error:?}");
}

#[tokio::test]
async fn a_put_that_is_cut_leaves_nothing_and_one_that_is_acknowledged_stays() {
    let Some(line) = Line::new().await else { return };
    let content = content(400_000);
    let digest = Digest::of(&content);
    line.proxy.set(Faults { reset_after_sent: Some(150_000), ..Faults::default() });
    assert_transient(&line.store.put(content.clone()).await.unwrap_err());
    assert_eq!(line.kept(digest), None);
    line.proxy.set(Faults::default());
    assert!(!line.store.contains(digest).await.unwrap());
    line.store.put(content.clone()).await.unwrap();
    line.proxy.set(Faults { refuse: true, ..Faults::default() });
    line.proxy.reset_all();
    assert_transient(&line.store.get(digest).await.unwrap_err());
    assert_eq!(line.kept(digest).unwrap(), content);
    line.proxy.set(Faults::default());
    assert_eq!(line.store.get(digest).await.unwrap(), content);
}

#[tokio::test]
async fn a_put_whose_answer_is_lost_is_tried_again_and_is_there_once() {
    let Some(line) = Line::new().await else { return };
    let content = content(200_001);
    let digest = Digest::of(&content);
    line.proxy.set(Faults { reset_after_received: Some(0), ..Faults::default() });
    assert_transient(&line.store.put(content.clone()).await.unwrap_err());
    line.proxy.set(Faults::default());
    let artifact = line.store.put(content.clone()).await.unwrap();
    assert_eq!((artifact.digest, line.kept(digest).unwrap()), (digest, content.to_vec()));
}

#[tokio::test]
async fn a_get_that_is_cut_is_transient_and_never_half_a_file() {
    let Some(line) = Line::new().await else { return };
    let content = content(400_003);
    let digest = line.store.put(content.clone()).await.unwrap().digest;
    line.proxy.set(Faults { reset_after_received: Some(150_000), ..Faults::default() });
    line.proxy.reset_all();
    assert_transient(&line.store.get(digest).await.unwrap_err());
    line.proxy.set(Faults::default());
    assert_eq!(line.store.get(digest).await.unwrap(), content);
}

#[tokio::test]
async fn a_black_hole_ends_by_the_limit_of_time() {
    let Some(line) = Line::new().await else { return };
    let digest = line.store.put(content(1_001)).await.unwrap().digest;
    line.proxy.set(Faults { black_hole: true, ..Faults::default() });
    let began = Instant::now();
    for error in [
        line.store.put(content(1_003)).await.unwrap_err(),
        line.store.get(digest).await.unwrap_err(),
        line.store.contains(digest).await.unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::Timeout, "{error:?}");
        assert_transient(&error);
    }
    assert!(began.elapsed() < Duration::from_mins(1), "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_trickle_ends_by_the_limit_of_time_and_does_no_harm() {
    let Some(line) = Line::new().await else { return };
    let kept = line.store.put(content(100_003)).await.unwrap().digest;
    line.proxy.set(Faults { trickle: Some(5_000), ..Faults::default() });
    let began = Instant::now();
    assert_transient(&line.store.put(content(100_001)).await.unwrap_err());
    assert_transient(&line.store.get(kept).await.unwrap_err());
    assert!(began.elapsed() < Duration::from_mins(1), "{:?}", began.elapsed());
    line.proxy.set(Faults::default());
    line.proxy.reset_all();
    assert_eq!(line.kept(Digest::of(&content(100_001))), None);
    line.store.put(content(100_001)).await.unwrap();
    assert_eq!(line.store.get(kept).await.unwrap(), content(100_003));
}

#[tokio::test]
async fn a_missing_bucket_is_named() {
    let Some(server) = MotoServer::shared() else { return };
    let store = Artifacts::s3("s3://nobody-made-this/team", &quick(server.options())).unwrap();
    for error in
        [store.put(Bytes::from_static(b"a")).await.unwrap_err(), store.get(Digest::of(b"a")).await.unwrap_err()]
    {
        assert_eq!((error.kind(), error.retryability()), (ErrorKind::NotFound, Retryability::Permanent));
        assert!(error.to_string().contains("bucket=nobody-made-this"), "{error}");
    }
}

#[tokio::test]
async fn nobody_at_the_endpoint_is_unavailable() {
    let options = S3Options { endpoint: Some("http://127.0.0.1:1".to_owned()), ..vendor("") };
    let store = Artifacts::s3("s3://photos", &options).unwrap();
    let error = store.put(Bytes::from_static(b"a")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert_transient(&error);
}

/// Options that lead to an address.
fn vendor(address: &str) -> S3Options {
    quick(S3Options {
        endpoint: Some(format!("http://{address}")),
        credentials: Some(pipeline_store::S3Credentials::new("AKIAHIDDEN", "hidden-secret")),
        ..S3Options::default()
    })
}

/// A server that answers everything with one status, and repeats in its answer what it was asked.
async fn parrot(status: u16) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut asked = vec![0; 8_192];
                let count = stream.read(&mut asked).await.unwrap_or(0);
                let asked = String::from_utf8_lossy(&asked[..count]).replace(['<', '>'], "");
                let text = format!("<Error><Code>SomeReason</Code><StringToSign>{asked}</StringToSign></Error>");
                let length = text.len();
                let head = format!("HTTP/1.1 {status} No\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n");
                stream.write_all((head + &text).as_bytes()).await.ok();
            });
        }
    });
    address
}

#[tokio::test]
async fn an_error_says_what_happened_and_shows_no_key_and_no_signature() {
    for (status, kind) in [
        (403, ErrorKind::Unauthorized),
        (500, ErrorKind::Unavailable),
        (503, ErrorKind::Unavailable),
        (400, ErrorKind::Invalid),
        (301, ErrorKind::Invalid),
    ] {
        let store = Artifacts::s3("s3://photos/team", &vendor(&parrot(status).await)).unwrap();
        for error in
            [store.put(Bytes::from_static(b"a")).await.unwrap_err(), store.get(Digest::of(b"a")).await.unwrap_err()]
        {
            assert_eq!(error.kind(), kind, "{error:?}");
            let shown = format!("{} {error:?} {store:?}", chain(&error));
            assert!(shown.contains("SomeReason") && shown.contains("s3://photos/team"), "{shown}");
            for secret in ["AKIAHIDDEN", "hidden", "Signature", "Credential", "StringToSign", "http://"] {
                assert!(!shown.contains(secret), "{secret} in {shown}");
            }
        }
    }
}

#[tokio::test]
async fn an_endpoint_on_another_machine_must_be_encrypted_or_allowed() {
    let far = S3Options { endpoint: Some("http://s3.example.com".to_owned()), ..vendor("") };
    assert_eq!(Artifacts::s3("s3://photos", &far).unwrap_err().kind(), ErrorKind::Invalid);
    Artifacts::s3("s3://photos", &S3Options { allow_http: true, ..far }).unwrap();
}
