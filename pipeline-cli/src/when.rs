//! Points in time and spans of it as people type them.

use std::time::Duration;

use jiff::civil::{Date, Time};
use jiff::{Timestamp as Instant, Zoned};

use pipeline_core::time::Timestamp;

use crate::output::{Failure, clean};

/// When a job is to start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Start {
    /// The time.
    pub(crate) at: Timestamp,
    /// What was asked for, in one spelling, where its meaning depends on the moment.
    pub(crate) asked: Option<String>,
}

/// Reads `--at`: a time with its offset (RFC 3339), the next `HH:MM` of the local clock, or `+SPAN` from now.
pub(crate) fn start(text: &str, now: &Zoned) -> Result<Start, Failure> {
    let wrong = || {
        Failure::wrong(format!("--at `{}` is no time", clean(text)))
            .hint("expected a time such as 2026-11-23T05:27:00Z, HH:MM, or a span from now such as +2h30m")
    };
    let micros = |instant: Instant| Timestamp::from_micros(instant.as_microsecond());
    if let Some(rest) = text.strip_prefix('+') {
        let span = read_span(rest).ok_or_else(wrong)?;
        return Ok(Start { at: micros(now.timestamp()).after(span), asked: Some(format!("+{}s", span.as_secs())) });
    }
    if let Some(time) = clock_time(text) {
        let next = next(time, now).ok_or_else(wrong)?;
        return Ok(Start { at: micros(next), asked: Some(time.strftime("%H:%M").to_string()) });
    }
    text.parse().map(|instant| Start { at: micros(instant), asked: None }).map_err(|_| wrong())
}

/// Returns when the local clock shows a time next.
fn next(time: Time, now: &Zoned) -> Option<Instant> {
    let on = |date: Date| Some(date.to_datetime(time).to_zoned(now.time_zone().clone()).ok()?.timestamp());
    let today = on(now.date())?;
    if today > now.timestamp() { Some(today) } else { on(now.date().tomorrow().ok()?) }
}

/// Reads a moment that has been: a time with its offset (RFC 3339), or a day, which begins at midnight UTC.
pub(crate) fn moment(option: &str, text: &str) -> Result<Timestamp, Failure> {
    let day = |date: Date| date.to_zoned(jiff::tz::TimeZone::UTC).ok().map(|zoned| zoned.timestamp());
    let found = text.parse::<Instant>().ok().or_else(|| text.parse::<Date>().ok().and_then(day));
    found.map(|instant| Timestamp::from_micros(instant.as_microsecond())).ok_or_else(|| {
        Failure::wrong(format!("{option} `{}` is no time", clean(text)))
            .hint("expected a time such as 2026-11-23T05:27:00Z, or a day such as 2026-11-23 (UTC)")
    })
}

/// Reads a span such as `90s`, `10m` or `1d2h`.
pub(crate) fn span(option: &str, text: &str) -> Result<Duration, Failure> {
    let found = read_span(text).filter(|span| !span.is_zero());
    found.ok_or_else(|| {
        Failure::wrong(format!("{option} `{}` is no span of time", clean(text)))
            .hint("expected for example 90s, 10m or 2h30m, more than nothing")
    })
}

/// Days, hours, minutes and seconds, each at most once, the largest first.
fn read_span(text: &str) -> Option<Duration> {
    let mut rest = text;
    let mut seconds: u64 = 0;
    for (unit, size) in [('d', 86_400), ('h', 3_600), ('m', 60), ('s', 1)] {
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (number, after) = rest.split_at(digits);
        if let Some(after) = after.strip_prefix(unit) {
            seconds = seconds.checked_add(number.parse::<u64>().ok()?.checked_mul(size)?)?;
            rest = after;
        }
    }
    // A hundred years are beyond any plan.
    (rest.is_empty() && !text.is_empty() && seconds <= 3_155_760_000).then(|| Duration::from_secs(seconds))
}

fn clock_time(text: &str) -> Option<Time> {
    let (hour, minute) = text.split_once(':')?;
    let number = |text: &str| if text.len() <= 2 { text.parse::<u8>().ok()?.try_into().ok() } else { None };
    Time::new(number(hour)?, number(minute)?, 0, 0).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Result<String, Failure> {
        start(text, &now()).map(|start| start.at.to_string())
    }

    fn now() -> Zoned {
        "2026-11-23T14:30:00+01:00[+01:00]".parse().unwrap()
    }

    #[test]
    fn a_time_is_absolute_or_the_next_on_the_clock_or_counted_from_now() {
        assert_eq!(at("2026-11-24T05:27:00Z").unwrap(), "2026-11-24T05:27:00Z");
        assert_eq!(at("2026-11-24T05:27:00+02:00").unwrap(), "2026-11-24T03:27:00Z");
        assert_eq!(at("22:15").unwrap(), "2026-11-23T21:15:00Z");
        assert_eq!(at("14:30").unwrap(), "2026-11-24T13:30:00Z", "today's has come");
        assert_eq!(at("9:05").unwrap(), "2026-11-24T08:05:00Z");
        assert_eq!(at("+2h30m").unwrap(), "2026-11-23T16:00:00Z");
        assert_eq!(at("+1d30s").unwrap(), "2026-11-24T13:30:30Z");
    }

    #[test]
    fn what_depends_on_the_moment_is_kept_as_it_was_asked_for() {
        let asked = |text: &str| start(text, &now()).unwrap().asked;
        assert_eq!(asked("2026-11-24T05:27:00+02:00"), None);
        assert_eq!(asked("9:05"), Some("09:05".to_owned()));
        assert_eq!(asked("09:05"), asked("9:5"));
        assert_eq!(asked("+2h30m"), asked("+150m"));
    }

    #[test]
    fn anything_else_is_refused_with_what_is_accepted() {
        for wrong in
            ["", "soon", "25:00", "12:61", "2026-11-23", "2026-11-23T05:27:00", "+", "+2", "+30m2h", "+2h2h", "-5m"]
        {
            let lines = at(wrong).unwrap_err().lines().join("\n");
            assert!(lines.contains("--at") && lines.contains("+2h30m"), "{wrong}: {lines}");
        }
        assert!(at("+99999999999999999999s").is_err() && at("+9999999d").is_err());
    }

    #[test]
    fn a_span_is_more_than_nothing() {
        assert_eq!(span("--for", "2h30m"), Ok(Duration::from_secs(9_000)));
        for wrong in ["0s", "", "5", "1.5h", "m"] {
            assert!(span("--for", wrong).is_err(), "{wrong}");
        }
    }
}
