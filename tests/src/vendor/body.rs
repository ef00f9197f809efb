//! Bodies that come in small pieces, have no end, or never come whole.

use std::io;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures::StreamExt as _;
use futures::stream;

use super::script::Drip;

/// Sends the body in small pieces, when asked to.
pub(super) fn dripped(response: Response, drip: Option<Drip>) -> Response {
    let Some(Drip { bytes, pause }) = drip else { return response };
    let (parts, body) = response.into_parts();
    let pieces = body.into_data_stream().flat_map(move |whole| {
        let pieces: Vec<Result<Bytes, axum::Error>> = match whole {
            Ok(whole) => whole.chunks(bytes.max(1)).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect(),
            Err(error) => vec![Err(error)],
        };
        stream::iter(pieces)
    });
    let slow = pieces.then(move |piece| async move {
        tokio::time::sleep(pause).await;
        piece
    });
    Response::from_parts(parts, Body::from_stream(slow))
}

/// An answer whose connection is closed in the middle.
pub(super) fn cut() -> Response {
    let broken: Result<&'static str, io::Error> = Err(io::ErrorKind::ConnectionReset.into());
    Body::from_stream(stream::iter([broken])).into_response()
}

/// An answer that has no end.
pub(super) fn endless() -> Response {
    let piece = || Ok::<_, io::Error>(Bytes::from_static(&[b' '; 16 * 1024]));
    Body::from_stream(stream::repeat_with(piece)).into_response()
}
