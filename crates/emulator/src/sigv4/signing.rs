//! The string to sign and the signature over it ("Create a signed AWS API request", IAM user guide).

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};
use time::{Date, Month, OffsetDateTime, Time, UtcOffset};

use super::authorization::{ALGORITHM, Authorization};

pub(super) fn string_to_sign(signed_at: OffsetDateTime, scope: &str, canonical_request: &str) -> String {
    let hash = hex::encode(Sha256::digest(canonical_request.as_bytes()));
    format!("{ALGORITHM}\n{}\n{scope}\n{hash}", basic(signed_at))
}

/// Whether the header's signature is the one that the secret key gives for `text`; compares in constant time.
pub(super) fn is_signature_of(text: &str, authorization: &Authorization, secret_access_key: &str) -> bool {
    let Authorization { day, region, service, terminator, signature, .. } = authorization;
    let mut key = format!("AWS4{secret_access_key}").into_bytes();
    for step in [day, region, service, terminator] {
        let Some(mac) = keyed(&key, step) else { return false };
        key = mac.finalize().into_bytes().to_vec();
    }
    let Ok(signature) = hex::decode(signature) else { return false };
    keyed(&key, text).is_some_and(|mac| mac.verify_slice(&signature).is_ok())
}

/// The MAC of a message. HMAC takes keys of every length, so there always is one.
fn keyed(key: &[u8], message: &str) -> Option<Hmac<Sha256>> {
    let mut mac = Hmac::new_from_slice(key).ok()?;
    mac.update(message.as_bytes());
    Some(mac)
}

/// A time in the basic format of ISO 8601, `YYYYMMDDTHHMMSSZ`.
pub(super) fn basic(time: OffsetDateTime) -> String {
    let time = time.to_offset(UtcOffset::UTC);
    let (year, month, day) = (time.year(), u8::from(time.month()), time.day());
    format!("{year:04}{month:02}{day:02}T{:02}{:02}{:02}Z", time.hour(), time.minute(), time.second())
}

/// The day, `YYYYMMDD`, of a time in the basic format.
pub(super) fn day(basic: &str) -> &str {
    basic.split('T').next().unwrap_or_default()
}

pub(super) fn parse_basic(text: &str) -> Option<OffsetDateTime> {
    let (day, time) = text.strip_suffix('Z')?.split_once('T')?;
    let is_number =
        |text: &str, length| text.len() == length && text.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number(day, 8) || !is_number(time, 6) {
        return None;
    }
    let (year, month, day) = (day[..4].parse().ok()?, day[4..6].parse::<u8>().ok()?, day[6..].parse().ok()?);
    let date = Date::from_calendar_date(year, Month::try_from(month).ok()?, day).ok()?;
    let (hour, minute, second) = (time[..2].parse().ok()?, time[2..4].parse().ok()?, time[4..].parse().ok()?);
    Some(date.with_time(Time::from_hms(hour, minute, second).ok()?).assume_utc())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn times_are_read_strictly() {
        let time = parse_basic("20150830T123600Z").unwrap();
        assert_eq!(time.unix_timestamp(), 1_440_938_160);
        for text in ["20150830T123600", "20151330T123600Z", "20150830T253600Z", "2015-08-30T12:36:00Z", "é"]
        {
            assert_eq!(parse_basic(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_time_survives_writing(seconds in 0_i64..4_000_000_000, text in any::<String>()) {
            let time = OffsetDateTime::from_unix_timestamp(seconds).unwrap();
            prop_assert_eq!(parse_basic(&basic(time)), Some(time));
            let _ = parse_basic(&text);
        }
    }
}
