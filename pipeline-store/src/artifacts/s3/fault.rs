//! Which kind of error a caller sees when S3 fails; without keys, signatures and the text of answers.

use std::error::Error as StdError;

use pipeline_core::error::{Error, ErrorKind};
use reqwest::StatusCode;

use super::transport::{Cause, Failure, busy};

/// Classifies an error of the bucket at `location`.
pub(in crate::artifacts) fn classify(error: &object_store::Error, doing: &'static str, location: &str) -> Error {
    let told = |kind| Error::new(kind, doing).with("artifacts", location);
    if let Some(failure) = find::<Failure>(error) {
        let kind = kind(&failure.cause);
        let bucket = matches!(&failure.cause, Cause::Answer { code: Some(code), .. } if code == "NoSuchBucket");
        let (text, cause) = (failure.to_string(), failure.source().map(pipeline_core::error::chain));
        let text = cause.map_or(text.clone(), |cause| format!("{text}: {cause}"));
        if bucket {
            let name = location.strip_prefix("s3://").and_then(|rest| rest.split('/').next()).unwrap_or(location);
            return Error::not_found("there is no such bucket").with("bucket", name).because(text);
        }
        return told(kind).because(text);
    }
    let kind = match error {
        object_store::Error::NotFound { .. } => ErrorKind::NotFound,
        object_store::Error::AlreadyExists { .. } | object_store::Error::Precondition { .. } => ErrorKind::Conflict,
        object_store::Error::PermissionDenied { .. } | object_store::Error::Unauthenticated { .. } => {
            ErrorKind::Unauthorized
        }
        _ => ErrorKind::Unexpected,
    };
    match root(error) {
        Some(root) => told(kind).because(root),
        None => told(kind),
    }
}

fn kind(cause: &Cause) -> ErrorKind {
    match cause {
        Cause::Answer { status, .. } => match *status {
            StatusCode::NOT_FOUND => ErrorKind::NotFound,
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => ErrorKind::Unauthorized,
            StatusCode::NOT_IMPLEMENTED => ErrorKind::Unsupported,
            StatusCode::INSUFFICIENT_STORAGE => ErrorKind::Exhausted,
            status if busy(status) => ErrorKind::Unavailable,
            status if status.is_redirection() || status == StatusCode::BAD_REQUEST => ErrorKind::Invalid,
            _ => ErrorKind::Unexpected,
        },
        Cause::Late => ErrorKind::Timeout,
        Cause::Unreachable(_) | Cause::Broken(_) => ErrorKind::Unavailable,
    }
}

/// Returns the text of the first cause. The errors above it repeat addresses and answers.
pub(super) fn root(error: &object_store::Error) -> Option<String> {
    let mut last = error.source()?;
    while let Some(next) = last.source() {
        last = next;
    }
    Some(last.to_string())
}

fn find<'e, T: StdError + 'static>(error: &'e (dyn StdError + 'static)) -> Option<&'e T> {
    let mut next = Some(error);
    while let Some(cause) = next {
        if let Some(found) = cause.downcast_ref::<T>() {
            return Some(found);
        }
        next = cause.source();
    }
    None
}

#[cfg(test)]
mod tests {
    use object_store::client::{HttpError, HttpErrorKind};
    use pipeline_core::error::{Retryability, chain};

    use super::*;

    fn answered(status: u16, code: Option<&str>) -> Error {
        let cause = Cause::Answer {
            status: StatusCode::from_u16(status).unwrap(),
            code: code.map(str::to_owned),
            region: (status == 301).then(|| "eu-north-1".to_owned()),
        };
        let failure = HttpError::new(HttpErrorKind::Unknown, Failure { credentials: false, cause });
        let error = object_store::Error::Generic { store: "S3", source: Box::new(failure) };
        classify(&error, "cannot write an artifact", "s3://photos/team")
    }

    #[test]
    fn an_answer_says_what_a_retry_can_do() {
        for (status, kind) in [
            (500, ErrorKind::Unavailable),
            (503, ErrorKind::Unavailable),
            (429, ErrorKind::Unavailable),
            (403, ErrorKind::Unauthorized),
            (401, ErrorKind::Unauthorized),
            (404, ErrorKind::NotFound),
            (301, ErrorKind::Invalid),
            (400, ErrorKind::Invalid),
            (501, ErrorKind::Unsupported),
            (418, ErrorKind::Unexpected),
        ] {
            let error = answered(status, None);
            assert_eq!(error.kind(), kind, "{status}");
            let transient = kind == ErrorKind::Unavailable;
            assert_eq!(error.retryability() == Retryability::Transient, transient, "{status}");
        }
        assert!(chain(&answered(403, Some("AccessDenied"))).ends_with("the service answered 403 AccessDenied"));
        assert!(chain(&answered(301, None)).contains("eu-north-1"));
    }

    #[test]
    fn a_missing_bucket_is_named() {
        let error = answered(404, Some("NoSuchBucket"));
        assert_eq!((error.kind(), error.to_string().contains("bucket=photos")), (ErrorKind::NotFound, true), "{error}");
    }
}
