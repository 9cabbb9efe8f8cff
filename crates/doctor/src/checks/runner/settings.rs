//! What the settings say, whichever of the runner's sources they stand in.

use ecru_gitlab::registry_auth::FileContent;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;

use super::Facts;
use crate::checks::hints;
use crate::report::{Check, Context, Definition, Fix, Station, Weight};

const SUFFIX: &str = "ecr-login";
const PROGRAM_PREFIX: &str = "docker-credential-";

pub(super) static ECRU: Definition = Definition {
    id: "runner.ecru-config.valid",
    context: Context::Runner,
    station: Station::Configuration,
    weight: Weight::Error,
    title: "ecru's own configuration can be read",
    why: "It lays down which registries may be asked for; half of a set of rules is none, so that ecru's helper refuses \
          all.",
};

pub(super) static MEMBERS: Definition = Definition {
    id: "runner.settings.members",
    context: Context::Runner,
    station: Station::Configuration,
    weight: Weight::Error,
    title: "the members of Docker's settings have the names that Docker knows",
    why: "Docker passes over members that it does not know, and tells nobody.",
};

pub(super) static KEYS: Definition = Definition {
    id: "runner.settings.keys",
    context: Context::Runner,
    station: Station::Configuration,
    weight: Weight::Error,
    title: "each key of Docker's settings can match an image",
    why: "Neither Docker nor the runner knows wildcards in `credHelpers` and `auths`: such a key matches nothing.",
};

pub(super) static NAMED: Definition = Definition {
    id: "runner.settings.named",
    context: Context::Runner,
    station: Station::Configuration,
    weight: Weight::Error,
    title: "the runner's settings name a registry of ECR, or a helper for all registries",
    why: "A registry that no source names is pulled from without credentials: `no basic auth credentials`.",
};

/// Names that are written by mistake, in lower case, and those that are meant.
const MISSPELT: [(&str, &str); 10] = [
    ("credhelper", "credHelpers"),
    ("credshelper", "credHelpers"),
    ("credshelpers", "credHelpers"),
    ("credentialhelper", "credHelpers"),
    ("credentialhelpers", "credHelpers"),
    ("credstore", "credsStore"),
    ("credsstores", "credsStore"),
    ("credentialstore", "credsStore"),
    ("credentialsstore", "credsStore"),
    ("auth", "auths"),
];

/// A document with Docker's settings.
struct Document {
    place: String,
    text: SecretString,
}

pub(super) fn checks(facts: &Facts<'_>) -> Vec<Check> {
    let documents = documents(facts);
    vec![ecru(facts), members(facts, &documents), keys(facts), named(facts)]
}

fn documents(facts: &Facts<'_>) -> Vec<Document> {
    let of_runners = facts.runners.iter().filter_map(|runner| {
        let place = format!("DOCKER_AUTH_CONFIG of `{}`", runner.name);
        Some(Document { place, text: Facts::docker_auth_config(runner)? })
    });
    let of_home = facts.home_files.iter().filter_map(|file| match &file.content {
        FileContent::Text(text) => Some(Document { place: file.path.clone(), text: text.clone() }),
        _ => None,
    });
    of_runners.chain(of_home).collect()
}

fn ecru(facts: &Facts<'_>) -> Check {
    let Some(error) = facts.ecru_config_error() else { return Check::pass(&ECRU) };
    let check = Check::fail(&ECRU, error.to_string());
    match error.hint() {
        Some(hint) => check.fix(hints::fix(&hint)),
        None => check,
    }
}

fn members(facts: &Facts<'_>, documents: &[Document]) -> Check {
    for document in documents {
        let Ok(Value::Object(members)) = serde_json::from_str(document.text.expose_secret()) else {
            continue;
        };
        for name in members.keys() {
            let known = MISSPELT.iter().find(|(wrong, _)| name.eq_ignore_ascii_case(wrong));
            if let Some((_, meant)) = known.filter(|_| !facts.is_covered()) {
                return Check::fail(&MEMBERS, format!("`{name}` is not known; `{meant}` is meant"))
                    .about(document.place.clone())
                    .fix(facts.setup_command());
            }
        }
        let full =
            suffixes(&Value::Object(members)).into_iter().find(|suffix| suffix.starts_with(PROGRAM_PREFIX));
        if let Some(full) = full {
            let meant = full.trim_start_matches(PROGRAM_PREFIX).to_owned();
            return Check::fail(
                &MEMBERS,
                format!("`{full}` names the program; Docker puts {PROGRAM_PREFIX} before it"),
            )
            .about(document.place.clone())
            .fix(Fix::advice(format!("write `{meant}` in place of `{full}`")));
        }
    }
    Check::pass(&MEMBERS)
}

/// All helpers that a document names.
fn suffixes(document: &Value) -> Vec<String> {
    let store = document.get("credsStore").and_then(Value::as_str);
    let helpers = document.get("credHelpers").and_then(Value::as_object);
    let helpers = helpers.into_iter().flatten().filter_map(|(_, suffix)| suffix.as_str());
    store.into_iter().chain(helpers).map(str::to_owned).collect()
}

fn keys(facts: &Facts<'_>) -> Check {
    let documents = facts.documents();
    let keys =
        documents.iter().flat_map(|document| document.auths.keys().chain(document.credential_helpers.keys()));
    let wild: Vec<String> =
        keys.filter(|key| key.contains(['*', '?'])).map(|key| format!("`{key}`")).collect();
    if wild.is_empty() {
        return Check::pass(&KEYS);
    }
    if facts.is_covered() {
        return Check::pass(&KEYS).seen(format!("{} does nothing, and no harm", wild.join(", ")));
    }
    Check::fail(
        &KEYS,
        format!("{} matches no registry: each has to stand there by its name", wild.join(", ")),
    )
    .fix(facts.setup_command())
}

fn named(facts: &Facts<'_>) -> Check {
    let documents = facts.documents();
    let stores: Vec<&String> =
        documents.iter().filter_map(|document| document.credentials_store.as_ref()).collect();
    let registries = facts.named_registries();
    let check = match (stores.is_empty() && registries.is_empty(), facts.why_nothing_is_sent()) {
        (true, Some(reason)) => return Check::not_applicable(&NAMED, reason),
        (true, None) => {
            let check = Check::fail(&NAMED, "no source names any registry of ECR, nor a credsStore");
            let check = machine_options(facts).into_iter().fold(check, Check::seen);
            return check.fix(facts.setup_command());
        }
        _ => Check::pass(&NAMED),
    };
    let lines = stores.into_iter().map(|store| format!("credsStore {store}")).chain(registries);
    lines.fold(check, Check::seen)
}

/// What is there for job hosts, and does not help the runner.
fn machine_options(facts: &Facts<'_>) -> Vec<String> {
    let FileContent::Text(text) = &facts.config_text else { return Vec::new() };
    let lines =
        ["amazonec2-userdata", "amazonec2-iam-instance-profile", "instance_ready_command"].into_iter();
    let lines = lines.filter(|option| text.expose_secret().contains(option));
    lines
        .map(|option| {
            format!(
                "`{option}` of config.toml is about the hosts of jobs; they pull with what the runner sends"
            )
        })
        .collect()
}

/// Whether a helper is ecru's, or one that goes by the same name.
pub(super) fn is_for_ecr(suffix: &str) -> bool {
    suffix == SUFFIX || suffix.starts_with("ecr-login-")
}
