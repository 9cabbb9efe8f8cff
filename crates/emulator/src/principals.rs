//! Who calls: users with fixed keys, and sessions of roles with keys that expire.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use time::{Duration, OffsetDateTime};

use crate::accounts::AccountId;
use crate::iam::condition::Tags;
use crate::iam::policy::Policy;
use crate::iam::{IdentityName, PrincipalNames};
use crate::seal::Seal;

/// How long an expired session is remembered, so that its keys are called expired and not unknown.
const EXPIRED_SESSIONS_ARE_KEPT: Duration = Duration::hours(1);

/// The user that every emulated account has.
pub(crate) const DEFAULT_USER: &str = "ecru";

/// The letters of AWS's unique identifiers and access key ids.
const ID_LETTERS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// Keys for AWS API calls. None of them is worth anything outside the emulator that made them.
#[derive(Debug, Clone)]
pub struct AccessKeys {
    /// For `AWS_ACCESS_KEY_ID`; not a secret.
    pub access_key_id: String,
    /// For `AWS_SECRET_ACCESS_KEY`.
    pub secret_access_key: SecretString,
}

/// Somebody whom requests can come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Principal {
    pub(crate) account: AccountId,
    pub(crate) arn: String,
    pub(crate) user_id: String,
    /// Whose policies it has.
    pub(crate) identity: IdentityName,
    /// What narrows it, if it is a session that was opened with policies: what none of them allows, it may not do.
    pub(crate) session_policies: Vec<Policy>,
    pub(crate) session_tags: Tags,
}

impl Principal {
    pub(crate) fn user(account: AccountId, name: &str) -> Self {
        let arn = format!("arn:aws:iam::{account}:user/{name}");
        Self {
            account,
            user_id: unique_id("AIDA", &arn),
            arn,
            identity: IdentityName::User(name.into()),
            session_policies: Vec::new(),
            session_tags: Tags::new(),
        }
    }

    /// A session of a role, named as STS names it.
    pub(crate) fn role_session(account: AccountId, role: &str, session: &str) -> Self {
        Self {
            account,
            arn: format!("arn:aws:sts::{account}:assumed-role/{role}/{session}"),
            user_id: format!("{}:{session}", role_id(account, role)),
            identity: IdentityName::Role(role.into()),
            session_policies: Vec::new(),
            session_tags: Tags::new(),
        }
    }

    pub(crate) fn is_role_session(&self) -> bool {
        matches!(self.identity, IdentityName::Role(_))
    }

    /// The names that a repository's policy can call it by.
    pub(crate) fn names(&self) -> PrincipalNames {
        let account = self.account.to_string();
        let role_arn = match &self.identity {
            IdentityName::User(_) => None,
            IdentityName::Role(role) => Some(format!("arn:aws:iam::{account}:role/{role}")),
        };
        PrincipalNames { arn: self.arn.clone(), role_arn, account }
    }
}

pub(crate) fn role_id(account: AccountId, role: &str) -> String {
    unique_id("AROA", &format!("{account}/{role}"))
}

/// An identifier of AWS's length (prefix and 17 letters), the same for the same name in every run.
fn unique_id(prefix: &str, name: &str) -> String {
    format!("{prefix}ECRU{}", letters(&Sha256::digest(name.as_bytes())[..13]))
}

fn letters(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| char::from(ID_LETTERS[usize::from(byte % 32)])).collect()
}

/// A session of a role: what STS and the instance metadata hand out.
#[derive(Debug, Clone)]
pub(crate) struct SessionKeys {
    pub(crate) access_key_id: String,
    pub(crate) secret_access_key: SecretString,
    pub(crate) session_token: SecretString,
    pub(crate) issued: OffsetDateTime,
    pub(crate) expires: OffsetDateTime,
    pub(crate) principal: Arc<Principal>,
}

/// Whoever holds an access key, with the secret that requests must be signed with.
#[derive(Debug, Clone)]
pub(crate) struct Holder {
    pub(crate) principal: Arc<Principal>,
    pub(crate) secret_access_key: SecretString,
}

/// Why keys are not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KeyRefusal {
    /// Nobody has this access key, or its session token is missing or another.
    Unknown,
    Expired,
}

/// Everybody who can call, by access key id.
pub(crate) struct Principals {
    users: HashMap<String, Holder>,
    sessions: RwLock<HashMap<String, SessionKeys>>,
}

impl Principals {
    /// Users with fixed keys, by account and name, and no sessions.
    pub(crate) fn with_users<'a>(users: impl IntoIterator<Item = (AccountId, &'a str)>) -> Self {
        let holder = |(account, name)| {
            let principal = Arc::new(Principal::user(account, name));
            (user_key_id(account, name), Holder { principal, secret_access_key: user_secret(account, name) })
        };
        Self { users: users.into_iter().map(holder).collect(), sessions: RwLock::default() }
    }

    /// The keys of a user: the same in every run, so that they can stand in a file.
    pub(crate) fn user_keys(&self, account: AccountId, name: &str) -> Option<AccessKeys> {
        let access_key_id = user_key_id(account, name);
        let secret_access_key = self.users.get(&access_key_id)?.secret_access_key.clone();
        Some(AccessKeys { access_key_id, secret_access_key })
    }

    pub(crate) fn open_session(
        &self,
        principal: Principal,
        lifetime: Duration,
        now: OffsetDateTime,
        seal: &Seal,
    ) -> SessionKeys {
        let keys = SessionKeys {
            access_key_id: format!("ASIAECRU{}", letters(&seal.unpredictable()[..12])),
            secret_access_key: hex::encode(&seal.unpredictable()[..20]).into(),
            session_token: format!("ecru-emulator-session-{}", hex::encode(seal.unpredictable())).into(),
            issued: now,
            expires: now + lifetime,
            principal: Arc::new(principal),
        };
        let mut sessions = self.sessions.write().unwrap_or_else(PoisonError::into_inner);
        sessions.retain(|_, session| now < session.expires + EXPIRED_SESSIONS_ARE_KEPT);
        sessions.insert(keys.access_key_id.clone(), keys.clone());
        keys
    }

    /// Who holds an access key. Session keys count only with their session token, user keys only without one.
    pub(crate) fn holder_of(
        &self,
        access_key_id: &str,
        session_token: Option<&str>,
        now: OffsetDateTime,
    ) -> Result<Holder, KeyRefusal> {
        if let Some(user) = self.users.get(access_key_id) {
            return if session_token.is_none() { Ok(user.clone()) } else { Err(KeyRefusal::Unknown) };
        }
        let sessions = self.sessions.read().unwrap_or_else(PoisonError::into_inner);
        let session = sessions.get(access_key_id).ok_or(KeyRefusal::Unknown)?;
        if !session_token.is_some_and(|token| is_same_secret(token, session.session_token.expose_secret())) {
            return Err(KeyRefusal::Unknown);
        }
        if now >= session.expires {
            return Err(KeyRefusal::Expired);
        }
        let (principal, secret_access_key) = (session.principal.clone(), session.secret_access_key.clone());
        Ok(Holder { principal, secret_access_key })
    }
}

/// Compares hashes, so that the time it takes tells nothing about how much of a guess was right.
fn is_same_secret(given: &str, expected: &str) -> bool {
    Sha256::digest(given.as_bytes()) == Sha256::digest(expected.as_bytes())
}

fn user_key_id(account: AccountId, name: &str) -> String {
    if name == DEFAULT_USER {
        let account = account.to_string();
        return format!("AKIAECRUEMULATOR{}", &account[account.len() - 4..]);
    }
    format!("AKIAECRU{}", letters(&Sha256::digest(format!("{account}/{name}"))[..12]))
}

/// Of 40 characters, as real ones are, for the default user; longer for others.
fn user_secret(account: AccountId, name: &str) -> SecretString {
    let start = format!("ecru-emulator/not-real-keys/{account}");
    if name == DEFAULT_USER { start.into() } else { format!("{start}/{name}").into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn principals() -> Principals {
        Principals::with_users([(AccountId::default(), DEFAULT_USER)])
    }

    #[test]
    fn user_keys_are_fixed_and_their_secret_is_not_printed() {
        let keys = principals().user_keys(AccountId::default(), DEFAULT_USER).unwrap();
        assert_eq!(keys.access_key_id, "AKIAECRUEMULATOR0000");
        let secret = keys.secret_access_key.expose_secret();
        assert_eq!(secret.len(), 40);
        assert!(!format!("{keys:?}").contains(secret));
        assert!(principals().user_keys(AccountId::new(1).unwrap(), DEFAULT_USER).is_none());
    }

    #[test]
    fn a_session_counts_with_its_token_until_it_expires() {
        let (principals, seal, now) = (principals(), Seal::generate().unwrap(), OffsetDateTime::UNIX_EPOCH);
        let principal = Principal::role_session(AccountId::default(), "deploy", "job-1");
        let keys = principals.open_session(principal.clone(), Duration::hours(1), now, &seal);
        let token = keys.session_token.expose_secret();
        let holder = |token, time| {
            principals.holder_of(&keys.access_key_id, token, time).map(|holder| holder.principal)
        };

        assert_eq!(*holder(Some(token), now).unwrap(), principal);
        assert_eq!(holder(None, now), Err(KeyRefusal::Unknown));
        assert_eq!(holder(Some("other"), now), Err(KeyRefusal::Unknown));
        assert_eq!(holder(Some(token), keys.expires), Err(KeyRefusal::Expired));
        assert!(!format!("{keys:?}").contains(token));
        assert_eq!(keys.access_key_id.len(), 20);
    }

    #[test]
    fn sessions_are_forgotten_some_time_after_they_expired() {
        let (principals, seal, now) = (principals(), Seal::generate().unwrap(), OffsetDateTime::UNIX_EPOCH);
        let open = |time| {
            let principal = Principal::role_session(AccountId::default(), "deploy", "job-1");
            principals.open_session(principal, Duration::hours(1), time, &seal)
        };
        let first = open(now);
        let later = now + Duration::hours(3);
        open(later);
        let token = first.session_token.expose_secret();
        let holder = principals.holder_of(&first.access_key_id, Some(token), later);
        assert_eq!(holder.unwrap_err(), KeyRefusal::Unknown);
    }

    #[test]
    fn identifiers_have_the_length_of_real_ones() {
        let principal = Principal::role_session(AccountId::default(), "deploy", "job-1");
        assert_eq!(principal.user_id.split(':').next().unwrap().len(), 21);
        assert_eq!(principal.arn, "arn:aws:sts::000000000000:assumed-role/deploy/job-1");
    }
}
