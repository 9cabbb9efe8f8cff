//! How rules write amounts: durations such as `200ms`, shifts such as `-13h`, sizes such as `64MiB`, and globs.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// The text is not an amount of its kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NoAmount;

/// Beyond any deadline that a test waits for, and far from any overflow.
const LONGEST_MILLIS: u64 = 366 * 24 * 3_600_000;
const LARGEST_BYTES: u64 = 1 << 30;
const DURATION_UNITS: [(&str, u64); 4] = [("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];
const SIZE_UNITS: [(&str, u64); 4] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("", 1)];

/// A number and its unit: digits, then one of `units`.
fn amount(text: &str, units: &[(&str, u64)], most: u64) -> Result<u64, NoAmount> {
    let end = text.bytes().take_while(u8::is_ascii_digit).count();
    let (digits, unit) = text.split_at(end);
    let number: u64 = digits.parse().map_err(|_| NoAmount)?;
    let (_, factor) = units.iter().find(|(name, _)| *name == unit).ok_or(NoAmount)?;
    number.checked_mul(*factor).filter(|amount| *amount <= most).ok_or(NoAmount)
}

/// The shortest form: the largest unit of which it is a whole number.
fn write_amount(f: &mut fmt::Formatter<'_>, amount: u64, units: &[(&str, u64)]) -> fmt::Result {
    let is_whole = |factor: u64| amount.is_multiple_of(factor) && amount >= factor;
    let (name, factor) =
        units.iter().find(|(_, factor)| is_whole(*factor)).or(units.last()).unwrap_or(&("", 1));
    write!(f, "{}{name}", amount / factor)
}

/// A length of time in whole milliseconds, of at most a year.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span(u64);

impl Span {
    pub(super) fn duration(self) -> Duration {
        Duration::from_millis(self.0)
    }
}

impl FromStr for Span {
    type Err = NoAmount;

    fn from_str(text: &str) -> Result<Self, NoAmount> {
        amount(text, &DURATION_UNITS, LONGEST_MILLIS).map(Self)
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_amount(f, self.0, &DURATION_UNITS)
    }
}

/// A length of time with a direction: `-10m` lies in the past.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shift {
    back: bool,
    span: Span,
}

impl Shift {
    pub(super) fn duration(self) -> time::Duration {
        let milliseconds = i64::try_from(self.span.0).unwrap_or(i64::MAX);
        time::Duration::milliseconds(if self.back { -milliseconds } else { milliseconds })
    }
}

impl FromStr for Shift {
    type Err = NoAmount;

    fn from_str(text: &str) -> Result<Self, NoAmount> {
        let (back, rest) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        Ok(Self { back, span: rest.parse()? })
    }
}

impl fmt::Display for Shift {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", if self.back { "-" } else { "+" }, self.span)
    }
}

/// A number of bytes, of at most 1 GiB.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Size(pub(super) u64);

impl FromStr for Size {
    type Err = NoAmount;

    fn from_str(text: &str) -> Result<Self, NoAmount> {
        amount(text, &SIZE_UNITS, LARGEST_BYTES).map(Self)
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_amount(f, self.0, &SIZE_UNITS)
    }
}

/// Text in which `*` stands for any characters, slashes included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Glob(String);

impl Glob {
    pub(super) fn any() -> Self {
        Self("*".into())
    }

    pub(super) fn matches(&self, text: &str) -> bool {
        let Some((first, rest)) = self.0.split_once('*') else { return self.0 == text };
        let Some(mut left) = text.strip_prefix(first) else { return false };
        let mut pieces: Vec<&str> = rest.split('*').collect();
        let last = pieces.pop().unwrap_or_default();
        for piece in pieces {
            // The earliest place leaves the most for the pieces that follow.
            let Some(at) = left.find(piece) else { return false };
            left = left.get(at + piece.len()..).unwrap_or_default();
        }
        left.ends_with(last)
    }
}

impl FromStr for Glob {
    type Err = NoAmount;

    /// Visible ASCII without the comma, which ends a part of a rule.
    fn from_str(text: &str) -> Result<Self, NoAmount> {
        let is_visible = |byte: u8| byte.is_ascii_graphic() && byte != b',';
        if text.is_empty() || !text.bytes().all(is_visible) { Err(NoAmount) } else { Ok(Self(text.into())) }
    }
}

impl fmt::Display for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn amounts_have_units_and_bounds() {
        let span = |text: &str| text.parse::<Span>().map(Span::duration);
        assert_eq!(span("200ms"), Ok(Duration::from_millis(200)));
        assert_eq!(span("2m"), Ok(Duration::from_secs(120)));
        for text in ["", "1", "s", "-1s", "1.5s", "1 s", "1d", "9999999h", "99999999999999999999s"] {
            assert_eq!(span(text), Err(NoAmount), "{text}");
        }
        assert_eq!("64MiB".parse(), Ok(Size(64 << 20)));
        assert_eq!("2GiB".parse::<Size>(), Err(NoAmount));
        assert_eq!("-13h".parse::<Shift>().unwrap().duration(), time::Duration::hours(-13));
        assert_eq!("60s".parse::<Shift>().unwrap().to_string(), "+1m");
        assert_eq!("0s".parse::<Span>().unwrap().to_string(), "0ms");
    }

    #[test]
    fn a_star_stands_for_anything() {
        let matches = |glob: &str, text| glob.parse::<Glob>().unwrap().matches(text);
        assert!(matches("*", "") && matches("a*", "a") && matches("*/b/*", "a/b/c") && matches("a*a", "aa"));
        assert!(matches("a*b*c", "abbc") && matches("a**c", "ac"));
        assert!(
            !matches("a*a", "a") && !matches("a", "ab") && !matches("*b", "abc") && !matches("a*b*c", "acb")
        );
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back_as_itself(number in 0..=LARGEST_BYTES, back: bool) {
            let (span, size) = (Span(number), Size(number));
            prop_assert_eq!(span.to_string().parse(), Ok(span));
            prop_assert_eq!(size.to_string().parse(), Ok(size));
            let shift = Shift { back, span };
            prop_assert_eq!(shift.to_string().parse(), Ok(shift));
        }

        #[test]
        fn any_glob_matches_itself_without_stars(glob in "[a-c*]{1,8}", text in "[a-c]{0,8}") {
            let parsed: Glob = glob.parse().unwrap();
            prop_assert!(parsed.matches(&glob.replace('*', "")));
            let _ = parsed.matches(&text);
        }
    }
}
