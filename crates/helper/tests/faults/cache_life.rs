//! Rows 13, 17 and 22: tokens that are too old, live shortly, or come from another time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};

use crate::said::{assert_says, fault, held};
use crate::stage::aws::{self, PASSWORD};
use crate::stage::responder::{Reply, Responder};
use crate::stage::{FRANKFURT, Stage};

const HOUR: u64 = 60 * 60;

/// AWS, which can be told to fail or to say nothing, and a home where a token of it is cached.
struct Cached {
    aws: Responder,
    fails: Arc<AtomicBool>,
    is_silent: Arc<AtomicBool>,
    stage: Stage,
}

impl Cached {
    fn new() -> Self {
        let (fails, is_silent) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        let (failing, silent) = (Arc::clone(&fails), Arc::clone(&is_silent));
        let aws = Responder::start(move |request| {
            if silent.load(Ordering::SeqCst) {
                return Reply::Silence;
            }
            if failing.load(Ordering::SeqCst) {
                return aws::refusal(500, "ServerException", "oops");
            }
            aws::token(request)
        });
        let stage = Stage::with(&aws);
        assert_eq!(stage.get(FRANKFURT).secret(), PASSWORD);
        Self { aws, fails, is_silent, stage }
    }

    /// Makes the entry one that was issued and expires at these times.
    fn set_times(&self, issued_at: u64, expires_at: u64) {
        let [path] = self.stage.cached_files("json").try_into().unwrap();
        let mut entry: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        entry["issued_at"] = json!(issued_at);
        entry["expires_at"] = json!(expires_at);
        std::fs::write(&path, entry.to_string()).unwrap();
    }
}

#[test]
fn row_13_aws_fails_and_the_token_is_old() {
    fault("AWS fails while the cached token is past half of its life, or has expired");
    let cached = Cached::new();
    cached.fails.store(true, Ordering::SeqCst);
    let now = aws::now();
    cached.set_times(now - 11 * HOUR, now + HOUR);
    let run = cached.stage.get(FRANKFURT);
    assert_eq!(run.secret(), PASSWORD);
    assert_says(&run.stderr, &["still valid, could not be refreshed", "oops"]);

    for expired in [now - 1, now - HOUR, now - 300 * HOUR] {
        cached.set_times(expired - 12 * HOUR, expired);
        assert_says(cached.stage.get(FRANKFURT).not_found(), &["AWS failed", "oops"]);
    }

    // AWS says nothing: the refresh is given up soon, and nobody asks again for a while.
    cached.fails.store(false, Ordering::SeqCst);
    assert_eq!(cached.stage.get(FRANKFURT).secret(), PASSWORD);
    cached.is_silent.store(true, Ordering::SeqCst);
    cached.set_times(now - 11 * HOUR, now + HOUR);
    let before = cached.aws.count();
    for _ in 0..3 {
        let run = cached.stage.get(FRANKFURT).within(5);
        assert_eq!(run.secret(), PASSWORD);
        assert_says(&run.stderr, &["still valid, could not be refreshed", "no answer after"]);
    }
    assert_eq!(cached.aws.count(), before + 1);
    held("served while it is valid, at once but for one short try a minute; never after it has expired");
}

#[test]
fn row_17_a_token_that_lives_for_a_minute() {
    fault("AWS hands out a token that expires in 60 seconds");
    let expires_at = aws::now() + 60;
    let aws =
        Responder::start(move |request| aws::answer(request, |data| data["expiresAt"] = json!(expires_at)));
    let stage = Stage::with(&aws);
    assert_eq!(stage.get(FRANKFURT).secret(), PASSWORD);
    let [path] = stage.cached_files("json").try_into().unwrap();
    let entry: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    assert_eq!(entry["expires_at"], json!(expires_at), "kept past its expiry");

    // A minute later.
    let mut later = entry.clone();
    later["issued_at"] = json!(expires_at - 121);
    later["expires_at"] = json!(expires_at - 61);
    std::fs::write(&path, later.to_string()).unwrap();
    let before = aws.count();
    assert_eq!(stage.get(FRANKFURT).secret(), PASSWORD);
    assert_eq!(aws.count(), before + 1);
    held("served, and kept exactly until it expires");
}

#[test]
fn row_22_clocks_that_differ() {
    fault("our clock is 10 minutes or 13 hours before or behind that of AWS, or jumps");
    // AWS's clock shows in when it says that a token expires, 12 hours from what it takes for now.
    for (seconds, is_served) in [(-600_i64, true), (600, true), (13 * 3600, true), (-13 * 3600, false)] {
        let expires_at = aws::now().strict_add(12 * HOUR).strict_add_signed(seconds);
        let aws = Responder::start(move |request| {
            aws::answer(request, |data| data["expiresAt"] = json!(expires_at))
        });
        let stage = Stage::with(&aws);
        let run = stage.get(FRANKFURT);
        if !is_served {
            assert_says(run.not_found(), &["clock", "hint: "]);
            continue;
        }
        assert_eq!(run.secret(), PASSWORD, "{seconds}");
        let [path] = stage.cached_files("json").try_into().unwrap();
        let entry: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        let (issued, expires) = (entry["issued_at"].as_u64().unwrap(), entry["expires_at"].as_u64().unwrap());
        assert!(issued < expires && expires - issued <= 12 * HOUR, "{entry}");
    }

    // The clock was set back after the token was kept: an entry of the future is no entry.
    let cached = Cached::new();
    let now = aws::now();
    for ahead in [10 * 60, 13 * HOUR] {
        cached.set_times(now + ahead, now + ahead + 12 * HOUR);
        let before = cached.aws.count();
        assert_eq!(cached.stage.get(FRANKFURT).secret(), PASSWORD);
        assert_eq!(cached.aws.count(), before + 1, "{ahead}");
    }
    cached.set_times(now, now - HOUR);
    assert_eq!(cached.stage.get(FRANKFURT).secret(), PASSWORD, "a life below nothing");

    // AWS refuses the signature for its time; its Date header says what time it is there.
    for hours in [-13_i64, 13] {
        let aws = Responder::start(move |request| refuse_unless_signed_at(hours, request));
        let stage = Stage::with(&aws);
        let run = stage.get(FRANKFURT);
        assert_eq!(run.secret(), PASSWORD, "the time of AWS is not taken over, at {hours} hours: {run:?}");
    }

    // A date that no clock shows, after which the SDK tries again.
    for date in
        ["Fri, 31 Dec 9999 23:59:59 GMT", "Sat, 01 Jan 0000 00:00:00 GMT", "Thu, 01 Jan 1801 00:00:00 GMT"]
    {
        let aws = Responder::start(move |_| Reply::http(503, &[("date", date)], "{}"));
        let mut stage = Stage::with(&aws);
        stage.set("AWS_MAX_ATTEMPTS", "2");
        let run = stage.get(FRANKFURT);
        assert_says(run.not_found(), &["AWS failed", "503", "hint: "]);
        assert_eq!(aws.count(), 2, "{date}");
    }
    held("the time of AWS's answers is taken over; no token lives below nothing or above 12 hours");
}

/// AWS whose clock is some hours away: it accepts a signature of its own hour alone.
fn refuse_unless_signed_at(hours: i64, request: &crate::stage::responder::Request) -> Reply {
    let theirs = aws::now().strict_add_signed(hours * 3600);
    let signed_at = seconds_of(request.header("x-amz-date"));
    if signed_at.abs_diff(theirs) < 15 * 60 {
        return aws::token(request);
    }
    let body = json!({
        "__type": "InvalidSignatureException",
        "message": format!("Signature not yet current: {signed_at} is not within 5 min. of {theirs}"),
    });
    let date = http_date(theirs);
    let headers = [("content-type", "application/x-amz-json-1.1"), ("date", date.as_str())];
    Reply::http(403, &headers, &body.to_string())
}

/// `20261123T203100Z` as seconds since 1970.
fn seconds_of(amz_date: &str) -> u64 {
    let number = |range: std::ops::Range<usize>| amz_date[range].parse::<i64>().unwrap();
    let days = days_before(number(0..4), number(4..6), number(6..8));
    (((days * 24 + number(9..11)) * 60 + number(11..13)) * 60 + number(13..15)).try_into().unwrap()
}

/// The days from 1970 to a date of the Gregorian calendar.
fn days_before(year: i64, month: i64, day: i64) -> i64 {
    // Years that begin in March end with the leap day.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    year * 365 + year / 4 - year / 100 + year / 400 + (month * 153 + 2) / 5 + day - 1 - 719_468
}

/// The date of an HTTP header (RFC 9110, section 5.6.7).
fn http_date(seconds: u64) -> String {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    const WEEKDAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    let days = i64::try_from(seconds / 86_400).unwrap();
    let mut year = 1970;
    while days_before(year + 1, 1, 1) <= days {
        year += 1;
    }
    let month = (1..=12).rev().find(|month| days_before(year, *month, 1) <= days).unwrap();
    let day = days - days_before(year, month, 1) + 1;
    let weekday = WEEKDAYS[usize::try_from(days % 7).unwrap()];
    let name = MONTHS[usize::try_from(month - 1).unwrap()];
    let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    format!("{weekday}, {day:02} {name} {year} {hour:02}:{minute:02}:{second:02} GMT")
}

#[test]
fn dates_are_computed_as_the_calendar_has_them() {
    assert_eq!(seconds_of("19700101T000000Z"), 0);
    assert_eq!(seconds_of("20000301T000001Z"), 951_868_801);
    assert_eq!(http_date(784_111_777), "Sun, 06 Nov 1994 08:49:37 GMT");
}
