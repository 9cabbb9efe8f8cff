//! What a fault does to a request or to its answer.

use std::fmt;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::str::FromStr;

use axum::http::{HeaderName, StatusCode, Uri};

use super::amounts::{Shift, Size, Span};
use super::rule::FaultError;

/// The longest redirect target that a rule may name.
const MAX_LOCATION: usize = 512;

/// One effect, written `word` or `word:value`. The table of them is in the crate's documentation of
/// [`Fault`](super::Fault).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Effect {
    Latency(Span),
    Silence,
    Reset,
    Truncate(Size),
    /// Bytes a second.
    Trickle(NonZeroU32),
    Pad(Size),
    NotJson,
    WrongJson,
    Status(StatusCode),
    /// With the seconds of `Retry-After`, where the protocol has that.
    Throttle(Option<NonZeroU32>),
    Token(TokenFlaw),
    Endpoint(Foreign),
    Clock(Shift),
    Expiry(Shift),
    WithoutHeader(HeaderName),
    Redirect(Uri),
}

/// What is wrong with a registry password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TokenFlaw {
    Expired,
    Foreign,
    CarriageReturn,
    LineFeed,
    BothLineEnds,
    BadBase64,
    NoColon,
}

const TOKEN_FLAWS: [(&str, TokenFlaw); 7] = [
    ("expired", TokenFlaw::Expired),
    ("foreign", TokenFlaw::Foreign),
    ("cr", TokenFlaw::CarriageReturn),
    ("lf", TokenFlaw::LineFeed),
    ("crlf", TokenFlaw::BothLineEnds),
    ("bad-base64", TokenFlaw::BadBase64),
    ("no-colon", TokenFlaw::NoColon),
];

/// In what the registry that an answer names differs from the one asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Foreign {
    Region,
    Partition,
    Domain,
}

const FOREIGN: [(&str, Foreign); 3] =
    [("region", Foreign::Region), ("partition", Foreign::Partition), ("domain", Foreign::Domain)];

/// What each word takes after its colon, for error messages; nothing for words that stand alone.
const WORDS: [(&str, &str); 16] = [
    ("latency", "a duration such as 200ms"),
    ("silence", ""),
    ("reset", ""),
    ("truncate", "a size such as 100 or 4KiB"),
    ("trickle", "bytes a second, from 1"),
    ("pad", "a size such as 64MiB"),
    ("not-json", ""),
    ("wrong-json", ""),
    ("status", "a number from 400 to 599"),
    ("throttle", "seconds for Retry-After, or nothing"),
    ("token", "expired, foreign, cr, lf, crlf, bad-base64 or no-colon"),
    ("endpoint", "region, partition or domain"),
    ("clock", "a shift such as +13h or -10m"),
    ("expiry", "a shift such as 60s or -1h"),
    ("without-header", "the name of a header"),
    ("redirect", "an http or https URL of a loopback address or of a name below .example, .invalid or .test"),
];

/// All words, for hints.
pub(super) fn words() -> String {
    WORDS.map(|(word, _)| word).join(", ")
}

fn named<T: Copy>(table: &[(&'static str, T)], name: &str) -> Option<T> {
    table.iter().find(|(known, _)| *known == name).map(|(_, value)| *value)
}

fn name_in<T: PartialEq>(table: &[(&'static str, T)], value: &T) -> &'static str {
    table.iter().find(|(_, known)| known == value).map_or("", |(name, _)| name)
}

impl FromStr for Effect {
    type Err = FaultError;

    fn from_str(text: &str) -> Result<Self, FaultError> {
        let (word, value) = match text.split_once(':') {
            Some((word, value)) => (word, Some(value)),
            None => (text, None),
        };
        let wanted = named(&WORDS, word).ok_or_else(|| FaultError::UnknownEffect(text.into()))?;
        let given = value.unwrap_or_default();
        let parsed = match (word, value) {
            ("silence", None) => Some(Self::Silence),
            ("reset", None) => Some(Self::Reset),
            ("not-json", None) => Some(Self::NotJson),
            ("wrong-json", None) => Some(Self::WrongJson),
            ("throttle", None) => Some(Self::Throttle(None)),
            ("throttle", Some(_)) => decimal(given).map(|seconds| Self::Throttle(Some(seconds))),
            ("latency", _) => given.parse().ok().map(Self::Latency),
            ("truncate", _) => given.parse().ok().map(Self::Truncate),
            ("trickle", _) => decimal(given).map(Self::Trickle),
            ("pad", _) => given.parse().ok().map(Self::Pad),
            ("status", _) => status(given).map(Self::Status),
            ("token", _) => named(&TOKEN_FLAWS, given).map(Self::Token),
            ("endpoint", _) => named(&FOREIGN, given).map(Self::Endpoint),
            ("clock", _) => given.parse().ok().map(Self::Clock),
            ("expiry", _) => given.parse().ok().map(Self::Expiry),
            ("without-header", _) => given.parse().ok().map(Self::WithoutHeader),
            ("redirect", _) => harmless_location(given).map(Self::Redirect),
            _ => None,
        };
        parsed.ok_or_else(|| FaultError::EffectValue { word: word.into(), value: given.into(), wanted })
    }
}

impl fmt::Display for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Latency(span) => write!(f, "latency:{span}"),
            Self::Silence => f.write_str("silence"),
            Self::Reset => f.write_str("reset"),
            Self::Truncate(size) => write!(f, "truncate:{size}"),
            Self::Trickle(rate) => write!(f, "trickle:{rate}"),
            Self::Pad(size) => write!(f, "pad:{size}"),
            Self::NotJson => f.write_str("not-json"),
            Self::WrongJson => f.write_str("wrong-json"),
            Self::Status(status) => write!(f, "status:{}", status.as_u16()),
            Self::Throttle(None) => f.write_str("throttle"),
            Self::Throttle(Some(seconds)) => write!(f, "throttle:{seconds}"),
            Self::Token(flaw) => write!(f, "token:{}", name_in(&TOKEN_FLAWS, flaw)),
            Self::Endpoint(foreign) => write!(f, "endpoint:{}", name_in(&FOREIGN, foreign)),
            Self::Clock(shift) => write!(f, "clock:{shift}"),
            Self::Expiry(shift) => write!(f, "expiry:{shift}"),
            Self::WithoutHeader(name) => write!(f, "without-header:{name}"),
            Self::Redirect(location) => write!(f, "redirect:{location}"),
        }
    }
}

fn decimal(text: &str) -> Option<NonZeroU32> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

fn status(text: &str) -> Option<StatusCode> {
    let status: StatusCode = text.parse().ok()?;
    (status.is_client_error() || status.as_u16() / 100 == 5).then_some(status)
}

/// A place at which a client that wrongly follows, with its secrets, finds nobody: loopback, or a name that RFC 2606
/// reserves.
fn harmless_location(text: &str) -> Option<Uri> {
    let uri: Uri = text.parse().ok().filter(|_| text.len() <= MAX_LOCATION && !text.contains(','))?;
    let authority = uri.authority().filter(|authority| !authority.as_str().contains('@'))?;
    let host = authority.host().to_ascii_lowercase();
    let address: Option<IpAddr> = host.trim_matches(['[', ']']).parse().ok();
    let is_reserved = |name: &str| host.rsplit('.').next() == Some(name);
    let harmless = match address {
        Some(address) => address.is_loopback(),
        None => ["localhost", "example", "invalid", "test"].into_iter().any(is_reserved),
    };
    (matches!(uri.scheme_str(), Some("http" | "https")) && harmless).then_some(uri)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redirect_leads_nowhere_real() {
        let accepted = |text: &str| format!("redirect:{text}").parse::<Effect>().is_ok();
        for text in
            ["http://127.0.0.1:9/x", "https://[::1]/", "http://localhost/", "https://evil.example/?a=b"]
        {
            assert!(accepted(text), "{text}");
        }
        for text in [
            "http://169.254.169.254/latest",
            "https://sts.amazonaws.com/",
            "http://example.com/",
            "http://127.0.0.1@192.0.2.1/",
            "http://0.0.0.0/",
            "ftp://localhost/",
            "/relative",
            "",
        ] {
            assert!(!accepted(text), "{text}");
        }
    }

    #[test]
    fn a_word_knows_what_it_takes() {
        for (word, wanted) in WORDS {
            let error = format!("{word}:\u{1}").parse::<Effect>().unwrap_err();
            assert!(
                matches!(error, FaultError::EffectValue { wanted: said, .. } if said == wanted),
                "{word}"
            );
        }
    }
}
