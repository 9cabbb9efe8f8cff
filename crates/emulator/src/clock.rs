//! The emulator's time of day, which a test can move.

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use time::OffsetDateTime;

/// Where the emulator reads the time that expiries are measured by.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> SystemTime + Send + Sync>);

impl Clock {
    /// The machine's own clock.
    #[expect(clippy::disallowed_methods, reason = "this is the edge at which the emulator reads the clock")]
    pub fn system() -> Self {
        Self(Arc::new(SystemTime::now))
    }

    /// A clock that asks `read` each time, for tests that make credentials expire.
    pub fn from_fn(read: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        Self(Arc::new(read))
    }

    /// The time that it shows.
    pub fn read(&self) -> SystemTime {
        (self.0)()
    }

    pub(crate) fn now(&self) -> OffsetDateTime {
        OffsetDateTime::from(self.read())
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::system()
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Clock").field(&self.read()).finish()
    }
}

/// A time as AWS writes it in XML and in instance metadata: RFC 3339, UTC, whole seconds.
pub(crate) fn rfc3339(time: OffsetDateTime) -> String {
    let time = time.to_offset(time::UtcOffset::UTC);
    let (date, hour, minute, second) = (time.date(), time.hour(), time.minute(), time.second());
    format!("{date}T{hour:02}:{minute:02}:{second:02}Z")
}

/// A time as HTTP writes it in `Date` (RFC 9110 §5.6.7).
pub(crate) fn http_date(time: OffsetDateTime) -> String {
    let time = time.to_offset(time::UtcOffset::UTC);
    let (weekday, month) = (time.weekday().to_string(), time.month().to_string());
    let (day, year, hour) = (time.day(), time.year(), time.hour());
    let (minute, second) = (time.minute(), time.second());
    format!("{weekday:.3}, {day:02} {month:.3} {year} {hour:02}:{minute:02}:{second:02} GMT")
}

/// A time as AWS writes it in JSON 1.1: seconds since 1970, with milliseconds as the fraction.
pub(crate) fn epoch_seconds(time: OffsetDateTime) -> f64 {
    time.unix_timestamp() as f64 + f64::from(time.millisecond()) / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_aws_writes_them() {
        let time =
            OffsetDateTime::from_unix_timestamp(1_757_147_299).unwrap() + time::Duration::milliseconds(250);
        assert_eq!(rfc3339(time), "2025-09-06T08:28:19Z");
        assert_eq!(epoch_seconds(time), 1_757_147_299.25);
        assert_eq!(http_date(time), "Sat, 06 Sep 2025 08:28:19 GMT");
    }
}
