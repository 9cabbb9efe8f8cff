//! One configuration file.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::PathBuf;

use serde::Deserialize;
use toml::Spanned;

use super::Fault;
use super::pattern::{self, Pattern};
use super::policy::Policy;
use crate::identity::selection::{IdentitySource, RoleSettings, Selection, SelectionError, Settings};
use crate::registry::{AddedPartition, Address, Partitions, Registry};

/// What the helper tells its caller when it cannot get credentials for a registry of Amazon ECR.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnError {
    /// That it has none, so that the caller tries without; the cause is told on stderr only.
    #[default]
    NotFound,
    /// The kind of the failure, which makes the caller fail as well.
    Report,
}

/// A file as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(default)]
    registries: Vec<Spanned<String>>,
    #[serde(default)]
    alias: BTreeMap<Spanned<String>, Spanned<String>>,
    on_error: Option<OnError>,
    #[serde(default)]
    registry: Vec<Spanned<WrittenRule>>,
    #[serde(default)]
    profile: BTreeMap<Spanned<String>, Spanned<WrittenProfile>>,
    #[serde(default)]
    partition: Vec<Spanned<AddedPartition>>,
    policy: Option<Spanned<WrittenPolicy>>,
    fallback: Option<Spanned<WrittenFallback>>,
}

/// A rule: which registries, and the keys of a profile. They are repeated, since serde reports no unknown keys where
/// tables are flattened.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenRule {
    r#match: Spanned<String>,
    profile: Option<String>,
    source: Option<IdentitySource>,
    identity_token_env: Option<String>,
    role_arn: Option<String>,
    external_id: Option<String>,
    session_name: Option<String>,
    #[serde(default)]
    chain: Vec<RoleSettings>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenProfile {
    profile: Option<String>,
    source: Option<IdentitySource>,
    identity_token_env: Option<String>,
    role_arn: Option<String>,
    external_id: Option<String>,
    session_name: Option<String>,
    #[serde(default)]
    chain: Vec<RoleSettings>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenPolicy {
    accounts: Option<Vec<Spanned<String>>>,
    regions: Option<Vec<String>>,
    public: Option<bool>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenFallback {
    helper: Option<Spanned<String>>,
    auths: Option<Spanned<String>>,
}

impl WrittenProfile {
    fn selection(self) -> Result<Selection, SelectionError> {
        let Self { profile, source, identity_token_env, role_arn, external_id, session_name, chain } = self;
        let role = match role_arn {
            Some(role_arn) => Some(RoleSettings { role_arn, external_id, session_name }),
            None if external_id.is_some() => return Err(SelectionError::NoRole { setting: "external_id" }),
            None if session_name.is_some() => return Err(SelectionError::NoRole { setting: "session_name" }),
            None => None,
        };
        Selection::new(Settings { profile, source, identity_token_env, role, chain })
    }
}

/// A rule: the identity for the registries that a pattern means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// Which registries.
    pub pattern: Pattern,
    /// Which identity.
    pub selection: Selection,
}

/// Who is asked for registries of others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fallback {
    /// The helper `docker-credential-` with this suffix.
    Helper(String),
    /// A file like Docker's `config.json`, of which `auths` counts.
    Auths(PathBuf),
}

/// A file as it is meant.
#[derive(Debug)]
pub(super) struct File {
    pub(super) registries: Vec<Registry>,
    pub(super) aliases: BTreeMap<Address, Registry>,
    pub(super) on_error: Option<OnError>,
    pub(super) rules: Vec<Rule>,
    pub(super) profiles: BTreeMap<String, Selection>,
    pub(super) partitions: Partitions,
    pub(super) policy: Option<Policy>,
    pub(super) fallback: Option<Fallback>,
}

/// Reads a file, of a machine whose earlier files know `partitions`. Only the system's file may lay down a policy.
///
/// # Errors
/// The first fault, with its place.
pub(super) fn parse(content: &[u8], partitions: Partitions, is_system: bool) -> Result<File, Fault> {
    let text = std::str::from_utf8(content).map_err(|error| {
        let valid = String::from_utf8_lossy(&content[..error.valid_up_to()]).into_owned();
        fault(&valid, valid.len(), "a byte that is not UTF-8 text")
    })?;
    let mut written: Written = toml::from_str(text)
        .map_err(|error| fault(text, error.span().map_or(0, |span| span.start), error.message()))?;
    let mut meaning = Meaning { text, partitions, is_system };
    for partition in std::mem::take(&mut written.partition) {
        let span = partition.span();
        let added = meaning.partitions.add(partition.into_inner());
        added.map_err(|error| meaning.fault(span, &error.to_string()))?;
    }
    meaning.of(written)
}

/// Finds out what a file means, with its text at hand for the places of faults.
struct Meaning<'a> {
    text: &'a str,
    partitions: Partitions,
    is_system: bool,
}

impl Meaning<'_> {
    fn of(self, written: Written) -> Result<File, Fault> {
        let registries =
            written.registries.iter().map(|host| self.registry(host)).collect::<Result<_, _>>()?;
        let aliases = written
            .alias
            .iter()
            .map(|(address, host)| Ok((self.alias(address)?, self.registry(host)?)))
            .collect::<Result<_, _>>()?;
        let rules = written.registry.into_iter().map(|rule| self.rule(rule)).collect::<Result<_, _>>()?;
        let profiles = written
            .profile
            .into_iter()
            .map(|(name, profile)| {
                Ok((name.into_inner(), self.selection(profile.span(), profile.into_inner())?))
            })
            .collect::<Result<_, _>>()?;
        let policy = written.policy.map(|policy| self.policy(policy)).transpose()?;
        let fallback = written.fallback.map(|fallback| self.fallback(fallback)).transpose()?;
        let on_error = written.on_error;
        let partitions = self.partitions;
        Ok(File { registries, aliases, on_error, rules, profiles, partitions, policy, fallback })
    }

    fn rule(&self, rule: Spanned<WrittenRule>) -> Result<Rule, Fault> {
        let span = rule.span();
        let WrittenRule {
            r#match,
            profile,
            source,
            identity_token_env,
            role_arn,
            external_id,
            session_name,
            chain,
        } = rule.into_inner();
        let pattern = Pattern::parse(r#match.get_ref(), &self.partitions).ok_or_else(|| {
            let message = format!("`{}` is not {}", r#match.get_ref(), pattern::EXPECTED);
            self.fault(r#match.span(), &message)
        })?;
        let written = WrittenProfile {
            profile,
            source,
            identity_token_env,
            role_arn,
            external_id,
            session_name,
            chain,
        };
        Ok(Rule { pattern, selection: self.selection(span, written)? })
    }

    fn selection(&self, span: Range<usize>, written: WrittenProfile) -> Result<Selection, Fault> {
        written.selection().map_err(|error| self.fault(span, &error.to_string()))
    }

    fn policy(&self, policy: Spanned<WrittenPolicy>) -> Result<Policy, Fault> {
        if !self.is_system {
            let message = format!("a policy only counts in {}", super::SYSTEM_FILE);
            return Err(self.fault(policy.span(), &message));
        }
        let WrittenPolicy { accounts, regions, public } = policy.into_inner();
        for account in accounts.iter().flatten() {
            let text = account.get_ref();
            if text.len() != 12 || !text.bytes().all(|byte| byte.is_ascii_digit()) {
                let message = format!("`{text}` is not an AWS account: 12 digits are");
                return Err(self.fault(account.span(), &message));
            }
        }
        let accounts = accounts.map(|accounts| accounts.into_iter().map(Spanned::into_inner).collect());
        Ok(Policy { accounts, regions, public: public.unwrap_or(true) })
    }

    fn fallback(&self, fallback: Spanned<WrittenFallback>) -> Result<Fallback, Fault> {
        let span = fallback.span();
        match fallback.into_inner() {
            WrittenFallback { helper: Some(helper), auths: None } => {
                let suffix = helper.get_ref();
                let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
                if suffix.is_empty() || !suffix.bytes().all(is_plain) {
                    let message =
                        format!("`{suffix}` is not what follows `docker-credential-` in a helper's name");
                    return Err(self.fault(helper.span(), &message));
                }
                if suffix == "ecr-login" || suffix.starts_with("ecr-login-") {
                    return Err(self.fault(helper.span(), "ecru cannot fall back on itself"));
                }
                Ok(Fallback::Helper(helper.into_inner()))
            }
            WrittenFallback { helper: None, auths: Some(auths) } => {
                let path = PathBuf::from(auths.get_ref());
                if !path.is_absolute() {
                    let message = format!("`{}` is not an absolute path", path.display());
                    return Err(self.fault(auths.span(), &message));
                }
                Ok(Fallback::Auths(path))
            }
            _ => Err(self.fault(span, "a fallback has either `helper` or `auths`")),
        }
    }

    fn registry(&self, host: &Spanned<String>) -> Result<Registry, Fault> {
        let registry = self.partitions.parse(host.get_ref());
        registry.map_err(|error| self.fault(host.span(), &error.to_string()))
    }

    /// An address that stands for a registry. A registry's own name cannot stand for another one: what is asked for
    /// one account or region would be answered with the credentials of another.
    fn alias(&self, address: &Spanned<String>) -> Result<Address, Fault> {
        let parsed = Address::parse(address.get_ref())
            .map_err(|error| self.fault(address.span(), &error.to_string()))?;
        match self.partitions.registry(&parsed) {
            Ok(registry) => {
                let message = format!("`{registry}` is a registry of Amazon ECR and cannot be an alias");
                Err(self.fault(address.span(), &message))
            }
            Err(_) => Ok(parsed),
        }
    }

    fn fault(&self, span: Range<usize>, message: &str) -> Fault {
        fault(self.text, span.start, message)
    }
}

fn fault(text: &str, offset: usize, message: &str) -> Fault {
    let before = &text[..text.floor_char_boundary(offset)];
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    Fault {
        line: before.matches('\n').count() + 1,
        column: before[line_start..].chars().count() + 1,
        message: message.lines().next().unwrap_or_default().to_owned(),
    }
}
