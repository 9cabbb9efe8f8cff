//! What AWS answered, checked before anybody believes it.

use std::time::SystemTime;

use aws_smithy_types::DateTime;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use secrecy::zeroize::Zeroizing;

use crate::registry::{Partition, Partitions, Registry};
use crate::token::{MAX_LIFETIME, Token};

/// The user name of every token of Amazon ECR.
const USERNAME: &str = "AWS";

/// The parts of an answer that matter.
pub(super) struct Answer<'a> {
    pub(super) authorization_token: Option<&'a str>,
    pub(super) expires_at: Option<&'a DateTime>,
    /// The principal's own registry; ECR Public names none.
    pub(super) proxy_endpoint: Option<&'a str>,
}

/// What was asked for.
pub(super) struct Asked<'a> {
    /// The region; `None` for ECR Public, whose answers name no registry.
    pub(super) region: Option<&'a str>,
    /// The partition, where it is known.
    pub(super) partition: Option<Partition>,
}

/// What is wrong with an answer.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// It is not what AWS answers.
    Malformed(&'static str),
    /// It has expired before it came.
    Expired {
        /// For how many seconds.
        seconds: u64,
    },
}

/// The token in an answer that came at `now`.
///
/// # Errors
/// If the answer is not one that AWS gives to what was asked.
pub(super) fn check(
    answer: &Answer<'_>,
    asked: &Asked<'_>,
    partitions: &Partitions,
    now: SystemTime,
) -> Result<Token, Fault> {
    let secret = password(answer.authorization_token.ok_or(Fault::Malformed("it holds no token"))?)?;
    let expires_at = expiry(answer.expires_at, now)?;
    let own_registry = own_registry(answer.proxy_endpoint, asked, partitions)?;
    Ok(Token {
        username: USERNAME.to_owned(),
        secret: secret.as_str().into(),
        issued_at: now,
        expires_at,
        own_registry,
    })
}

/// The password in `base64("AWS:<password>")`.
fn password(authorization_token: &str) -> Result<Zeroizing<String>, Fault> {
    let decoded = STANDARD
        .decode(authorization_token)
        .map(Zeroizing::new)
        .map_err(|_| Fault::Malformed("its token is not base64"))?;
    let text = std::str::from_utf8(&decoded).map_err(|_| Fault::Malformed("its token is not text"))?;
    let password = text
        .strip_prefix(USERNAME)
        .and_then(|rest| rest.strip_prefix(':'))
        .ok_or(Fault::Malformed("its token is not one of the user AWS"))?;
    // A line end would become another header or another line wherever the password is written next.
    if password.is_empty() || !password.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(Fault::Malformed("its token contains characters that no token has"));
    }
    Ok(Zeroizing::new(password.to_owned()))
}

/// When the token expires: never later than tokens can live from now.
fn expiry(expires_at: Option<&DateTime>, now: SystemTime) -> Result<SystemTime, Fault> {
    let expires_at = *expires_at.ok_or(Fault::Malformed("it does not say when the token expires"))?;
    let expires_at =
        SystemTime::try_from(expires_at).map_err(|_| Fault::Malformed("its expiry is no time"))?;
    if let Ok(since) = now.duration_since(expires_at) {
        return Err(Fault::Expired { seconds: since.as_secs() });
    }
    Ok(expires_at.min(now + MAX_LIFETIME))
}

/// The registry that the answer names. Its account is the principal's own, whatever was asked for, but region and
/// partition are those of the API that was called; anything else comes from somebody else.
fn own_registry(
    proxy_endpoint: Option<&str>,
    asked: &Asked<'_>,
    partitions: &Partitions,
) -> Result<Option<Registry>, Fault> {
    let Some(region) = asked.region else { return Ok(None) };
    let endpoint = proxy_endpoint.ok_or(Fault::Malformed("it names no registry"))?;
    let registry = partitions
        .parse(endpoint)
        .map_err(|_| Fault::Malformed("the registry that it names is none of Amazon ECR"))?;
    if registry.is_public() || registry.region() != region {
        return Err(Fault::Malformed("the registry that it names lies in another region"));
    }
    if asked.partition.as_ref().is_some_and(|partition| partition != registry.partition()) {
        return Err(Fault::Malformed("the registry that it names lies in another partition"));
    }
    Ok(Some(registry))
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use proptest::prelude::*;
    use secrecy::ExposeSecret;

    use super::*;

    const NOW: u64 = 1_800_000_000;
    const REGISTRY: &str = "https://000000000001.dkr.ecr.eu-central-1.amazonaws.com";

    fn now() -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(NOW)
    }

    fn checked(token: &str, expires_in: i64, endpoint: Option<&str>) -> Result<Token, Fault> {
        let token = STANDARD.encode(token);
        let asked_for = Registry::parse("000000000002.dkr.ecr.eu-central-1.amazonaws.com").unwrap();
        let expires_at = DateTime::from_secs(NOW as i64 + expires_in);
        let answer = Answer {
            authorization_token: Some(&token),
            expires_at: Some(&expires_at),
            proxy_endpoint: endpoint,
        };
        let asked =
            Asked { region: Some(asked_for.region()), partition: Some(asked_for.partition().clone()) };
        check(&answer, &asked, &Partitions::default(), now())
    }

    #[test]
    fn a_proper_answer_is_a_token() {
        let token = checked("AWS:pass:word==", 3600, Some(REGISTRY)).unwrap();
        assert_eq!(token.username, "AWS");
        assert_eq!(token.secret.expose_secret(), "pass:word==");
        assert_eq!(token.expires_at, now() + Duration::from_secs(3600));
        assert_eq!(token.own_registry.unwrap().account(), Some("000000000001"));
    }

    #[test]
    fn no_token_lives_longer_than_twelve_hours() {
        let token = checked("AWS:x", 5_000_000_000, Some(REGISTRY)).unwrap();
        assert_eq!(token.expires_at, now() + MAX_LIFETIME);
    }

    #[test]
    fn improper_tokens_are_refused() {
        for token in
            ["", "AWS", "AWS:", "aws:x", "x:y", "AWS:x\r\n", "AWS:x y", "AWS:x\0", "AWS:\u{e4}", ":x"]
        {
            assert!(matches!(checked(token, 60, Some(REGISTRY)), Err(Fault::Malformed(_))), "{token:?}");
        }
        let answer =
            Answer { authorization_token: Some("not base64!"), expires_at: None, proxy_endpoint: None };
        let asked = Asked { region: None, partition: None };
        assert_eq!(
            check(&answer, &asked, &Partitions::default(), now()).unwrap_err(),
            Fault::Malformed("its token is not base64")
        );
    }

    #[test]
    fn expired_and_endless_tokens_are_refused() {
        assert_eq!(checked("AWS:x", 0, Some(REGISTRY)).unwrap_err(), Fault::Expired { seconds: 0 });
        assert_eq!(checked("AWS:x", -90, Some(REGISTRY)).unwrap_err(), Fault::Expired { seconds: 90 });
        let token = STANDARD.encode("AWS:x");
        let answer = Answer { authorization_token: Some(&token), expires_at: None, proxy_endpoint: None };
        assert!(
            check(&answer, &Asked { region: None, partition: None }, &Partitions::default(), now()).is_err()
        );
    }

    #[test]
    fn registries_of_others_are_refused() {
        for endpoint in [
            None,
            Some("https://000000000001.dkr.ecr.us-east-1.amazonaws.com"),
            Some("https://000000000001.dkr.ecr.cn-north-1.amazonaws.com.cn"),
            Some("https://000000000001.dkr.ecr.eu-central-1.amazonaws.com.evil.com"),
            Some("http://000000000001.dkr.ecr.eu-central-1.amazonaws.com"),
            Some("https://public.ecr.aws"),
            Some("https://localhost:5000"),
        ] {
            assert!(matches!(checked("AWS:x", 60, endpoint), Err(Fault::Malformed(_))), "{endpoint:?}");
        }
    }

    #[test]
    fn ecr_public_names_no_registry() {
        let token = STANDARD.encode("AWS:x");
        let expires_at = DateTime::from_secs(NOW as i64 + 60);
        let answer =
            Answer { authorization_token: Some(&token), expires_at: Some(&expires_at), proxy_endpoint: None };
        let token =
            check(&answer, &Asked { region: None, partition: None }, &Partitions::default(), now()).unwrap();
        assert_eq!(token.own_registry, None);
    }

    proptest! {
        #[test]
        fn any_answer_is_taken_or_refused(token: Option<String>, secs: Option<i64>, endpoint: Option<String>) {
            let expires_at = secs.map(DateTime::from_secs);
            let answer = Answer {
                authorization_token: token.as_deref(),
                expires_at: expires_at.as_ref(),
                proxy_endpoint: endpoint.as_deref(),
            };
            let _ = check(&answer, &Asked { region: Some("eu-central-1"), partition: None }, &Partitions::default(), now());
        }
    }
}
