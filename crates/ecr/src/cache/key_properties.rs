//! Two identities never share an entry, and one that is configured in two ways of the same meaning does.
//!
//! Random configurations (rules, profiles that the program's name chooses, policy), `ECRU_` and `AWS_` variables, files of
//! the SDK's and requests are read twice: by the program, to a key, and by a small model here, to what a token depends on. Two keys are
//! equal if and only if the models are.

use std::fmt::Write as _;
use std::sync::LazyLock;

use proptest::collection::{btree_map, vec};
use proptest::option::of;
use proptest::prelude::*;
use proptest::sample::select;
use tempfile::TempDir;

use super::Key;
use crate::config::Config;
use crate::environment::Environment;
use crate::identity::{Identity, MachineFiles};

const ROLES: [&str; 2] = ["arn:aws:iam::000000000001:role/a", "arn:aws:iam::000000000001:role/b"];

/// Patterns of rules, and whether each means a registry of an account and region with a path.
type Matches = fn(&str, &str, &str) -> bool;
const PATTERNS: [(&str, Matches); 5] = [
    ("*", |_, _, _| true),
    ("000000000001.dkr.ecr.*.amazonaws.com", |account, _, _| account == "000000000001"),
    ("*.dkr.ecr.eu-*.amazonaws.com", |_, region, _| region.starts_with("eu-")),
    ("000000000001.dkr.ecr.us-east-1.amazonaws.com/team/*", |account, region, path| {
        account == "000000000001" && region == "us-east-1" && path == "team/app"
    }),
    ("*.dkr.ecr.*.amazonaws.com/team/*", |_, _, path| path == "team/app"),
];

/// The keys of a rule, a profile of ecru's, or the `ECRU_` variables.
#[derive(Debug, Clone, Default, PartialEq)]
struct Written {
    profile: Option<&'static str>,
    source: Option<&'static str>,
    token_variable: Option<&'static str>,
    role: Option<&'static str>,
    external_id: Option<&'static str>,
    session_name: Option<&'static str>,
    chain: Vec<&'static str>,
}

impl Written {
    fn keys(&self) -> String {
        let mut keys = String::new();
        for (key, value) in [
            ("profile", self.profile),
            ("source", self.source),
            ("identity_token_env", self.token_variable),
            ("role_arn", self.role),
            ("external_id", self.external_id),
            ("session_name", self.session_name),
        ] {
            if let Some(value) = value {
                writeln!(keys, "{key} = '{value}'").unwrap();
            }
        }
        let chain: Vec<String> = self.chain.iter().map(|role| format!("{{ role_arn = '{role}' }}")).collect();
        writeln!(keys, "chain = [{}]", chain.join(", ")).unwrap();
        keys
    }

    /// The same as variables, which have no chain.
    fn variables(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        [
            ("ECRU_PROFILE", self.profile),
            ("ECRU_SOURCE", self.source),
            ("ECRU_IDENTITY_TOKEN_ENV", self.token_variable),
            ("ECRU_ROLE_ARN", self.role),
            ("ECRU_EXTERNAL_ID", self.external_id),
            ("ECRU_SESSION_NAME", self.session_name),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)))
    }

    /// What was written with what counts where nothing is: two ways to the same are one.
    fn meaning(&self) -> Self {
        let session_name = self.role.map(|_| self.session_name.unwrap_or("ecru"));
        Self { session_name, ..self.clone() }
    }
}

/// What stands in the SDK's configuration.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Sdk {
    Nothing,
    Keys,
    TokenFile,
    Process,
}

impl Sdk {
    const ALL: [Self; 4] = [Self::Nothing, Self::Keys, Self::TokenFile, Self::Process];

    /// The file, in which a token file that is named is about `subject`.
    fn file(self, subject: &str) -> String {
        static FOLDER: LazyLock<TempDir> = LazyLock::new(|| {
            let folder = TempDir::new().unwrap();
            let token = folder.path().join("token");
            let write = |name: &str, key: &str| {
                std::fs::write(folder.path().join(name), format!("[default]\n{key}\n")).unwrap();
            };
            write("keys", "aws_access_key_id = AKIAEXAMPLE");
            write("token-file", &format!("web_identity_token_file = {}", token.display()));
            write("process", "credential_process = /bin/keys");
            folder
        });
        let name = match self {
            Self::Nothing => return "/dev/null".to_owned(),
            Self::Keys => "keys",
            Self::TokenFile => "token-file",
            Self::Process => "process",
        };
        if self == Self::TokenFile {
            std::fs::write(FOLDER.path().join("token"), subject).unwrap();
        }
        FOLDER.path().join(name).to_str().unwrap().to_owned()
    }
}

/// A machine, its user, and what is asked for.
#[derive(Debug, Clone)]
struct World {
    rules: Vec<(usize, Written)>,
    profiles: std::collections::BTreeMap<&'static str, Written>,
    policy: bool,
    ecru: Written,
    aws: std::collections::BTreeMap<&'static str, &'static str>,
    sdk: Sdk,
    token: &'static str,
    called: Option<&'static str>,
    account: &'static str,
    region: &'static str,
    path: &'static str,
    marker: &'static str,
}

/// Names and values.
type Variables = Vec<(&'static str, &'static str)>;

/// What a token depends on.
#[derive(Debug, PartialEq)]
struct Meaning {
    selected: Written,
    /// The variables of the SDK that the selection leaves, and that choose an identity.
    seen: Variables,
    token: Option<&'static str>,
    sdk: Sdk,
    /// Whom the token file of the SDK's profile is about.
    subject: Option<&'static str>,
    /// What the process of the SDK's profile may look at.
    process: Option<(Variables, Variables, &'static str)>,
    region: &'static str,
    fips: bool,
    endpoint: Option<&'static str>,
}

impl World {
    fn text(&self) -> String {
        let mut text = String::new();
        if self.policy {
            text.push_str("[policy]\naccounts = ['000000000001', '000000000002']\n");
        }
        for (name, written) in &self.profiles {
            write!(text, "[profile.{name}]\n{}", written.keys()).unwrap();
        }
        for (pattern, written) in &self.rules {
            write!(text, "[[registry]]\nmatch = '{}'\n{}", PATTERNS[*pattern].0, written.keys()).unwrap();
        }
        text
    }

    fn environment(&self) -> Environment {
        let keys = [("AWS_SECRET_ACCESS_KEY", "secret"), ("OIDC", self.token)];
        let files = [
            ("AWS_CONFIG_FILE", self.sdk.file(self.token)),
            ("AWS_SHARED_CREDENTIALS_FILE", "/dev/null".to_owned()),
        ];
        let aws = self.aws.iter().map(|(name, value)| (*name, *value));
        let others = keys.into_iter().chain(aws).chain(self.ecru.variables());
        Environment::from_map(others.map(|(name, value)| (name, value.to_owned())).chain(files))
    }

    /// The key by the program's own way; `None` if no identity can be chosen.
    fn key(&self) -> Option<Key> {
        let environment = self.environment();
        let mut config = Config::default();
        config.add_text(self.text().as_bytes(), true).unwrap();
        let host = format!("{}.dkr.{}.{}.amazonaws.com", self.account, self.marker, self.region);
        let request = config.request(&format!("{host}/{}", self.path)).unwrap();
        config.permit(&request.registry).unwrap();
        let choice = config.choice(&request, self.called, &environment).ok()?;
        let nowhere = MachineFiles { machine_id: "/nonexistent".into(), asset_tag: "/nonexistent".into() };
        let identity = Identity::selected(&choice.selection, &environment, &nowhere);
        Some(Key::new(&identity.fingerprint(), &request.registry, &environment))
    }

    /// The same by the model.
    fn meaning(&self) -> Option<Meaning> {
        let selected = match self.called {
            Some(name) => self.profiles.get(name)?,
            None => {
                let mut rules = self.rules.iter();
                let rule =
                    rules.find(|(pattern, _)| PATTERNS[*pattern].1(self.account, self.region, self.path));
                rule.map_or(&self.ecru, |(_, written)| written)
            }
        };
        let selected = selected.meaning();
        let source = selected.source.or(selected.profile.map(|_| "profile"));
        let may_see = |sources: &[&str]| source.is_none_or(|source| sources.contains(&source));
        let aws = || self.aws.iter().map(|(name, value)| (*name, *value));
        let is_seen = |name: &str| match name {
            "AWS_ACCESS_KEY_ID" => may_see(&["environment"]),
            "AWS_WEB_IDENTITY_TOKEN_FILE" | "AWS_ROLE_ARN" => may_see(&["web-identity"]),
            "AWS_CONTAINER_CREDENTIALS_FULL_URI" => may_see(&["container", "profile"]),
            "AWS_PROFILE" => may_see(&["profile"]) && selected.profile.is_none(),
            "AWS_ENDPOINT_URL_STS" => true,
            _ => false,
        };
        let sdk = if may_see(&["profile"]) { self.sdk } else { Sdk::Nothing };
        // The SDK starts it in the environment of this program, whatever the selection leaves.
        let process = || (aws().collect(), self.ecru.variables().collect(), self.token);
        Some(Meaning {
            seen: aws().filter(|(name, _)| is_seen(name)).collect(),
            sdk,
            subject: (sdk == Sdk::TokenFile).then_some(self.token),
            process: (sdk == Sdk::Process).then(process),
            token: selected.token_variable.map(|_| self.token),
            region: self.region,
            fips: self.marker == "ecr-fips",
            endpoint: self.aws.get("AWS_ENDPOINT_URL_ECR").copied(),
            selected,
        })
    }
}

fn written() -> impl Strategy<Value = Written> {
    let plain =
        (of(select(vec!["p", "q"])), of(select(vec!["environment", "profile", "web-identity", "container"])));
    let role = (select(ROLES.to_vec()), of(select(vec!["xx", "yy"])), of(select(vec!["ecru", "other"])));
    (plain, of(Just("OIDC")), of(role), vec(select(ROLES.to_vec()), 0..3)).prop_map(
        |((profile, source), token_variable, role, chain)| {
            // What contradicts itself is refused elsewhere; here the later part gives way.
            let token_variable = token_variable.filter(|_| role.is_some());
            let profile = profile.filter(|_| token_variable.is_none());
            let source = source.filter(|_| profile.is_none() && token_variable.is_none());
            let (arn, external_id, session_name) = role
                .map_or((None, None, None), |(arn, external_id, session)| (Some(arn), external_id, session));
            let external_id = external_id.filter(|_| token_variable.is_none());
            let chain = if arn.is_some() { chain } else { Vec::new() };
            Written { profile, source, token_variable, role: arn, external_id, session_name, chain }
        },
    )
}

fn world() -> impl Strategy<Value = World> {
    let rules = vec((0..PATTERNS.len(), written()), 0..3);
    let profiles = btree_map(select(vec!["team", "other"]), written(), 0..2);
    let ecru = written().prop_map(|written| Written { chain: Vec::new(), ..written });
    let names = vec![
        "AWS_ACCESS_KEY_ID",
        "AWS_PROFILE",
        "AWS_WEB_IDENTITY_TOKEN_FILE",
        "AWS_ROLE_ARN",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
        "AWS_ENDPOINT_URL_STS",
        "AWS_ENDPOINT_URL_ECR",
        // These choose no identity.
        "AWS_REGION",
        "AWS_SESSION_TOKEN",
        "AWS_MAX_ATTEMPTS",
    ];
    let aws = btree_map(select(names), select(vec!["1", "2"]), 0..4);
    let request = (
        select(vec!["000000000001", "000000000002"]),
        select(vec!["eu-west-1", "us-east-1"]),
        select(vec!["", "team/app"]),
        select(vec!["ecr", "ecr", "ecr-fips"]),
    );
    let called = of(select(vec!["team", "other"]));
    let sdk = (select(Sdk::ALL.to_vec()), select(vec!["t", "u"]));
    (rules, profiles, any::<bool>(), ecru, aws, sdk, called, request).prop_map(
        |(rules, profiles, policy, ecru, aws, (sdk, token), called, (account, region, path, marker))| World {
            rules,
            profiles,
            policy,
            ecru,
            aws,
            sdk,
            token,
            called,
            account,
            region,
            path,
            marker,
        },
    )
}

/// A world and one that differs from it in a part or two, so that equal keys come up often.
fn neighbours() -> impl Strategy<Value = (World, World)> {
    (world(), world(), vec(0..10_usize, 0..3)).prop_map(|(one, other, parts)| {
        let mut next = one.clone();
        for part in parts {
            match part {
                0 => next.rules = other.rules.clone(),
                1 => next.profiles = other.profiles.clone(),
                2 => next.policy = other.policy,
                3 => next.ecru = other.ecru.clone(),
                4 => next.aws = other.aws.clone(),
                5 => next.token = other.token,
                9 => next.sdk = other.sdk,
                6 => next.called = other.called,
                7 => (next.account, next.path) = (other.account, other.path),
                _ => (next.region, next.marker) = (other.region, other.marker),
            }
        }
        (one, next)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2048))]

    #[test]
    fn keys_meet_exactly_where_identities_do((one, other) in neighbours()) {
        prop_assert_eq!(one.key().is_some(), one.meaning().is_some());
        if let (Some(a), Some(b)) = (one.meaning(), other.meaning()) {
            prop_assert_eq!(a == b, one.key() == other.key(), "{:?}\n{:?}", a, b);
        }
    }
}
