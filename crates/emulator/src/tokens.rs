//! Registry passwords: what GetAuthorizationToken hands out and `/v2/` accepts.
//!
//! A real password is the base64 form of a JSON object with `payload`, `datakey`, `version`, `type` and
//! `expiration`. The emulator's is the same after a literal `ecru-emulator.`, which no real one can start with,
//! since `-` is no letter of base64. The payload says whom the password stands for; `datakey` is a seal over it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};

use crate::accounts::Region;
use crate::iam::IdentityName;
use crate::iam::condition::Tags;
use crate::iam::policy::Policy;
use crate::principals::Principal;
use crate::seal::{Purpose, Seal};

/// What every emulated password starts with.
const MARK: &str = "ecru-emulator";

/// Authorization tokens are valid for 12 hours, and no request can shorten that (Amazon ECR API reference,
/// AuthorizationData).
const LIFETIME: Duration = Duration::hours(12);

/// Which registries a password is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Audience {
    Ecr,
    EcrPublic,
}

/// A password as handed out.
pub(crate) struct RegistryPassword {
    pub(crate) password: SecretString,
    pub(crate) expires: OffsetDateTime,
}

/// Whom and what a password stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Grant {
    pub(crate) audience: Audience,
    pub(crate) principal: Principal,
    pub(crate) region: Region,
    pub(crate) expires: OffsetDateTime,
}

#[derive(Serialize, Deserialize)]
struct Envelope {
    payload: String,
    datakey: String,
    version: String,
    #[serde(rename = "type")]
    kind: String,
    expiration: i64,
}

/// Written into the password as text, so that whoever decodes one sees at once that it is not real.
#[derive(Serialize, Deserialize)]
struct Payload {
    issuer: String,
    audience: Audience,
    account: String,
    arn: String,
    user_id: String,
    identity: IdentityName,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    session_policies: Vec<Policy>,
    #[serde(default, skip_serializing_if = "Tags::is_empty")]
    session_tags: Tags,
    region: String,
    expires: i64,
    /// Makes each password another one, as AWS's are.
    id: String,
}

/// A new password for `principal` in `region`.
pub(crate) fn mint(
    seal: &Seal,
    audience: Audience,
    principal: &Principal,
    region: &Region,
    now: OffsetDateTime,
) -> Result<RegistryPassword, serde_json::Error> {
    let expires = now + LIFETIME;
    let payload = serde_json::to_string(&Payload {
        issuer: MARK.into(),
        audience,
        account: principal.account.to_string(),
        arn: principal.arn.clone(),
        user_id: principal.user_id.clone(),
        identity: principal.identity.clone(),
        session_policies: principal.session_policies.clone(),
        session_tags: principal.session_tags.clone(),
        region: region.to_string(),
        expires: expires.unix_timestamp(),
        id: seal.uuid(),
    })?;
    let envelope = serde_json::to_string(&Envelope {
        datakey: BASE64.encode(seal.tag(Purpose::RegistryPassword, payload.as_bytes())),
        payload,
        version: "2".into(),
        kind: "DATA_KEY".into(),
        expiration: expires.unix_timestamp(),
    })?;
    Ok(RegistryPassword { password: format!("{MARK}.{}", BASE64.encode(envelope)).into(), expires })
}

/// What a password stands for, expired or not; nothing unless this emulator made it.
pub(crate) fn open(seal: &Seal, password: &str) -> Option<Grant> {
    let envelope = BASE64.decode(password.strip_prefix(MARK)?.strip_prefix('.')?).ok()?;
    let envelope: Envelope = serde_json::from_slice(&envelope).ok()?;
    let tag = BASE64.decode(envelope.datakey).ok()?;
    if !seal.matches(Purpose::RegistryPassword, envelope.payload.as_bytes(), &tag) {
        return None;
    }
    let payload: Payload = serde_json::from_str(&envelope.payload).ok()?;
    Some(Grant {
        audience: payload.audience,
        principal: Principal {
            account: payload.account.parse().ok()?,
            arn: payload.arn,
            user_id: payload.user_id,
            identity: payload.identity,
            session_policies: payload.session_policies,
            session_tags: payload.session_tags,
        },
        region: payload.region.parse().ok()?,
        expires: OffsetDateTime::from_unix_timestamp(payload.expires).ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::accounts::AccountId;
    use proptest::prelude::*;
    use secrecy::ExposeSecret;

    fn minted(seal: &Seal) -> (Principal, RegistryPassword) {
        let principal = Principal::role_session(AccountId::default(), "deploy", "job-1");
        let minted = mint(seal, Audience::Ecr, &principal, &Region::default(), OffsetDateTime::UNIX_EPOCH);
        (principal, minted.unwrap())
    }

    #[test]
    fn a_password_leads_back_to_its_principal() {
        let seal = Seal::generate().unwrap();
        let (principal, minted) = minted(&seal);
        let grant = open(&seal, minted.password.expose_secret()).unwrap();
        let expected =
            Grant { audience: Audience::Ecr, principal, region: Region::default(), expires: minted.expires };
        assert_eq!(grant, expected);
        assert_eq!(minted.expires, OffsetDateTime::UNIX_EPOCH + Duration::hours(12));
    }

    #[test]
    fn a_password_is_seen_to_be_fake_with_and_without_decoding() {
        let (_, minted) = minted(&Seal::generate().unwrap());
        let encoded = minted.password.expose_secret().strip_prefix("ecru-emulator.").unwrap();
        let envelope: Envelope = serde_json::from_slice(&BASE64.decode(encoded).unwrap()).unwrap();
        assert!(envelope.payload.starts_with(r#"{"issuer":"ecru-emulator","#));
        assert_eq!(envelope.expiration, minted.expires.unix_timestamp());
    }

    #[test]
    fn a_foreign_or_altered_password_is_nobodys() {
        let seal = Seal::generate().unwrap();
        let (_, minted) = minted(&seal);
        let password = minted.password.expose_secret();
        assert!(open(&Seal::generate().unwrap(), password).is_none());
        let encoded = password.strip_prefix("ecru-emulator.").unwrap();
        let text = String::from_utf8(BASE64.decode(encoded).unwrap()).unwrap();
        let altered = text.replace("us-east-1", "eu-west-1");
        assert_ne!(altered, text);
        assert!(open(&seal, &format!("ecru-emulator.{}", BASE64.encode(altered))).is_none());
        assert!(open(&seal, encoded).is_none());
    }

    proptest! {
        #[test]
        fn any_text_is_a_password_or_nothing(text in any::<String>(), json in any::<String>()) {
            let seal = Seal::generate().unwrap();
            prop_assert!(open(&seal, &text).is_none());
            let password = format!("{MARK}.{}", BASE64.encode(json));
            prop_assert!(open(&seal, &password).is_none());
        }
    }
}
