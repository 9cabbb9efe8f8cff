//! ECR Public's way in: tokens by HTTP Bearer, which anybody gets, and the names of registries.
//!
//! AWS sends clients to `https://public.ecr.aws/token/` for a token. Clients that reached the emulator by that name are
//! sent there too; to others it names the host and port that they asked, since they would not find it by AWS's name.

use std::collections::BTreeMap;

use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use secrecy::ExposeSecret as _;
use serde_json::json;
use time::{Duration, OffsetDateTime};

use super::errors::RegistryError;
use super::{Door, Visitor, auth};
use crate::accounts::AccountId;
use crate::cloud::{Cloud, Entrance};
use crate::principals::Principal;
use crate::seal::{Purpose, Seal};
use crate::sites::{Site, host_of};
use crate::tokens::{self, Audience};

/// The host name that images of ECR Public start with.
pub(crate) const HOST: &str = "public.ecr.aws";
/// The same for clients that have only IPv6 ("Making requests to Amazon ECR Public registries", ECR Public user guide).
pub(crate) const DUAL_STACK_HOST: &str = "ecr-public.aws.com";

/// What tokens of nobody start with. `-` is no letter of base64, so none is a token of somebody.
const ANONYMOUS: &str = "ecru-emulator-anonymous";
/// AWS does not document how long they last; as long as the others, then.
const ANONYMOUS_LIFETIME: Duration = Duration::hours(12);

/// The names that accounts have in ECR Public.
#[derive(Debug)]
pub(crate) struct PublicAliases {
    chosen: BTreeMap<String, AccountId>,
    names: Vec<(AccountId, String)>,
}

impl PublicAliases {
    /// The aliases that were chosen; every other account has one that it was given.
    pub(crate) fn new(chosen: BTreeMap<String, AccountId>) -> Self {
        let accounts = (0..=u8::MAX).map_while(AccountId::new).enumerate();
        let names = accounts.map(|(number, account)| {
            let own = chosen.iter().find(|(_, owner)| **owner == account).map(|(alias, _)| alias.clone());
            (account, own.unwrap_or_else(|| format!("ecru-emulator-{number:02}")))
        });
        Self { names: names.collect(), chosen }
    }

    pub(crate) fn owner(&self, alias: &str) -> Option<AccountId> {
        let named = || self.names.iter().find(|(_, name)| name == alias).map(|(account, _)| *account);
        self.chosen.get(alias).copied().or_else(named)
    }

    /// The alias that an account's images are shown under.
    pub(crate) fn of(&self, account: AccountId) -> &str {
        self.names.iter().find(|(owner, _)| *owner == account).map_or("", |(_, name)| name)
    }
}

/// Whether an account can have this alias in ECR Public: 2 to 50 letters, digits and single separators, the first a
/// letter ("Public registry settings", Amazon ECR Public user guide).
pub(crate) fn is_alias(text: &str) -> bool {
    let is_letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    (2..=50).contains(&text.len())
        && text.starts_with(|first: char| first.is_ascii_lowercase())
        && text.split(['.', '_', '-']).all(|word| !word.is_empty() && word.bytes().all(is_letter))
}

/// Who asks, by the token of the request. Without a token nobody is let in, not even to pull.
pub(super) fn visitor(
    entrance: &Entrance,
    site: &Site,
    uri: &Uri,
    headers: &HeaderMap,
) -> Result<Visitor, RegistryError> {
    let cloud = &entrance.cloud;
    let strange = || RegistryError::Unauthorized(challenge(entrance, site, uri, headers));
    let token = bearer(headers).ok_or_else(strange)?;
    if token.starts_with(ANONYMOUS) {
        let expires = opened_anonymous(&cloud.seal, token).ok_or_else(strange)?;
        if cloud.now() >= expires {
            return Err(RegistryError::TokenExpired);
        }
        return Ok(Visitor::Anonymous);
    }
    let credential = BASE64.decode(token).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let credential = credential.ok_or_else(strange)?;
    let password = credential.split_once(':').filter(|(user, _)| *user == auth::USER).ok_or_else(strange)?.1;
    Ok(Visitor::Known(holder(cloud, password).ok_or_else(strange)??))
}

/// Whom a password of ECR Public stands for: nobody, if this emulator did not make it.
fn holder(cloud: &Cloud, password: &str) -> Option<Result<Principal, RegistryError>> {
    let grant = tokens::open(&cloud.seal, password).filter(|grant| grant.audience == Audience::EcrPublic)?;
    let expired = cloud.now() >= grant.expires;
    Some(if expired { Err(RegistryError::TokenExpired) } else { Ok(grant.principal) })
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("Bearer").then(|| token.trim())
}

/// The header of ECR Public's 401, with the realm where this client finds the emulator.
fn challenge(entrance: &Entrance, site: &Site, uri: &Uri, headers: &HeaderMap) -> String {
    let asked = host_of(uri, headers);
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b".:-[]".contains(&byte);
    let host = if !asked.is_empty() && asked.bytes().all(is_plain) { asked } else { HOST };
    let scheme = if *site == Site::Public || entrance.secure { "https" } else { "http" };
    format!("Bearer realm=\"{scheme}://{host}/token/\",service=\"{HOST}\",scope=\"aws\"")
}

/// Answers `/token/`: a token for whoever asks, of a principal if it has a password. A password that has expired is
/// refused, though without any the same client could pull.
pub(crate) async fn token(State(entrance): State<Entrance>, site: Site, request: Request) -> Response {
    if entrance.door_of(&site) != Some(Door::Public) {
        return StatusCode::NOT_FOUND.into_response();
    }
    // Clients that try OAuth first, by POST, come back with GET.
    if request.method() != Method::GET {
        return StatusCode::METHOD_NOT_ALLOWED.into_response();
    }
    match token_for(&entrance.cloud, request.headers()) {
        Ok(token) => {
            let body = json!({ "token": token }).to_string();
            ([(CONTENT_TYPE, "application/json")], body).into_response()
        }
        Err(error) => error.into_response(),
    }
}

/// The token of somebody is the API's authorization token, which the registry also takes by itself ("Registry
/// authentication in Amazon ECR public", HTTP API authentication, Amazon ECR Public user guide).
fn token_for(cloud: &Cloud, headers: &HeaderMap) -> Result<String, RegistryError> {
    if !headers.contains_key(AUTHORIZATION) {
        return Ok(anonymous(&cloud.seal, cloud.now() + ANONYMOUS_LIFETIME));
    }
    let realm =
        || RegistryError::Unauthorized(format!("Basic realm=\"https://{HOST}/token/\",service=\"{HOST}\""));
    let password = auth::password(headers).ok_or_else(realm)?;
    holder(cloud, password.expose_secret()).ok_or_else(realm)??;
    Ok(BASE64.encode(format!("{}:{}", auth::USER, password.expose_secret())))
}

fn anonymous(seal: &Seal, expires: OffsetDateTime) -> String {
    let seconds = expires.unix_timestamp();
    let tag = hex::encode(seal.tag(Purpose::AnonymousToken, &seconds.to_be_bytes()));
    format!("{ANONYMOUS}.{seconds}.{tag}")
}

/// When a token of nobody expires, if this emulator made it.
fn opened_anonymous(seal: &Seal, token: &str) -> Option<OffsetDateTime> {
    let (seconds, tag) = token.strip_prefix(ANONYMOUS)?.strip_prefix('.')?.split_once('.')?;
    let (seconds, tag): (i64, _) = (seconds.parse().ok()?, hex::decode(tag).ok()?);
    let genuine = seal.matches(Purpose::AnonymousToken, &seconds.to_be_bytes(), &tag);
    if genuine { OffsetDateTime::from_unix_timestamp(seconds).ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_account_has_an_alias() {
        let seven = AccountId::new(7).unwrap();
        let aliases = PublicAliases::new(BTreeMap::from([("team".into(), seven)]));
        assert_eq!((aliases.owner("team"), aliases.of(seven)), (Some(seven), "team"));
        assert_eq!(aliases.of(AccountId::new(42).unwrap()), "ecru-emulator-42");
        assert_eq!(aliases.owner("ecru-emulator-42"), AccountId::new(42));
        assert_eq!((aliases.owner("ecru-emulator-07"), aliases.owner("nobody")), (None, None));
    }

    #[test]
    fn aliases_follow_the_pattern() {
        for alias in ["ab", "team", "a1.b-c_d", &"a".repeat(50)] {
            assert!(is_alias(alias), "{alias}");
        }
        for alias in ["", "a", "1a", "Team", "a--b", "a/b", "-ab", "ab-", &"a".repeat(51)] {
            assert!(!is_alias(alias), "{alias}");
        }
    }

    #[test]
    fn a_token_of_nobody_is_known_by_its_maker_only() {
        let (seal, time) = (Seal::generate().unwrap(), OffsetDateTime::UNIX_EPOCH);
        let token = anonymous(&seal, time);
        assert_eq!(opened_anonymous(&seal, &token), Some(time));
        assert_eq!(opened_anonymous(&Seal::generate().unwrap(), &token), None);
        assert_eq!(opened_anonymous(&seal, &token.replace(".0.", ".9.")), None);
    }

    proptest! {
        #[test]
        fn any_token_is_somebodys_or_nobodys(rest in "[ -~]{0,99}") {
            let seal = Seal::generate().unwrap();
            prop_assert_eq!(opened_anonymous(&seal, &format!("{ANONYMOUS}.{rest}")), None);
        }
    }
}
