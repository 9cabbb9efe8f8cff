//! What `docker login`, or a job that renews a variable, has left behind in the runner's own files.

use std::time::SystemTime;

use ecru_docker::config_file::ConfigFile;
use ecru_ecr::token::stated_expiry;
use ecru_gitlab::registry_auth::{Origin, ResolvedCredential, Source, Verdict, registry_path};
use secrecy::{ExposeSecret as _, SecretString};

use super::answers::host_of;
use super::{Facts, Resolved, ResolvedSources};
use crate::report::{Check, Context, Definition, Fix, Station, Weight};
use crate::timestamp::timestamp;

pub(super) static LOGIN: Definition = Definition {
    id: "runner.registry.login",
    context: Context::Runner,
    station: Station::Configuration,
    weight: Weight::Error,
    title: "no password of ECR that is sent has expired",
    why: "A password of ECR lives for 12 hours, and the runner sends a written-down one as long as it is there.",
};

pub(super) fn checks(facts: &Facts<'_>, resolved: &Resolved) -> Vec<Check> {
    let now = (facts.surroundings.clock)();
    let mut checks: Vec<Check> = Vec::new();
    for check in resolved.sources.iter().flat_map(|sources| of_sources(facts, sources, now)) {
        // Runners that differ in something else may have this in common.
        let is_same = |other: &Check| other.subject == check.subject && other.evidence == check.evidence;
        if !checks.iter().any(is_same) {
            checks.push(check);
        }
    }
    match checks.is_empty() {
        true => vec![Check::not_applicable(&LOGIN, "no password of ECR is written down that would be sent")],
        false => checks,
    }
}

/// What is sent, for each path that the sources know, if it is written down and says when it expires.
fn of_sources(facts: &Facts<'_>, sources: &ResolvedSources, now: SystemTime) -> Vec<Check> {
    let sent = sources.all.outcome.as_deref().unwrap_or_default().iter();
    let written_down = sent.filter(|credential| is_written_down(sources, credential));
    let of_ecr = written_down.filter(|credential| {
        let is_ecr = |host| facts.puller().is_none_or(|puller| puller.config.registry(host).is_ok());
        credential.username == "AWS" && is_ecr(host_of(&credential.path))
    });
    of_ecr
        .filter_map(|credential| {
            let expires_at = stated_expiry(&credential.password)?;
            Some(check(facts, credential, expires_at, now))
        })
        .collect()
}

fn is_written_down(sources: &ResolvedSources, sent: &ResolvedCredential) -> bool {
    sources.all.trace.entries.iter().any(|entry| {
        let is_it = entry.source == sent.source && entry.key == sent.server_address;
        is_it && entry.origin == Origin::Static && entry.verdict == Verdict::Usable
    })
}

fn check(facts: &Facts<'_>, sent: &ResolvedCredential, expires_at: SystemTime, now: SystemTime) -> Check {
    let ResolvedCredential { source, server_address: key, .. } = sent;
    let until = timestamp(expires_at);
    // The form of these passwords is documented nowhere, so that this says what the password says.
    let check = if expires_at > now {
        Check::pass(&LOGIN).seen(format!("it says that it works until {until}"))
    } else {
        let place = match source {
            Source::HomeFile(path) => facts.place(path),
            _ => source.to_string(),
        };
        let removed = Fix::advice(format!("remove `{key}` from `auths` of {place}"));
        let check = Check::fail(&LOGIN, format!("the password says that it has expired at {until}"));
        match source {
            // A helper for the registry takes its place there.
            Source::HomeFile(_) => check.fix(facts.setup_command()).fix(removed),
            _ => check.fix(removed),
        }
    };
    check.about(key).seen(format!("it is written down in {source}"))
}

impl Facts<'_> {
    /// Whether the service needs an identity of AWS: not where nothing names a helper, and every registry that is
    /// wanted has a password that is written down and has not expired, as somebody renews it, or nobody pulls with what
    /// the runner sends.
    #[must_use]
    pub fn needs_identity(&self) -> bool {
        let Some(puller) = self.puller() else { return true };
        let now = (self.surroundings.clock)();
        let documents = self.documents();
        let names_helper = |document: &ConfigFile| {
            document.credentials_store.is_some() || !document.credential_helpers.is_empty()
        };
        let has_password = |host: &str| {
            let of_host = documents
                .iter()
                .flat_map(|document| &document.auths)
                .filter(|(key, _)| host_of(&registry_path(key)) == host);
            let mut passwords = of_host.map(|(_, auth)| &auth.password).peekable();
            passwords.peek().is_some() && passwords.all(|password| works(password, now))
        };
        if documents.iter().any(names_helper) {
            return true;
        }
        if self.why_nothing_is_sent().is_some() {
            return false;
        }
        let mut wanted = puller.registries.clone();
        wanted.extend(self.wanted_registries());
        wanted.is_empty() || !wanted.iter().all(|registry| has_password(registry))
    }
}

/// Whether a password is one that may still work, by what it says of itself.
fn works(password: &SecretString, now: SystemTime) -> bool {
    !password.expose_secret().is_empty() && stated_expiry(password).is_none_or(|expires_at| expires_at > now)
}
