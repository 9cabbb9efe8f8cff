//! The table of environment variables: what it names is what the sources read, no more and no less.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use ecru_testkit::{assert_generated, table};

/// Who reads a variable.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reader {
    /// ecru's own sources name it.
    Ecru,
    /// The AWS SDK reads it; ecru's sources may name it, too, since it can be part of an identity.
    Sdk,
}
use Reader::{Ecru, Sdk};

/// Variables that are explained together: who reads them, their names, and what they do.
const VARIABLES: &[(Reader, &[&str], &str)] = &[
    (Ecru, &["ECRU_CONFIG"], "one more configuration file"),
    (Ecru, &["ECRU_TIMEOUT"], "seconds within which a token must be there: 0.1 to 300, 10 by default"),
    (
        Ecru,
        &[
            "ECRU_PROFILE",
            "ECRU_SOURCE",
            "ECRU_ROLE_ARN",
            "ECRU_EXTERNAL_ID",
            "ECRU_SESSION_NAME",
            "ECRU_IDENTITY_TOKEN_ENV",
        ],
        "the identity for registries that no rule names, as the keys of a rule",
    ),
    (
        Ecru,
        &["ECRU_IDENTITY_TOKEN"],
        "the OIDC token itself, where `ECRU_IDENTITY_TOKEN_ENV` names no other variable",
    ),
    (
        Ecru,
        &["ECRU_LOG"],
        "what is told on standard error, step by step: `off` (the default), `error`, `warn`, `info`, `debug` or \
         `trace`. Only what ecru itself says, and never a secret",
    ),
    (
        Ecru,
        &["ECRU_FALLBACK"],
        "set by ecru for the helper of `[fallback]`; a program that is ecru under another name then asks nobody",
    ),
    (Ecru, &["AWS_ECR_IGNORE_CREDS_STORAGE"], "`true`: `store` and `erase` succeed for every server"),
    (
        Ecru,
        &["AWS_ECR_CACHE_DIR"],
        "the cache is in the folder `ecru` below it; `~/` at its start is the home directory",
    ),
    (Ecru, &["AWS_ECR_DISABLE_CACHE"], "whatever its value: no cache"),
    (
        Sdk,
        &["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"],
        "the identity: access keys. `SECRET_ACCESS_KEY` is another name that the SDK knows for the second",
    ),
    (
        Sdk,
        &["AWS_PROFILE", "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"],
        "the identity: a profile of the SDK's two files, with keys, a role, SSO, a web identity or a process",
    ),
    (
        Ecru,
        &["AWS_ACCESS_KEY", "AWS_SECRET_KEY", "AWS_DEFAULT_PROFILE"],
        "older names that amazon-ecr-credential-helper knows: of a key, both together and where neither half has its usual \
         name; and of `AWS_PROFILE`, where that is not set",
    ),
    (
        Sdk,
        &["AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_ROLE_ARN", "AWS_ROLE_SESSION_NAME"],
        "the identity: a file with an OIDC token, and the role that it is exchanged for; after keys in variables, and \
         before every profile",
    ),
    (
        Sdk,
        &[
            "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
            "AWS_CONTAINER_CREDENTIALS_FULL_URI",
            "AWS_CONTAINER_AUTHORIZATION_TOKEN",
            "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
        ],
        "the identity: the role of a task of ECS, or of a pod with EKS Pod Identity",
    ),
    (
        Sdk,
        &[
            "AWS_EC2_METADATA_DISABLED",
            "AWS_EC2_METADATA_SERVICE_ENDPOINT",
            "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE",
        ],
        "the identity: whether the role of the instance may be used, and where its metadata service is",
    ),
    (
        Sdk,
        &["AWS_REGION", "AWS_DEFAULT_REGION"],
        "only for `list` where nothing else is known; `get` takes the region of the registry's name",
    ),
    (
        Sdk,
        &[
            "AWS_ENDPOINT_URL",
            "AWS_ENDPOINT_URL_ECR",
            "AWS_ENDPOINT_URL_ECR_PUBLIC",
            "AWS_ENDPOINT_URL_STS",
            "AWS_ENDPOINT_URL_SSO",
            "AWS_ENDPOINT_URL_SSO_OIDC",
        ],
        "other endpoints, such as a VPC endpoint; `https://`, or `http://` on this machine",
    ),
    (Sdk, &["AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"], "`true`: no endpoints of one's own count"),
    (
        Sdk,
        &["AWS_USE_FIPS_ENDPOINT", "AWS_USE_DUALSTACK_ENDPOINT"],
        "endpoints of that kind for every registry; not together with an endpoint of your own",
    ),
    (
        Ecru,
        &["AWS_MAX_ATTEMPTS"],
        "how often a request is made where AWS fails, before `max_attempts` of the profile: from 1, 3 by default, and \
         where AWS throttles as often as there is time for; the time of `ECRU_TIMEOUT` holds for all tries together. Another value is as good as none",
    ),
    (
        Ecru,
        &["AWS_RETRY_MODE"],
        "`standard`, or `adaptive`: the tries after AWS has throttled one are spread out as well; before `retry_mode` of \
         the profile. Another value is as good as none",
    ),
    (
        Ecru,
        &["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"],
        "the proxy, the first that is set, `http://HOST:PORT`; `http://` may be left out. Never used for this machine and \
         for metadata. The last two are passed over where they name another kind of proxy",
    ),
    (
        Ecru,
        &["NO_PROXY", "no_proxy"],
        "what is reached without it, as Go reads it: hosts and domains, `*.domain` too, `host:port`, addresses, networks, `*`",
    ),
    (
        Ecru,
        &["AWS_CA_BUNDLE"],
        "a PEM file of root certificates that are trusted besides the machine's own, before `ca_bundle` of the profile",
    ),
    (
        Ecru,
        &["SSL_CERT_FILE", "SSL_CERT_DIR"],
        "where the machine's own are; if it has none, Mozilla's are used",
    ),
    (
        Ecru,
        &["HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"],
        "where configuration and cache are; only absolute paths count",
    ),
    (Ecru, &["PATH"], "where a profile's `credential_process` and the helper of `[fallback]` are found"),
];

#[test]
fn variables_are_in_the_page() {
    let rows = VARIABLES.iter().map(|(_, names, meaning)| {
        let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
        [names.join(", "), (*meaning).to_owned()]
    });
    assert_generated("docs/HELPER.md", "variables", &table(["variable", "what it does"], rows));
}

#[test]
fn variables_of_the_page_are_those_of_the_sources() {
    let named: BTreeSet<String> = sources().iter().flat_map(|source| names_in(source)).collect();
    assert!(named.len() > 30, "the sources name hardly any variable: {named:?}");
    let explained =
        || VARIABLES.iter().flat_map(|(reader, names, _)| names.iter().map(|name| (*reader, *name)));
    for name in &named {
        assert!(explained().any(|(_, other)| other == name), "{name} is read, and not in the table");
    }
    for (reader, name) in explained() {
        assert!(reader == Sdk || named.contains(name), "{name} is in the table, and nothing reads it");
    }
    let mut seen = BTreeSet::new();
    assert!(explained().all(|(_, name)| seen.insert(name)), "a variable is explained twice");
}

/// The sources of what the helper links of ours, without their tests.
fn sources() -> Vec<String> {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut folders: Vec<PathBuf> =
        ["ecr", "docker", "helper"].map(|name| crates.join(name).join("src")).into();
    let mut sources = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if !path.ends_with("tests.rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                sources.push(text.split("#[cfg(test)]\nmod tests {").next().unwrap().to_owned());
            }
        }
    }
    sources
}

/// The texts of a source that are names of variables; a prefix alone is none.
fn names_in(source: &str) -> Vec<String> {
    const PREFIXES: [&str; 4] = ["ECRU_", "AWS_", "XDG_", "SSL_"];
    const OTHERS: [&str; 9] = [
        "HOME",
        "PATH",
        "SECRET_ACCESS_KEY",
        "HTTPS_PROXY",
        "https_proxy",
        "ALL_PROXY",
        "all_proxy",
        "NO_PROXY",
        "no_proxy",
    ];
    let is_of_names = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
    let has_prefix = |text: &str| PREFIXES.iter().any(|prefix| text.starts_with(prefix));
    let is_name = |text: &&str| {
        OTHERS.contains(text) || (has_prefix(text) && text.bytes().all(is_of_names) && !text.ends_with('_'))
    };
    let code = source.lines().filter(|line| !line.trim_start().starts_with("//"));
    code.flat_map(|line| line.split('"').skip(1).step_by(2)).filter(is_name).map(str::to_owned).collect()
}
