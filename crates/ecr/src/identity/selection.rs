//! Which identity is meant for a registry, where more than the SDK's default chain is said about it.
//!
//! A selection restricts the environment that the SDK sees, so that its chain can only find what is meant, and then
//! assumes roles. Everything in it is part of the cache's key.

use aws_credential_types::credential_feature::AwsCredentialFeature as Feature;
use serde::Deserialize;

use crate::environment::Environment;

/// The variables that select an identity without a configuration file, for registries that no rule names.
pub const VARIABLES: [&str; 7] = [
    "ECRU_PROFILE",
    "ECRU_SOURCE",
    "ECRU_ROLE_ARN",
    "ECRU_EXTERNAL_ID",
    "ECRU_SESSION_NAME",
    "ECRU_IDENTITY_TOKEN_ENV",
    TOKEN_VARIABLE,
];

/// The variable that holds an OIDC token if no other one is named.
pub const TOKEN_VARIABLE: &str = "ECRU_IDENTITY_TOKEN";

/// The name of a session if none is configured.
pub(crate) const SESSION_NAME: &str = "ecru";

const KEYS: [&str; 4] =
    ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"];
const WEB_IDENTITY: [&str; 3] = ["AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_ROLE_ARN", "AWS_ROLE_SESSION_NAME"];
const CONTAINER: [&str; 4] = [
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
];

/// A source of the SDK's chain that alone may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum IdentitySource {
    /// Access keys in variables.
    Environment,
    /// A profile of the SDK's files.
    Profile,
    /// A file with an OIDC token, and a role.
    WebIdentity,
    /// A task of ECS or a pod with EKS Pod Identity.
    Container,
    /// The instance's metadata service.
    Instance,
}

impl IdentitySource {
    /// All, in the order in which the SDK's default chain asks them and tells what they lack. [`asked_for`] has the one
    /// that counts.
    pub(super) const ALL: [Self; 5] =
        [Self::Environment, Self::Profile, Self::WebIdentity, Self::Container, Self::Instance];

    /// Its name in the configuration.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Environment => "environment",
            Self::Profile => "profile",
            Self::WebIdentity => "web-identity",
            Self::Container => "container",
            Self::Instance => "instance",
        }
    }

    /// Whether credentials with these features, as the SDK calls them, come from it.
    pub(crate) fn has_given(self, features: &[Feature]) -> bool {
        self != Self::Profile || features.iter().any(is_of_profile)
    }

    /// The source that has given credentials with these features. A profile may in turn have asked another one.
    pub(crate) fn of(features: &[Feature]) -> Option<Self> {
        if features.iter().any(is_of_profile) {
            return Some(Self::Profile);
        }
        features.iter().find_map(|feature| match feature {
            Feature::CredentialsEnvVars => Some(Self::Environment),
            Feature::CredentialsEnvVarsStsWebIdToken => Some(Self::WebIdentity),
            Feature::CredentialsHttp => Some(Self::Container),
            Feature::CredentialsImds => Some(Self::Instance),
            _ => None,
        })
    }
}

fn is_of_profile(feature: &Feature) -> bool {
    matches!(
        feature,
        Feature::CredentialsProfile
            | Feature::CredentialsProfileSourceProfile
            | Feature::CredentialsProfileNamedProvider
            | Feature::CredentialsProfileStsWebIdToken
            | Feature::CredentialsProfileSso
            | Feature::CredentialsProfileProcess
            | Feature::CredentialsProfileLogin
    )
}

/// A role to assume.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Role {
    /// Its ARN.
    pub arn: String,
    /// What its trust policy may want to be told.
    pub external_id: Option<String>,
    /// The name of the session.
    pub session_name: String,
}

/// A source that the variables of a process ask for, by themselves and not by where the process runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AskedFor {
    /// This one, by these variables.
    Source(IdentitySource, &'static str),
    /// One that needs a second variable, without which the SDK goes on to the next one and says nothing.
    Half {
        /// The variable that is set.
        set: &'static str,
        /// The one that is not.
        missing: &'static str,
    },
}

/// The sources that `environment` asks for, in the order in which they are tried. That is the order of the SDK for Go
/// (`config/resolve_credentials.go`), and so of amazon-ecr-credential-helper: the one for Rust would ask a web identity
/// after the profiles. A process in a task or on an instance may have an identity besides, which it did not ask for.
#[must_use]
pub fn asked_for(environment: &Environment) -> Vec<AskedFor> {
    let is_set = |name| environment.os(name).is_some();
    let has_secret = is_set("AWS_SECRET_ACCESS_KEY") || is_set("SECRET_ACCESS_KEY");
    let key = match (is_set("AWS_ACCESS_KEY_ID"), has_secret) {
        (true, true) => {
            Some(AskedFor::Source(IdentitySource::Environment, "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"))
        }
        (true, false) => Some(AskedFor::Half { set: "AWS_ACCESS_KEY_ID", missing: "AWS_SECRET_ACCESS_KEY" }),
        (false, true) => Some(AskedFor::Half { set: "AWS_SECRET_ACCESS_KEY", missing: "AWS_ACCESS_KEY_ID" }),
        (false, false) => None,
    };
    let profile = is_set("AWS_PROFILE").then_some(AskedFor::Source(IdentitySource::Profile, "AWS_PROFILE"));
    // A role alone asks for nothing: scripts often read AWS_ROLE_ARN themselves.
    let web = match (is_set("AWS_WEB_IDENTITY_TOKEN_FILE"), is_set("AWS_ROLE_ARN")) {
        (true, true) => Some(AskedFor::Source(
            IdentitySource::WebIdentity,
            "AWS_WEB_IDENTITY_TOKEN_FILE and AWS_ROLE_ARN",
        )),
        (true, false) => Some(AskedFor::Half { set: "AWS_WEB_IDENTITY_TOKEN_FILE", missing: "AWS_ROLE_ARN" }),
        (false, _) => None,
    };
    [key, web, profile].into_iter().flatten().collect()
}

/// The first of them that can be asked.
pub(crate) fn first_asked_for(environment: &Environment) -> Option<IdentitySource> {
    asked_for(environment).into_iter().find_map(|asked| match asked {
        AskedFor::Source(source, _) => Some(source),
        AskedFor::Half { .. } => None,
    })
}

/// How an identity is selected; the default one restricts nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    profile: Option<String>,
    source: Option<IdentitySource>,
    token_variable: Option<String>,
    roles: Vec<Role>,
}

/// A selection as it is written, in a rule, a profile of ecru's, or variables.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// A profile of the SDK's files.
    pub profile: Option<String>,
    /// The one source that may be used.
    pub source: Option<IdentitySource>,
    /// The variable that holds an OIDC token.
    pub identity_token_env: Option<String>,
    /// The role to assume, with its external ID and session name.
    pub role: Option<RoleSettings>,
    /// Roles to assume after it, one from the other.
    pub chain: Vec<RoleSettings>,
}

/// A role as it is written.
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct RoleSettings {
    /// Its ARN.
    pub role_arn: String,
    /// What its trust policy may want to be told.
    pub external_id: Option<String>,
    /// The name of the session.
    pub session_name: Option<String>,
}

/// What cannot be meant by a selection.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SelectionError {
    /// Two sources at once.
    #[error("`{first}` and `{second}` cannot be used together")]
    Together {
        /// One setting.
        first: &'static str,
        /// The other.
        second: &'static str,
    },
    /// A setting without the one that it belongs to.
    #[error("`{setting}` has no meaning without `{needed}`")]
    Alone {
        /// The setting.
        setting: &'static str,
        /// The other.
        needed: &'static str,
    },
    /// A value that AWS does not accept.
    #[error("`{value}` is not {expected}")]
    Value {
        /// The value.
        value: String,
        /// What is expected.
        expected: &'static str,
    },
}

impl SelectionError {
    /// The same of variables, where `token` is the one that says where an OIDC token is.
    fn of_variables(self, token: &'static str) -> Self {
        let variable = |setting: &'static str| match setting {
            "profile" => "ECRU_PROFILE",
            "source" => "ECRU_SOURCE",
            "role_arn" => "ECRU_ROLE_ARN",
            "external_id" => "ECRU_EXTERNAL_ID",
            "identity_token_env" => token,
            other => other,
        };
        match self {
            Self::Together { first, second } => {
                Self::Together { first: variable(first), second: variable(second) }
            }
            Self::Alone { setting, needed } => {
                Self::Alone { setting: variable(setting), needed: variable(needed) }
            }
            value @ Self::Value { .. } => value,
        }
    }
}

impl Selection {
    /// What settings mean.
    ///
    /// # Errors
    /// If they contradict each other, or a value cannot be one.
    pub fn new(settings: Settings) -> Result<Self, SelectionError> {
        let alone = |setting| Err(SelectionError::Alone { setting, needed: "role_arn" });
        let Settings { profile, source, identity_token_env, role, chain } = settings;
        let together = |first, second| Err(SelectionError::Together { first, second });
        if profile.is_some() && source.is_some_and(|source| source != IdentitySource::Profile) {
            return together("profile", "source");
        }
        if identity_token_env.is_some() {
            if profile.is_some() {
                return together("identity_token_env", "profile");
            }
            if source.is_some() {
                return together("identity_token_env", "source");
            }
            match &role {
                None => return alone("identity_token_env"),
                Some(role) if role.external_id.is_some() => {
                    return together("identity_token_env", "external_id");
                }
                Some(_) => {}
            }
        }
        if role.is_none() && !chain.is_empty() {
            return alone("chain");
        }
        check(profile.as_deref(), "the name of a profile", |text| {
            !text.is_empty() && !text.chars().any(char::is_control)
        })?;
        check(identity_token_env.as_deref(), "the name of a variable", |text| {
            !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        })?;
        let roles = role.into_iter().chain(chain).map(Role::new).collect::<Result<_, _>>()?;
        Ok(Self { profile, source, token_variable: identity_token_env, roles })
    }

    /// What the `ECRU_` variables select.
    ///
    /// # Errors
    /// As [`Selection::new`].
    pub fn from_environment(environment: &Environment) -> Result<Self, SelectionError> {
        let text = |name| environment.get(name).map(str::to_owned);
        let source = text("ECRU_SOURCE").map(|name| {
            let known = IdentitySource::ALL.into_iter().find(|source| source.name() == name);
            known.ok_or(SelectionError::Value { value: name, expected: "a source of identities" })
        });
        let role_arn = text("ECRU_ROLE_ARN");
        let (external_id, session_name) = (text("ECRU_EXTERNAL_ID"), text("ECRU_SESSION_NAME"));
        if role_arn.is_none() {
            let settings = [("ECRU_EXTERNAL_ID", &external_id), ("ECRU_SESSION_NAME", &session_name)];
            if let Some((setting, _)) = settings.into_iter().find(|(_, value)| value.is_some()) {
                return Err(SelectionError::Alone { setting, needed: "ECRU_ROLE_ARN" });
            }
        }
        let named = text("ECRU_IDENTITY_TOKEN_ENV");
        let token = if named.is_some() { "ECRU_IDENTITY_TOKEN_ENV" } else { TOKEN_VARIABLE };
        let identity_token_env =
            named.or_else(|| environment.os(TOKEN_VARIABLE).map(|_| TOKEN_VARIABLE.to_owned()));
        let selection = Self::new(Settings {
            profile: text("ECRU_PROFILE"),
            source: source.transpose()?,
            identity_token_env,
            role: role_arn.map(|role_arn| RoleSettings { role_arn, external_id, session_name }),
            chain: Vec::new(),
        });
        selection.map_err(|error| error.of_variables(token))
    }

    /// The one source of the SDK's chain that may be used.
    #[must_use]
    pub fn source(&self) -> Option<IdentitySource> {
        self.source.or_else(|| self.profile.as_ref().map(|_| IdentitySource::Profile))
    }

    /// The variable that holds an OIDC token.
    #[must_use]
    pub fn token_variable(&self) -> Option<&str> {
        self.token_variable.as_deref()
    }

    /// The roles that are assumed, one from the other.
    #[must_use]
    pub fn roles(&self) -> &[Role] {
        &self.roles
    }

    /// The environment as the SDK may see it: without what belongs to other sources. Where the files may not be
    /// used they are `/dev/null`, since the SDK has no switch for them.
    #[must_use]
    pub fn restrict(&self, environment: &Environment) -> Environment {
        use IdentitySource as S;
        let mut restricted = environment.clone();
        if let Some(profile) = &self.profile {
            restricted.set("AWS_PROFILE", profile);
        }
        let Some(source) = self.source() else { return restricted };
        let mut take_out = |names: &[&str]| names.iter().for_each(|name| restricted.remove(name));
        if source != S::Environment {
            take_out(&KEYS);
        }
        if source != S::WebIdentity {
            take_out(&WEB_IDENTITY);
        }
        // A profile may name the container or the instance as the source of its credentials.
        if !matches!(source, S::Container | S::Profile) {
            take_out(&CONTAINER);
        }
        if !matches!(source, S::Instance | S::Profile) {
            restricted.set("AWS_EC2_METADATA_DISABLED", "true");
        }
        if source != S::Profile {
            restricted.remove("AWS_PROFILE");
            restricted.set("AWS_CONFIG_FILE", "/dev/null");
            restricted.set("AWS_SHARED_CREDENTIALS_FILE", "/dev/null");
        }
        restricted
    }

    /// The selection in one row of bytes; two selections share it only if they are equal. The environment that
    /// [`Selection::restrict`] returns tells the rest.
    pub(super) fn canonical(&self) -> Vec<u8> {
        let mut row = Vec::new();
        let mut put = |value: Option<&str>| {
            row.push(u8::from(value.is_some()));
            super::append(&mut row, value.unwrap_or_default().as_bytes());
        };
        put(self.profile.as_deref());
        put(self.source.map(IdentitySource::name));
        put(self.token_variable());
        for role in &self.roles {
            put(Some(&role.arn));
            put(role.external_id.as_deref());
            put(Some(&role.session_name));
        }
        row
    }
}

impl Role {
    fn new(settings: RoleSettings) -> Result<Self, SelectionError> {
        let RoleSettings { role_arn, external_id, session_name } = settings;
        // <https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html>
        check(Some(&role_arn), "the ARN of a role: arn:aws:iam::111122223333:role/NAME", is_role_arn)?;
        check(external_id.as_deref(), "an external ID", |text| {
            (2..=1224).contains(&text.len()) && text.bytes().all(|byte| is_word(byte, b"+=,.@:/-"))
        })?;
        check(
            session_name.as_deref(),
            "the name of a session: 2 to 64 letters, digits or `=,.@-`",
            |text| (2..=64).contains(&text.len()) && text.bytes().all(|byte| is_word(byte, b"+=,.@-")),
        )?;
        let session_name = session_name.unwrap_or_else(|| SESSION_NAME.to_owned());
        Ok(Self { arn: role_arn, external_id, session_name })
    }
}

fn check(
    value: Option<&str>,
    expected: &'static str,
    is_valid: impl Fn(&str) -> bool,
) -> Result<(), SelectionError> {
    match value {
        Some(value) if !is_valid(value) => Err(SelectionError::Value { value: value.to_owned(), expected }),
        _ => Ok(()),
    }
}

fn is_word(byte: u8, others: &[u8]) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || others.contains(&byte)
}

fn is_role_arn(text: &str) -> bool {
    let mut parts = text.splitn(6, ':');
    let mut next = || parts.next().unwrap_or_default();
    let (arn, partition, iam, region, account, resource) = (next(), next(), next(), next(), next(), next());
    arn == "arn"
        && partition.starts_with("aws")
        && iam == "iam"
        && region.is_empty()
        && account.len() == 12
        && account.bytes().all(|byte| byte.is_ascii_digit())
        && resource.strip_prefix("role/").is_some_and(|name| !name.is_empty())
        && text.len() <= 2048
        && text.bytes().all(|byte| byte.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROLE: &str = "arn:aws:iam::000000000001:role/team/a";

    fn environment() -> Environment {
        let all = KEYS.iter().chain(&WEB_IDENTITY).chain(&CONTAINER);
        Environment::from_map(all.map(|name| (*name, "x")).chain([("AWS_PROFILE", "p")]))
    }

    fn of_source(source: IdentitySource) -> Selection {
        Selection::new(Settings { source: Some(source), ..Settings::default() }).unwrap()
    }

    #[test]
    fn a_source_sees_its_own_variables_and_no_other_s() {
        for (source, own) in [
            (IdentitySource::Environment, &KEYS[..]),
            (IdentitySource::WebIdentity, &WEB_IDENTITY[..]),
            (IdentitySource::Container, &CONTAINER[..]),
            (IdentitySource::Instance, &[]),
        ] {
            let seen = of_source(source).restrict(&environment());
            for name in KEYS.iter().chain(&WEB_IDENTITY).chain(&CONTAINER) {
                assert_eq!(seen.get(name).is_some(), own.contains(name), "{source:?} {name}");
            }
            assert_eq!(seen.flag("AWS_EC2_METADATA_DISABLED"), source != IdentitySource::Instance);
            assert_eq!(seen.get("AWS_CONFIG_FILE"), Some("/dev/null"));
            assert_eq!(seen.get("AWS_PROFILE"), None);
        }
    }

    #[test]
    fn a_profile_takes_keys_out() {
        let selection =
            Selection::new(Settings { profile: Some("team".into()), ..Settings::default() }).unwrap();
        let seen = selection.restrict(&environment());
        assert_eq!(seen.get("AWS_PROFILE"), Some("team"));
        assert!(KEYS.iter().all(|name| seen.get(name).is_none()));
        assert_eq!(seen.get("AWS_CONFIG_FILE"), None);
    }

    #[test]
    fn sources_are_asked_for_by_all_of_their_variables() {
        use IdentitySource as S;
        let asked =
            |names: &[&'static str]| asked_for(&Environment::from_map(names.iter().map(|name| (*name, "x"))));
        assert_eq!(asked(&["AWS_ROLE_ARN", "AWS_CONTAINER_CREDENTIALS_FULL_URI"]), []);
        let sources: Vec<_> = asked_for(&environment())
            .into_iter()
            .map(|asked| match asked {
                AskedFor::Source(source, _) => source,
                AskedFor::Half { .. } => panic!("nothing is missing"),
            })
            .collect();
        assert_eq!(sources, [S::Environment, S::WebIdentity, S::Profile]);
        for (set, missing) in [
            ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"),
            ("AWS_SECRET_ACCESS_KEY", "AWS_ACCESS_KEY_ID"),
            ("AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_ROLE_ARN"),
        ] {
            assert_eq!(asked(&[set]), [AskedFor::Half { set, missing }]);
        }
    }

    #[test]
    fn variables_select_as_files_do() {
        let from = |variables: &[(&str, &str)]| {
            Selection::from_environment(&Environment::from_map(variables.iter().copied()))
        };
        assert_eq!(from(&[]).unwrap(), Selection::default());
        let selection = from(&[("ECRU_ROLE_ARN", ROLE), ("ECRU_IDENTITY_TOKEN", "t")]).unwrap();
        assert_eq!(selection.token_variable(), Some(TOKEN_VARIABLE));
        assert_eq!(selection.roles()[0].session_name, "ecru");
        for (variables, message) in [
            (
                &[("ECRU_IDENTITY_TOKEN", "t")][..],
                "`ECRU_IDENTITY_TOKEN` has no meaning without `ECRU_ROLE_ARN`",
            ),
            (
                &[("ECRU_IDENTITY_TOKEN_ENV", "T")],
                "`ECRU_IDENTITY_TOKEN_ENV` has no meaning without `ECRU_ROLE_ARN`",
            ),
            (&[("ECRU_SOURCE", "imds")], "`imds` is not a source of identities"),
            (
                &[("ECRU_PROFILE", "a"), ("ECRU_SOURCE", "instance")],
                "`ECRU_PROFILE` and `ECRU_SOURCE` cannot be used together",
            ),
            (&[("ECRU_EXTERNAL_ID", "ab")], "`ECRU_EXTERNAL_ID` has no meaning without `ECRU_ROLE_ARN`"),
            (&[("ECRU_SESSION_NAME", "ab")], "`ECRU_SESSION_NAME` has no meaning without `ECRU_ROLE_ARN`"),
        ] {
            assert_eq!(from(variables).unwrap_err().to_string(), message);
        }
        for arn in [
            "",
            "a",
            "arn:aws:iam::1:role/a",
            "arn:aws:iam::000000000001:user/a",
            "arn:aws:iam::000000000001:role/",
        ] {
            assert!(from(&[("ECRU_ROLE_ARN", arn)]).is_err() || arn.is_empty(), "{arn}");
        }
    }
}
