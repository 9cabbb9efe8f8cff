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
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum OnError {
    /// That it has none, so that the caller tries without; the cause is told on standard error only.
    #[default]
    NotFound,
    /// The registry and the kind of the failure, without names or addresses of AWS, but not for ECR Public. The caller
    /// fails as well: GitLab Runner drops the whole source, other registries included, and shows the line in the
    /// job's log.
    Report,
}

/// A file as it is written. What its keys mean is told here, and goes from here into docs/HELPER.md.
#[derive(Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct Written {
    /// What `list` offers, beside the aliases and the rules without `*`: registries in any of the forms above. The
    /// lists of all files are put together.
    #[serde(default)]
    #[cfg_attr(test, schemars(with = "Vec<String>"))]
    registries: Vec<Spanned<String>>,
    /// Other addresses under which registries are reached, `HOST` or `HOST:PORT`, whatever scheme and path are asked
    /// for; each with the registry that it stands for. A registry of ECR cannot be an alias of another.
    #[serde(default)]
    #[cfg_attr(test, schemars(with = "BTreeMap<String, String>"))]
    alias: BTreeMap<Spanned<String>, Spanned<String>>,
    /// What the caller is told when the token of a registry cannot be had.
    #[cfg_attr(test, schemars(extend("default" = "not-found")))]
    on_error: Option<OnError>,
    /// Rules: which identity for which registries. The first that matches wins; those of the system's file come first.
    #[serde(default)]
    #[cfg_attr(test, schemars(with = "Vec<WrittenRule>"))]
    registry: Vec<Spanned<WrittenRule>>,
    /// The identity where the program is called `docker-credential-ecr-login-NAME`, with the keys of a rule but
    /// `match`.
    #[serde(default)]
    #[cfg_attr(test, schemars(with = "BTreeMap<String, WrittenProfile>"))]
    profile: BTreeMap<Spanned<String>, Spanned<WrittenProfile>>,
    /// Partitions that are younger than this program. Known ones cannot be changed.
    #[serde(default)]
    #[cfg_attr(test, schemars(with = "Vec<AddedPartition>"))]
    partition: Vec<Spanned<AddedPartition>>,
    /// Which registries may be asked for at all; only in the system's file. A key that is left out forbids nothing.
    #[cfg_attr(test, schemars(with = "Option<WrittenPolicy>"))]
    policy: Option<Spanned<WrittenPolicy>>,
    /// Who is asked about hosts that are not ECR's: one of the two.
    #[cfg_attr(test, schemars(with = "Option<WrittenFallback>"))]
    fallback: Option<Spanned<WrittenFallback>>,
}

/// A rule: which registries, and the keys of a profile. They are repeated, since serde reports no unknown keys where
/// tables are flattened.
#[derive(Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
struct WrittenRule {
    /// Which registries: `ACCOUNT.dkr.ecr.REGION.DOMAIN` with `*` for any characters in account and region, however the
    /// host is reached (FIPS and IPv6 names match as well); `public.ecr.aws`; or `*`. A path may follow, with `*` for
    /// anything, slashes too; it matches only where the caller names a path, as in a key of `credHelpers`.
    #[cfg_attr(test, schemars(with = "String"))]
    r#match: Spanned<String>,
    /// The profile of the SDK's files, and no other source.
    profile: Option<String>,
    /// The one source that may be used. All but `profile` leave the SDK's files aside, with their endpoints; `profile`
    /// does not see keys in variables.
    source: Option<IdentitySource>,
    /// The variable that holds an OIDC token, such as one of GitLab's `id_tokens:`, which is exchanged for a session of
    /// `role_arn`. No file is needed. Not together with `profile`, `source` or `external_id`.
    identity_token_env: Option<String>,
    /// The role to assume with what was found.
    role_arn: Option<String>,
    /// What the trust policy of the role may want to be told.
    external_id: Option<String>,
    /// The name of the session, which CloudTrail shows; `ecru` if none is given.
    session_name: Option<String>,
    /// Roles to assume after it, one from the other: `[{ role_arn = "…", external_id = "…", session_name = "…" }]`.
    #[serde(default)]
    chain: Vec<RoleSettings>,
}

#[derive(Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
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
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
struct WrittenPolicy {
    /// The accounts that are allowed, 12 digits each.
    #[cfg_attr(test, schemars(with = "Option<Vec<String>>"))]
    accounts: Option<Vec<Spanned<String>>>,
    /// The regions that are allowed, with `*` for any characters.
    regions: Option<Vec<String>>,
    /// Whether ECR Public is allowed.
    #[cfg_attr(test, schemars(extend("default" = true)))]
    public: Option<bool>,
}

#[derive(Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
struct WrittenFallback {
    /// The helper `docker-credential-` with this suffix; not `ecr-login` itself.
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    helper: Option<Spanned<String>>,
    /// The absolute path of a file like Docker's `config.json`, of which `auths` counts.
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    auths: Option<Spanned<String>>,
}

impl WrittenProfile {
    fn selection(self) -> Result<Selection, SelectionError> {
        let Self { profile, source, identity_token_env, role_arn, external_id, session_name, chain } = self;
        let alone = |setting| Err(SelectionError::Alone { setting, needed: "role_arn" });
        let role = match role_arn {
            Some(role_arn) => Some(RoleSettings { role_arn, external_id, session_name }),
            None if external_id.is_some() => return alone("external_id"),
            None if session_name.is_some() => return alone("session_name"),
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
    /// one account or region would be answered with the credentials of another. Nor can a path or a scheme be told
    /// from the others of its host, which would get these credentials as well.
    fn alias(&self, address: &Spanned<String>) -> Result<Address, Fault> {
        let parsed = Address::parse(address.get_ref())
            .map_err(|error| self.fault(address.span(), &error.to_string()))?;
        match self.partitions.registry(&parsed) {
            Ok(registry) => {
                let message = format!("`{registry}` is a registry of Amazon ECR and cannot be an alias");
                Err(self.fault(address.span(), &message))
            }
            Err(_) if parsed.scheme().is_some() || !parsed.path().is_empty() => {
                let message = format!(
                    "`{}` is not HOST or HOST:PORT: an alias is for every scheme and path of a host",
                    address.get_ref()
                );
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
