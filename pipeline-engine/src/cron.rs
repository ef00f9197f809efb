//! When a recurring job is due: five fields of cron, in a time zone.

use croner::Cron as Pattern;
use croner::parser::{CronParser, Seconds, Year};
use jiff::tz::TimeZone;

use pipeline_core::Error;
use pipeline_core::time::Timestamp;

/// What is accepted, for people.
const ACCEPTED: &str = "five fields: minute (0-59), hour (0-23), day of month (1-31), month (1-12 or JAN-DEC), day of week \
     (0-7 or SUN-SAT), each * or numbers with , - and /, for example `0 6 * * MON-FRI`; or @hourly, @daily, @weekly, \
     @monthly, @yearly";

/// The words of cron, in a time zone.
#[derive(Debug)]
pub struct Cron {
    pattern: Pattern,
    zone: TimeZone,
}

impl Cron {
    /// Reads a pattern and the name of a time zone of the IANA database.
    ///
    /// # Errors
    /// `Invalid`, with what is accepted; also for a pattern no day ever fits.
    pub fn parse(every: &str, timezone: &str, now: Timestamp) -> Result<Self, Error> {
        let parser = CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).build();
        let wrong = |because: String| {
            Error::invalid("this is no pattern of cron")
                .with("every", every)
                .with("reason", because)
                .with("accepted", ACCEPTED)
        };
        let pattern = parser.parse(every).map_err(|error| wrong(error.to_string()))?;
        let zone = zone(timezone)?;
        let cron = Self { pattern, zone };
        cron.after(now).ok_or_else(|| wrong("no day ever fits".to_owned()))?;
        Ok(cron)
    }

    /// Returns the first occasion after a time. A time that the clock leaves out when it is put on counts as the first one
    /// after the gap, and one that it shows twice counts once, unless the pattern recurs within the hour.
    pub fn after(&self, time: Timestamp) -> Option<Timestamp> {
        let time = jiff::Timestamp::from_microsecond(time.as_micros()).ok()?.to_zoned(self.zone.clone());
        let next = self.pattern.find_next_occurrence(&time, false).ok()?;
        Some(Timestamp::from_micros(next.timestamp().as_microsecond()))
    }
}

fn zone(name: &str) -> Result<TimeZone, Error> {
    if name.eq_ignore_ascii_case("utc") {
        return Ok(TimeZone::UTC);
    }
    TimeZone::get(name).map_err(|error| {
        Error::invalid("there is no such time zone on this machine")
            .with("timezone", name)
            .with("accepted", "a name of the IANA database, such as Europe/Berlin, or UTC")
            .because(error)
    })
}

/// Returns the name of the machine's time zone; `UTC` where it has none that others would know.
pub fn local_timezone() -> String {
    TimeZone::system().iana_name().unwrap_or("UTC").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        Timestamp::from_micros(text.parse::<jiff::Timestamp>().unwrap().as_microsecond())
    }

    fn next(every: &str, zone: &str, from: &str) -> String {
        let from = at(from);
        Cron::parse(every, zone, from).unwrap().after(from).unwrap().to_string()
    }

    #[test]
    fn the_next_occasion_is_after_the_time_and_in_the_zone() {
        assert_eq!(next("0 6 * * *", "UTC", "2026-11-26T05:59:59Z"), "2026-11-26T06:00:00Z");
        assert_eq!(next("0 6 * * *", "utc", "2026-11-26T06:00:00Z"), "2026-11-27T06:00:00Z");
        assert_eq!(next("*/15 8-9 * * MON-FRI", "UTC", "2026-11-27T09:45:00Z"), "2026-11-30T08:00:00Z");
        assert_eq!(next("@monthly", "UTC", "2026-11-26T06:00:00Z"), "2026-12-01T00:00:00Z");
        assert_eq!(next("0 0 29 2 *", "UTC", "2026-11-26T06:00:00Z"), "2028-02-29T00:00:00Z");
    }

    #[test]
    fn a_zone_goes_through_its_changes_of_the_clock() {
        if TimeZone::get("Europe/Berlin").is_err() {
            return;
        }
        assert_eq!(next("30 2 * * *", "Europe/Berlin", "2026-11-26T00:00:00Z"), "2026-11-26T01:30:00Z");
        // 02:30 is not there on 28 March 2027, and twice on 31 October.
        assert_eq!(next("30 2 * * *", "Europe/Berlin", "2027-03-27T12:00:00Z"), "2027-03-28T01:00:00Z");
        assert_eq!(next("30 2 * * *", "Europe/Berlin", "2027-10-30T12:00:00Z"), "2027-10-31T00:30:00Z");
        assert_eq!(next("30 2 * * *", "Europe/Berlin", "2027-10-31T00:30:00Z"), "2027-11-01T01:30:00Z");
    }

    #[test]
    fn anything_else_is_refused_with_field_value_and_what_is_accepted() {
        let now = at("2026-11-26T06:00:00Z");
        for wrong in ["", "daily", "* * * *", "0 0 6 * * *", "61 * * * *", "* 24 * * *", "0 6 * * FUN", "0 0 31 2 *"] {
            let error = Cron::parse(wrong, "UTC", now).unwrap_err().to_string();
            assert!(error.contains("every") && error.contains("five fields"), "{wrong}: {error}");
        }
        let error = Cron::parse("0 6 * * *", "Mars/Olympus", now).unwrap_err().to_string();
        assert!(error.contains("Mars/Olympus") && error.contains("Europe/Berlin"), "{error}");
    }
}
