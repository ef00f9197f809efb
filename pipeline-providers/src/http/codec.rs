//! Requests into JSON, answers into words of the port; nothing here talks to anyone.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use jiff::fmt::rfc2822::DateTimeParser;
use pipeline_core::error::{Error, ErrorKind, Result, Retryability};
use pipeline_core::model::Money;
use pipeline_core::provider::{
    GenerateRequest, GenerateResponse, GeneratedImage, ImageCapabilities, ImageContent, ImageFile, Usage,
};
use pipeline_core::time::Timestamp;
use serde::de::DeserializeOwned;

use super::wire::{Delivered, Order, Picture, Problem, Refusal, Status, Submitted, Task};
use crate::local::image::sniff;

/// The longest a vendor may ask to be left alone; more is a mistake or a joke.
const LONGEST_WAIT: Duration = Duration::from_secs(3600);

/// What was asked for, which decides what an answer means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// An order, which costs money.
    Order {
        /// Whether a repeat with the same key is not charged again.
        idempotent: bool,
    },
    /// How a task stands.
    Task,
    /// A file, which is free.
    File,
}

impl Asked {
    /// What may be done when it is not known what became of the request.
    pub(super) fn unsure(self) -> Retryability {
        match self {
            Self::Order { .. } | Self::Task => Retryability::Indeterminate,
            Self::File => Retryability::Transient,
        }
    }
}

/// How a task stands.
#[derive(Debug)]
pub(super) enum Standing {
    Running,
    Done(GenerateResponse),
}

/// Writes an order down.
///
/// # Errors
/// `Unsupported` for what the vendor cannot honour.
pub(super) fn order(request: &GenerateRequest, model: Option<&str>, able: &ImageCapabilities) -> Result<Vec<u8>> {
    let unsupported = |field: &'static str, value: String, accepted: String| {
        let error = Error::new(ErrorKind::Unsupported, "the vendor cannot honour the option");
        error.with("field", field).with("value", value).with("accepted", accepted)
    };
    for (field, side) in [("size.width", request.size.width), ("size.height", request.size.height)] {
        if !(able.min_side..=able.max_side).contains(&side) || !side.is_multiple_of(able.step.max(1)) {
            let accepted = format!("{} to {}, a multiple of {}", able.min_side, able.max_side, able.step);
            return Err(unsupported(field, side.to_string(), accepted));
        }
    }
    if request.seeds.is_empty() {
        return Err(Error::invalid("no picture asked for").with("field", "seeds").with("value", 0));
    }
    if request.seeds.len() > able.max_per_call as usize {
        return Err(unsupported("seeds", request.seeds.len().to_string(), format!("1 to {}", able.max_per_call)));
    }
    if request.negative_prompt.is_some() && !able.negative_prompt {
        return Err(unsupported("negative_prompt", "set".to_owned(), "none".to_owned()));
    }
    if let Some(style) = request.style.as_ref().filter(|style| !able.styles.contains(style)) {
        let accepted = if able.styles.is_empty() { "none".to_owned() } else { able.styles.join(", ") };
        return Err(unsupported("style", style.clone(), accepted));
    }
    let order = Order {
        model,
        prompt: &request.prompt,
        negative_prompt: request.negative_prompt.as_deref(),
        style: request.style.as_deref(),
        width: request.size.width,
        height: request.size.height,
        n: request.seeds.len(),
        seeds: &request.seeds,
    };
    serde_json::to_vec(&order).map_err(|error| Error::unexpected("cannot write the order down").because(error))
}

/// Reads the id of a new task.
pub(super) fn submitted(body: &[u8]) -> Result<String> {
    let Submitted { id } = read(body)?;
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | ':' | '~' | '=' | '@');
    // It becomes part of an address, and of the ledger.
    if id.is_empty() || id.len() > 256 || !id.chars().all(plain) || id.chars().all(|c| c == '.') {
        return Err(nonsense(body.len()));
    }
    Ok(id)
}

/// Reads how a task stands.
///
/// # Errors
/// What ended the task, when it failed; `Corrupt` for an answer that makes no sense.
pub(super) fn standing(body: &[u8], id: &str, wanted: usize) -> Result<Standing> {
    let task: Task = read(body)?;
    match (task.status, task.images) {
        (Status::Queued | Status::Running, _) => Ok(Standing::Running),
        (Status::Succeeded, Some(images)) => {
            let delivered = Delivered { id: Some(id.to_owned()), images, cost_micros: task.cost_micros };
            Ok(Standing::Done(response(delivered, wanted, body.len())?))
        }
        (Status::Succeeded, None) => Err(nonsense(body.len())),
        (Status::Failed, _) => Err(if task.error.is_some_and(|problem| is_refusal(&problem)) {
            Error::new(ErrorKind::Refused, "the vendor's safety system said no")
        } else {
            Error::new(ErrorKind::Unavailable, "the vendor's task has failed")
        }),
    }
}

/// Reads the answer to a direct order.
pub(super) fn delivered(body: &[u8], wanted: usize) -> Result<GenerateResponse> {
    response(read(body)?, wanted, body.len())
}

fn response(delivered: Delivered, wanted: usize, size: usize) -> Result<GenerateResponse> {
    let Delivered { id, images, cost_micros } = delivered;
    let mut known = vec![false; wanted];
    let images = images.into_iter().map(|Picture { index, seed, b64, url }| {
        match known.get_mut(index) {
            Some(seen @ false) => *seen = true,
            Some(true) | None => return Err(nonsense(size)),
        }
        let content = match (b64, url) {
            (Some(text), None) => {
                ImageContent::Inline(picture(STANDARD.decode(text).map_err(|_| nonsense(size))?.into())?)
            }
            (None, Some(link)) => ImageContent::Remote(link),
            (None, None) | (Some(_), Some(_)) => return Err(nonsense(size)),
        };
        Ok(GeneratedImage { index, content, seed })
    });
    let images = images.collect::<Result<Vec<_>>>()?;
    if cost_micros.is_some_and(|cost| cost < 0) {
        return Err(nonsense(size));
    }
    let usage = Usage { cost: cost_micros.map(Money::from_micros), external_id: id, ..Usage::default() };
    Ok(GenerateResponse { images, usage })
}

/// Takes bytes for a picture, when they are one.
pub(super) fn picture(bytes: Bytes) -> Result<ImageFile> {
    match sniff(&bytes) {
        Some(media_type) if media_type.is_image() => Ok(ImageFile { bytes, media_type }),
        _ => Err(Error::corrupt("the vendor delivered something that is no picture")
            .with("bytes", bytes.len())
            .retry(Retryability::Indeterminate)),
    }
}

/// Classifies an answer that is no success. Its body is never repeated: it may hold the key or the prompt.
pub(super) fn refusal(asked: Asked, status: u16, retry_after: Option<&str>, now: Timestamp, body: &[u8]) -> Error {
    let error = |kind, message: &str| Error::new(kind, message).with("status", status);
    let refused = || serde_json::from_slice::<Refusal>(body).is_ok_and(|refusal| is_refusal(&refusal.error));
    let idempotent = asked == Asked::Order { idempotent: true };
    let answer = match status {
        300..=399 => error(ErrorKind::Unexpected, "the vendor redirects, which is not followed"),
        400 if refused() => error(ErrorKind::Refused, "the vendor's safety system said no"),
        401 | 403 => error(ErrorKind::Unauthorized, "the vendor does not accept the key"),
        402 => error(ErrorKind::Exhausted, "the vendor wants to be paid first").retry(Retryability::Permanent),
        404 | 410 => error(ErrorKind::NotFound, "the vendor does not know it"),
        408 => error(ErrorKind::Timeout, "the vendor gave the request up"),
        409 if idempotent => error(ErrorKind::Unavailable, "the vendor is still at an earlier try of this call")
            .retry(Retryability::Indeterminate),
        409 => error(ErrorKind::Conflict, "the vendor sees a conflict"),
        429 => {
            let after = retry_after.and_then(|text| wait(text, now));
            return error(ErrorKind::RateLimited, "too many requests").retry(Retryability::Throttled { after });
        }
        400..=499 => error(ErrorKind::Invalid, "the vendor does not accept the request"),
        502 | 504 | 520..=524 => {
            error(ErrorKind::Unavailable, "the vendor's gateway got no answer").retry(asked.unsure())
        }
        500..=599 => error(ErrorKind::Unavailable, "the vendor has trouble"),
        _ => error(ErrorKind::Unexpected, "the vendor answered with an unknown status").retry(asked.unsure()),
    };
    // No answer about a task but its own end says that it ended.
    if asked == Asked::Task { answer.retry(Retryability::Indeterminate) } else { answer }
}

/// Reads `Retry-After`: seconds, or a date (RFC 9110, section 10.2.3).
fn wait(text: &str, now: Timestamp) -> Option<Duration> {
    let text = text.trim();
    let after = match text.parse::<f64>() {
        Ok(seconds) => Duration::try_from_secs_f64(seconds.clamp(0.0, LONGEST_WAIT.as_secs_f64())).ok()?,
        Err(_) => {
            let date = DateTimeParser::new().parse_timestamp(text).ok()?;
            Timestamp::from_micros(date.as_microsecond()).since(now)
        }
    };
    Some(after.min(LONGEST_WAIT))
}

fn is_refusal(problem: &Problem) -> bool {
    matches!(problem.code.as_deref(), Some("moderation" | "content_policy"))
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T> {
    serde_json::from_slice(body).map_err(|_| nonsense(body.len()))
}

/// An answer that makes no sense may have been charged all the same. The cause is left out: it may repeat the body.
fn nonsense(size: usize) -> Error {
    Error::corrupt("the vendor's answer has the wrong shape").with("bytes", size).retry(Retryability::Indeterminate)
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
