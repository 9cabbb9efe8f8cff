//! Rules: which requests a fault is for, and their text and JSON forms.

use std::fmt;
use std::num::NonZeroU64;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::amounts::{Glob, NoAmount};
use super::effect::{Effect, words};

/// The longest rule, which is far longer than any useful one.
const MAX_TEXT: usize = 1024;
const EXAMPLE: &str = "ecr:GetAuthorizationToken=latency:200ms,count:3";

/// A fault: something that goes wrong with some requests.
///
/// ```
/// use ecru_emulator::Fault;
///
/// # fn main() -> Result<(), ecru_emulator::FaultError> {
/// let fault = Fault::parse("ecr:GetAuthorizationToken=latency:200ms,count:3")?;
/// assert_eq!(fault.to_string(), "ecr:GetAuthorizationToken=latency:200ms,count:3");
/// # Ok(())
/// # }
/// ```
///
/// As text it is `OPERATION=EFFECT[,OPTION:VALUE]…`, without spaces. The operation is named as in
/// [`CallCounts`](crate::CallCounts), and `*` in it stands for any characters: `registry:Get*`, `sts:*`, or `*` for
/// every request.
///
/// | effect | what happens |
/// |---|---|
/// | `latency:200ms` | the request is handled that much later; units are `ms`, `s`, `m`, `h` |
/// | `silence` | the connection stays open, and nothing is ever answered |
/// | `reset` | the connection is reset (over a Unix socket: closed) |
/// | `truncate:100` | the answer breaks off after 100 bytes of its body, with the whole `Content-Length` |
/// | `trickle:1` | the body comes at 1 byte a second |
/// | `pad:64MiB` | spaces make the body that large; JSON and XML remain well-formed |
/// | `not-json` | 200 with JSON that breaks off in the middle |
/// | `wrong-json` | 200 with JSON that has none of the expected members |
/// | `status:500` | an error of that status (400 to 599), shaped as the service shapes its own |
/// | `throttle`, `throttle:5` | the service's own throttling error; registries say to retry after 5 seconds |
/// | `token:expired`, `foreign`, `cr`, `lf`, `crlf`, `bad-base64`, `no-colon` | the registry token has that flaw |
/// | `endpoint:region`, `partition`, `domain` | the token's `proxyEndpoint` is of another one |
/// | `clock:+13h` | the service's clock is wrong: in checks, in expiries and in `Date` |
/// | `expiry:60s`, `expiry:-1h` | the answer names that expiry, from now; what it hands out lasts as ever |
/// | `without-header:NAME` | the answer lacks that header |
/// | `redirect:URL` | 307 to a loopback URL, or to a name below `.example`, `.invalid` or `.test` |
///
/// | option | which of the matching requests |
/// |---|---|
/// | `after:N` | not the first N |
/// | `every:N` | of the rest, the first and every Nth after it |
/// | `count:N` | of those, the first N; without it, all |
/// | `path:GLOB` | those to such a path, as the client wrote it |
/// | `host:GLOB` | those to such a host |
///
/// As JSON it is an object with the members `operation`, `effect`, and the options by their names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Fields", into = "Fields")]
pub struct Fault {
    service: Glob,
    operation: Glob,
    pub(super) effect: Effect,
    after: u64,
    every: NonZeroU64,
    count: Option<u64>,
    path: Option<Glob>,
    host: Option<Glob>,
}

/// A rule's parts, not yet understood.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Fields {
    operation: String,
    effect: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    after: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    every: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    count: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    host: Option<String>,
}

/// Why a text or a JSON value is no fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FaultError {
    /// Longer than any rule.
    #[error("a fault has at most {MAX_TEXT} characters")]
    TooLong,
    /// Nothing says what is to happen.
    #[error("fault {0:?} has no `=EFFECT`")]
    NoEffect(String),
    /// Not `service:Operation`.
    #[error("{0:?} is not an operation")]
    Operation(String),
    /// An effect that does not exist.
    #[error("{0:?} is not an effect of a fault")]
    UnknownEffect(String),
    /// An effect with a value that it does not take.
    #[error("effect `{word}` does not take the value {value:?}")]
    EffectValue {
        /// Which effect.
        word: String,
        /// What it was given.
        value: String,
        /// What it takes; empty if it stands alone.
        wanted: &'static str,
    },
    /// An option that does not exist.
    #[error("{0:?} is not an option of a fault")]
    UnknownOption(String),
    /// An option with a value that it does not take.
    #[error("option `{option}` does not take the value {value:?}")]
    OptionValue {
        /// Which option.
        option: String,
        /// What it was given.
        value: String,
    },
    /// An option given twice.
    #[error("option `{0}` is given twice")]
    Twice(String),
}

impl FaultError {
    /// What to write instead.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::TooLong | Self::NoEffect(_) => format!("write it as {EXAMPLE}"),
            Self::Operation(_) => {
                "name it as the call counters do: ecr:GetAuthorizationToken, registry:Get*, *".into()
            }
            Self::UnknownEffect(_) => format!("effects are {}", words()),
            Self::EffectValue { word, wanted: "", .. } => format!("write `{word}` alone"),
            Self::EffectValue { word, wanted, .. } => format!("`{word}:` takes {wanted}"),
            Self::UnknownOption(_) | Self::Twice(_) => {
                "options are after:N, every:N, count:N, path:GLOB and host:GLOB, each at most once".into()
            }
            Self::OptionValue { option, .. } if matches!(option.as_str(), "path" | "host") => {
                "a glob is visible ASCII text without commas; * stands for any characters".into()
            }
            Self::OptionValue { .. } => "give a whole number; for every: and count:, from 1".into(),
        })
    }
}

impl Fault {
    /// The fault that `text` describes.
    pub fn parse(text: &str) -> Result<Self, FaultError> {
        text.parse()
    }

    /// Whether it is for requests like this one, whatever came before. Nothing in place of the operation is a
    /// request that the emulator has no name for.
    pub(super) fn is_for(&self, operation: Option<(&str, &str)>, host: &str, path: &str) -> bool {
        let (service, name) = operation.unwrap_or_default();
        let fits = |glob: &Option<Glob>, text| glob.as_ref().is_none_or(|glob| glob.matches(text));
        self.service.matches(service)
            && self.operation.matches(name)
            && fits(&self.host, host)
            && fits(&self.path, path)
    }

    /// Whether it strikes the next matching request, when `seen` have come before and it struck `applied` of them.
    pub(super) fn strikes(&self, seen: u64, applied: u64) -> bool {
        let in_turn =
            seen.checked_sub(self.after).is_some_and(|later| later.is_multiple_of(self.every.get()));
        in_turn && self.count.is_none_or(|count| applied < count)
    }
}

impl FromStr for Fault {
    type Err = FaultError;

    fn from_str(text: &str) -> Result<Self, FaultError> {
        if text.len() > MAX_TEXT {
            return Err(FaultError::TooLong);
        }
        let (operation, rest) = text.split_once('=').ok_or_else(|| FaultError::NoEffect(text.into()))?;
        let mut parts = rest.split(',');
        let effect = parts.next().unwrap_or_default();
        let mut fields = Fields { operation: operation.into(), effect: effect.into(), ..Fields::default() };
        for part in parts {
            let (option, value) = part.split_once(':').unwrap_or((part, ""));
            let wrong = || FaultError::OptionValue { option: option.into(), value: value.into() };
            let number = || value.parse::<u64>().map_err(|_| wrong());
            let given_before = match option {
                "after" => fields.after.replace(number()?).is_some(),
                "every" => fields.every.replace(number()?).is_some(),
                "count" => fields.count.replace(number()?).is_some(),
                "path" => fields.path.replace(value.into()).is_some(),
                "host" => fields.host.replace(value.into()).is_some(),
                _ => return Err(FaultError::UnknownOption(option.into())),
            };
            if given_before {
                return Err(FaultError::Twice(option.into()));
            }
        }
        fields.try_into()
    }
}

impl TryFrom<Fields> for Fault {
    type Error = FaultError;

    fn try_from(fields: Fields) -> Result<Self, FaultError> {
        let texts =
            [Some(&fields.operation), Some(&fields.effect), fields.path.as_ref(), fields.host.as_ref()];
        if texts.into_iter().flatten().map(String::len).sum::<usize>() > MAX_TEXT {
            return Err(FaultError::TooLong);
        }
        let (service, operation) = operation_globs(&fields.operation)?;
        let wrong = |option: &str, value: String| FaultError::OptionValue { option: option.into(), value };
        let every = NonZeroU64::new(fields.every.unwrap_or(1)).ok_or_else(|| wrong("every", "0".into()))?;
        if fields.count == Some(0) {
            return Err(wrong("count", "0".into()));
        }
        let glob = |option: &str, text: Option<String>| match text {
            None => Ok(None),
            Some(text) => text.parse().map(Some).map_err(|NoAmount| wrong(option, text)),
        };
        Ok(Self {
            service,
            operation,
            effect: fields.effect.parse()?,
            after: fields.after.unwrap_or_default(),
            every,
            count: fields.count,
            path: glob("path", fields.path)?,
            host: glob("host", fields.host)?,
        })
    }
}

/// `service:Operation`, or `*` for both.
fn operation_globs(text: &str) -> Result<(Glob, Glob), FaultError> {
    let is_name = |name: &str| name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"*-".contains(&byte));
    let glob = |name: &str| if is_name(name) { name.parse().map_err(|NoAmount| ()) } else { Err(()) };
    let globs = || match text.split_once(':') {
        Some((service, operation)) => Ok((glob(service)?, glob(operation)?)),
        None if text == "*" => Ok((Glob::any(), Glob::any())),
        None => Err(()),
    };
    globs().map_err(|()| FaultError::Operation(text.into()))
}

impl From<Fault> for Fields {
    fn from(fault: Fault) -> Self {
        let is_any = fault.service == Glob::any() && fault.operation == Glob::any();
        Self {
            operation: if is_any { "*".into() } else { format!("{}:{}", fault.service, fault.operation) },
            effect: fault.effect.to_string(),
            after: (fault.after > 0).then_some(fault.after),
            every: (fault.every.get() > 1).then(|| fault.every.get()),
            count: fault.count,
            path: fault.path.map(|glob| glob.to_string()),
            host: fault.host.map(|glob| glob.to_string()),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Fields { operation, effect, after, every, count, path, host } = self.clone().into();
        write!(f, "{operation}={effect}")?;
        for (option, number) in [("after", after), ("every", every), ("count", count)] {
            number.map_or(Ok(()), |number| write!(f, ",{option}:{number}"))?;
        }
        for (option, glob) in [("path", path), ("host", host)] {
            glob.map_or(Ok(()), |glob| write!(f, ",{option}:{glob}"))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn struck(rule: &str, requests: u64) -> Vec<u64> {
        let fault = Fault::parse(rule).unwrap();
        let mut applied = 0;
        let strikes = |seen: &u64| {
            let strikes = fault.strikes(*seen, applied);
            applied += u64::from(strikes);
            strikes
        };
        (0..requests).filter(strikes).collect()
    }

    #[test]
    fn options_choose_among_the_matching_requests() {
        assert_eq!(struck("*=reset", 3), [0, 1, 2]);
        assert_eq!(struck("*=reset,count:2", 9), [0, 1]);
        assert_eq!(struck("*=reset,after:2", 5), [2, 3, 4]);
        assert_eq!(struck("*=reset,every:3", 9), [0, 3, 6]);
        assert_eq!(struck("*=reset,after:1,every:2,count:2", 9), [1, 3]);
    }

    #[test]
    fn globs_choose_among_all_requests() {
        let matches = |rule: &str| {
            Fault::parse(rule).unwrap().is_for(Some(("registry", "GetBlob")), "localhost:1", "/v2/a/blobs/x")
        };
        assert!(matches("registry:GetBlob=reset") && matches("registry:Get*=reset") && matches("*=reset"));
        assert!(matches("*=reset,path:/v2/a/*,host:localhost:*"));
        assert!(!matches("registry:GetManifest=reset") && !matches("s3:*=reset"));
        assert!(!matches("*=reset,path:/v2/b/*") && !matches("*=reset,host:*.amazonaws.com"));
        assert!(Fault::parse("*=reset").unwrap().is_for(None, "", "/"));
        assert!(!Fault::parse("ecr:*=reset").unwrap().is_for(None, "", "/"));
    }

    #[test]
    fn what_is_wrong_is_named_with_a_way_out() {
        for (text, message, hint) in [
            ("reset", r#"fault "reset" has no `=EFFECT`"#, "write it as ecr:"),
            ("ecr=reset", r#""ecr" is not an operation"#, "name it as the call counters do"),
            ("*=explode", r#""explode" is not an effect of a fault"#, "effects are latency, silence"),
            (
                "*=latency:soon",
                r#"effect `latency` does not take the value "soon""#,
                "`latency:` takes a duration",
            ),
            ("*=reset:1", r#"effect `reset` does not take the value "1""#, "write `reset` alone"),
            ("*=status:200", r#"effect `status` does not take the value "200""#, "`status:` takes a number"),
            ("*=reset,often:1", r#""often" is not an option of a fault"#, "options are after:N"),
            ("*=reset,count:0", r#"option `count` does not take the value "0""#, "give a whole number"),
            ("*=reset,count:1,count:1", "option `count` is given twice", "options are after:N"),
            ("*=reset,path: ", r#"option `path` does not take the value " ""#, "a glob is visible"),
        ] {
            let error = Fault::parse(text).unwrap_err();
            assert_eq!(error.to_string(), message);
            assert!(error.hint().unwrap().starts_with(hint), "{text}: {:?}", error.hint());
        }
        assert_eq!(Fault::parse(&"x".repeat(2000)), Err(FaultError::TooLong));
    }

    #[test]
    fn the_json_form_has_the_same_parts_and_rules() {
        let text = "ecr:Get*=latency:2s,after:1,every:2,count:3,path:/*,host:a*";
        let fault = Fault::parse(text).unwrap();
        let json = serde_json::json!({
            "operation": "ecr:Get*", "effect": "latency:2s", "after": 1, "every": 2, "count": 3, "path": "/*",
            "host": "a*",
        });
        assert_eq!(serde_json::to_value(&fault).unwrap(), json);
        assert_eq!(serde_json::from_value::<Fault>(json).unwrap(), fault);
        for wrong in [
            serde_json::json!({ "operation": "*", "effect": "explode" }),
            serde_json::json!({ "operation": "*", "effect": "reset", "every": 0 }),
            serde_json::json!({ "operation": "*", "effect": "reset", "when": 1 }),
            serde_json::json!({ "operation": "*", "effect": "reset", "path": "a,b" }),
            serde_json::json!("*=reset"),
        ] {
            assert!(serde_json::from_value::<Fault>(wrong.clone()).is_err(), "{wrong}");
        }
    }

    fn effects() -> impl Strategy<Value = String> {
        prop_oneof![
            // At most a year.
            "(latency|clock|expiry):[+-]?([0-9]{1,4}(ms|s|m)|[0-9]{1,3}h)",
            "(truncate|pad):[0-9]{1,3}(|KiB|MiB)",
            "(trickle|throttle):[1-9][0-9]{0,3}",
            "status:[45][0-9]{2}",
            "(silence|reset|not-json|wrong-json|throttle)",
            "token:(expired|foreign|cr|lf|crlf|bad-base64|no-colon)",
            "endpoint:(region|partition|domain)",
            "without-header:[a-z-]{1,20}",
            "redirect:https?://[a-z]{1,5}\\.example(:[0-9]{1,4})?/[a-z?=]{0,5}",
        ]
    }

    proptest! {
        #[test]
        fn what_a_rule_shows_reads_back_as_itself(
            operation in "(\\*|[a-z*-]{1,8}:[A-Za-z*]{1,8})",
            effect in effects(),
            options in "(,after:[0-9]{1,4})?(,every:[1-9][0-9]{0,3})?(,count:[1-9][0-9]{0,3})?(,path:/[!-+a-z*]{0,8})?",
        ) {
            let text = format!("{operation}={effect}{options}");
            let parsed = Fault::parse(&text);
            let in_range = !effect.contains(['+', '-']) || !effect.starts_with("latency");
            prop_assert!(parsed.is_ok() || !in_range, "{text}: {parsed:?}");
            if let Ok(fault) = parsed {
                prop_assert_eq!(Fault::parse(&fault.to_string()), Ok(fault.clone()));
                let json = serde_json::to_string(&fault).unwrap();
                prop_assert_eq!(serde_json::from_str::<Fault>(&json).unwrap(), fault);
            }
        }

        #[test]
        fn any_text_is_a_fault_or_an_error_with_a_hint(text in any::<String>(), piece in "[*=:,a-z0-9-]{0,40}") {
            for text in [text, piece.clone(), format!("*={piece}"), format!("*=reset,{piece}")] {
                if let Err(error) = Fault::parse(&text) {
                    prop_assert!(error.hint().is_some());
                    prop_assert!(!error.to_string().contains(char::is_control));
                }
            }
        }
    }
}
