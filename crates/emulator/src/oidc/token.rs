//! Tokens: JSON Web Tokens in their compact form (RFC 7515 and 7519), and why STS refuses one.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use time::{Duration, OffsetDateTime};

use super::public_key::{Algorithm, PublicKey};

/// How long a token may be (AWS STS API reference, AssumeRoleWithWebIdentity).
pub(crate) const MAX_TOKEN: usize = 20_000;

/// How far in the future a token may say that it begins. AWS documents no number; this one is the emulator's.
const CLOCK_TOLERANCE: Duration = Duration::minutes(5);

/// The claim by which a token gives its session tags (IAM user guide, passing session tags).
const SESSION_TAGS_CLAIM: &str = "https://aws.amazon.com/tags";

/// Why a token is worth nothing, in AWS's words where a public issue shows them; the rest are the emulator's own.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TokenRefusal {
    #[error("The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)")]
    NoToken,
    #[error("Missing a required claim: {0}")]
    NoClaim(&'static str),
    /// aws-actions/configure-aws-credentials issue 280.
    #[error("No OpenIDConnect provider found in your account for {0}")]
    NoProvider(String),
    /// aws-actions/configure-aws-credentials issue 775.
    #[error("Incorrect token audience")]
    Audience,
    /// aws/aws-cli issue 7194.
    #[error(
        "Couldn't retrieve verification key from your identity provider,  please reference \
         AssumeRoleWithWebIdentity documentation for requirements"
    )]
    NoKey,
    #[error("The ID Token is signed by {0}, which is not supported")]
    Algorithm(String),
    #[error("The signature of the ID Token is invalid")]
    Signature,
    /// The missing space is AWS's (awslabs/aws-orbit-workbench issue 771).
    #[error("Token expired: current date/time {now} must be before the expiration date/time{expires}")]
    Expired { now: i64, expires: i64 },
    #[error("The ID Token is not valid before {0}")]
    NotYet(i64),
    #[error("ecru-emulator does not take session tags from tokens ({SESSION_TAGS_CLAIM})")]
    SessionTags,
}

/// A token as it was sent. Nothing that it says holds before its signature is checked; its issuer may pick the keys.
pub(super) struct UnverifiedToken<'a> {
    header: Header,
    pub(super) claims: Claims,
    signed: &'a str,
    signature: Vec<u8>,
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
}

/// The claims that STS reads.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Claims {
    iss: Option<String>,
    sub: Option<String>,
    aud: Option<OneOrMany>,
    azp: Option<String>,
    exp: Option<f64>,
    iat: Option<f64>,
    nbf: Option<f64>,
    #[serde(rename = "https://aws.amazon.com/tags")]
    session_tags: Option<serde::de::IgnoredAny>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

impl Claims {
    pub(super) fn issuer(&self) -> Result<&str, TokenRefusal> {
        self.iss.as_deref().ok_or(TokenRefusal::NoClaim("iss"))
    }

    pub(super) fn subject(&self) -> Result<&str, TokenRefusal> {
        self.sub.as_deref().ok_or(TokenRefusal::NoClaim("sub"))
    }

    /// Whom the token is for. An authorized party stands for the audience ("Available keys for AWS OIDC federation",
    /// IAM user guide).
    pub(super) fn audiences(&self) -> Result<&[String], TokenRefusal> {
        if let Some(party) = &self.azp {
            return Ok(std::slice::from_ref(party));
        }
        match self.aud.as_ref().ok_or(TokenRefusal::NoClaim("aud"))? {
            OneOrMany::One(audience) => Ok(std::slice::from_ref(audience)),
            OneOrMany::Many(audiences) => Ok(audiences),
        }
    }

    /// Checks the times of the token, and that it says nothing that would have to be heeded.
    pub(super) fn check(&self, now: OffsetDateTime) -> Result<(), TokenRefusal> {
        let time = now.unix_timestamp();
        let expires = self.exp.ok_or(TokenRefusal::NoClaim("exp"))?;
        let issued = self.iat.ok_or(TokenRefusal::NoClaim("iat"))?;
        if time as f64 >= expires {
            return Err(TokenRefusal::Expired { now: time, expires: expires as i64 });
        }
        let begins = self.nbf.map_or(issued, |begins| begins.max(issued));
        if begins > (now + CLOCK_TOLERANCE).unix_timestamp() as f64 {
            return Err(TokenRefusal::NotYet(begins as i64));
        }
        if self.session_tags.is_some() {
            return Err(TokenRefusal::SessionTags);
        }
        Ok(())
    }
}

impl<'a> UnverifiedToken<'a> {
    pub(super) fn parse(text: &'a str) -> Result<Self, TokenRefusal> {
        if text.len() > MAX_TOKEN {
            return Err(TokenRefusal::NoToken);
        }
        let (signed, signature) = text.rsplit_once('.').ok_or(TokenRefusal::NoToken)?;
        let (header, claims) = signed.split_once('.').ok_or(TokenRefusal::NoToken)?;
        Ok(Self {
            header: json(header)?,
            claims: json(claims)?,
            signed,
            signature: BASE64.decode(signature).map_err(|_| TokenRefusal::NoToken)?,
        })
    }

    /// Checks the signature with the keys of the issuer.
    pub(super) fn verify(&self, keys: &[PublicKey]) -> Result<(), TokenRefusal> {
        let Header { alg, kid } = &self.header;
        let algorithm = Algorithm::of_name(alg).ok_or_else(|| TokenRefusal::Algorithm(alg.clone()))?;
        let mut called = keys.iter().filter(|key| key.is_called(kid.as_deref())).peekable();
        if called.peek().is_none() {
            return Err(TokenRefusal::NoKey);
        }
        let signed = self.signed.as_bytes();
        if called.any(|key| key.verifies(alg, algorithm, signed, &self.signature)) {
            Ok(())
        } else {
            Err(TokenRefusal::Signature)
        }
    }
}

fn json<T: DeserializeOwned>(part: &str) -> Result<T, TokenRefusal> {
    let bytes = BASE64.decode(part).map_err(|_| TokenRefusal::NoToken)?;
    serde_json::from_slice(&bytes).map_err(|_| TokenRefusal::NoToken)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn claims(text: &str) -> Claims {
        serde_json::from_str(text).unwrap()
    }

    fn at(seconds: i64) -> OffsetDateTime {
        OffsetDateTime::from_unix_timestamp(seconds).unwrap()
    }

    #[test]
    fn a_token_holds_between_its_times() {
        let claims = claims(r#"{"iat":1000,"nbf":1010,"exp":2000}"#);
        assert_eq!(claims.check(at(1010)), Ok(()));
        assert_eq!(claims.check(at(1999)), Ok(()));
        let expired = claims.check(at(2000)).unwrap_err();
        let message = "Token expired: current date/time 2000 must be before the expiration date/time2000";
        assert_eq!(expired.to_string(), message);
        assert_eq!(claims.check(at(709)), Err(TokenRefusal::NotYet(1010)));
    }

    #[test]
    fn what_a_token_must_say() {
        assert_eq!(claims(r#"{"iat":1}"#).check(at(0)), Err(TokenRefusal::NoClaim("exp")));
        assert_eq!(claims(r#"{"exp":9}"#).check(at(0)), Err(TokenRefusal::NoClaim("iat")));
        assert_eq!(claims("{}").issuer(), Err(TokenRefusal::NoClaim("iss")));
        assert_eq!(claims("{}").subject(), Err(TokenRefusal::NoClaim("sub")));
        assert_eq!(claims("{}").audiences(), Err(TokenRefusal::NoClaim("aud")));
        let tags = claims(r#"{"exp":9,"iat":1,"https://aws.amazon.com/tags":{}}"#);
        assert_eq!(tags.check(at(0)), Err(TokenRefusal::SessionTags));
    }

    #[test]
    fn audiences_are_one_or_many_or_the_authorized_party() {
        assert_eq!(claims(r#"{"aud":"a"}"#).audiences().unwrap(), ["a"]);
        assert_eq!(claims(r#"{"aud":["a","b"]}"#).audiences().unwrap(), ["a", "b"]);
        assert_eq!(claims(r#"{"aud":["a","b"],"azp":"c"}"#).audiences().unwrap(), ["c"]);
    }

    proptest! {
        #[test]
        fn any_text_is_a_token_or_a_refusal(text in any::<String>(), parts: [Vec<u8>; 3]) {
            let _ = UnverifiedToken::parse(&text);
            let _ = UnverifiedToken::parse(&parts.map(|part| BASE64.encode(part)).join("."));
        }

        #[test]
        fn any_json_has_claims_or_not(claims in r#"[\[\]{}":,a-z0-9.-]{0,40}"#) {
            if let Ok(claims) = serde_json::from_str::<Claims>(&claims) {
                let _ = claims.check(OffsetDateTime::UNIX_EPOCH);
            }
        }
    }
}
