//! From the runner's sources to what a kubelet takes of them.

use super::{Candidate, candidates, image_pull_secret};
use crate::registry_auth::{
    self, CredentialHelpers, Inputs, Outcome, Resolution, ResolutionError, ResolvedCredential, Runner, Trace,
    Verdict, resolve_all_as,
};

/// The decision for one image of a pod.
#[derive(Debug, Clone)]
pub struct PodResolution {
    /// The first of the credentials that the kubelet tries, and how that came about. The kubelet passes over empty ones,
    /// and goes on to the next where a registry refuses one.
    pub resolution: Resolution,
    /// The entries of the Secret that the runner makes, if it makes one.
    pub secret: Vec<SecretLine>,
}

/// One entry of the Secret, and what the kubelet makes of it.
#[derive(Debug, Clone)]
pub struct SecretLine {
    /// The key under which it stands.
    pub key: String,
    /// What stands there.
    pub credential: ResolvedCredential,
    /// How many others the kubelet tries first; none if the entry does not match the image, or the pod does not get it.
    pub place: Option<usize>,
    /// Whether only the kubelet's rules make it match.
    pub is_beyond_the_runner: bool,
}

/// Decides which credentials a kubelet uses to pull `image` for a job of `runner`.
///
/// Every configured helper runs, also for a pod that does not get what they give.
pub fn resolve_as(
    runner: &Runner,
    image: &str,
    inputs: &Inputs<'_>,
    helpers: &mut dyn CredentialHelpers,
) -> PodResolution {
    let path = registry_auth::image_path(image);
    let all = resolve_all_as(runner, inputs, helpers);
    let decided = |outcome, trace, secret| PodResolution {
        resolution: Resolution { path: path.clone(), outcome, trace },
        secret,
    };
    let credentials = match all.outcome {
        Ok(credentials) => credentials,
        Err(error) => return decided(Outcome::Aborted(error), all.trace, Vec::new()),
    };
    let secret = image_pull_secret(runner, &credentials);
    let candidates = match candidates(image, &secret) {
        Ok(_) if runner.withholds_pull_secret => Vec::new(),
        Ok(candidates) => candidates,
        Err(error) => {
            let error = ResolutionError::Image(error);
            let mut trace = all.trace;
            trace.hints = error.hint().into_iter().collect();
            return decided(Outcome::Aborted(error), trace, Vec::new());
        }
    };
    let winner = winner(&credentials, &candidates);
    let lines = secret.into_iter().zip(credentials).enumerate().map(|(index, (entry, credential))| {
        let place = candidates.iter().position(|candidate| candidate.index == index);
        let candidate = place.and_then(|place| candidates.get(place));
        SecretLine {
            key: entry.key,
            credential,
            place,
            is_beyond_the_runner: candidate.is_some_and(|candidate| candidate.is_beyond_the_runner),
        }
    });
    let lines: Vec<SecretLine> = lines.collect();
    let mut trace = all.trace;
    judge(&mut trace, runner, &lines, winner.as_ref());
    let outcome = winner.map_or(Outcome::Anonymous, |credential| Outcome::Credential(Box::new(credential)));
    decided(outcome, trace, lines)
}

/// The kubelet tries all of them, so that an empty one keeps none of the others out.
fn winner(credentials: &[ResolvedCredential], candidates: &[Candidate]) -> Option<ResolvedCredential> {
    let read: Vec<ResolvedCredential> = candidates
        .iter()
        .filter_map(|candidate| Some(as_the_kubelet_reads(credentials.get(candidate.index)?, candidate)))
        .collect();
    read.iter().find(|credential| !credential.is_empty()).or(read.first()).cloned()
}

/// A kubelet takes user and password alone, and finds them under its own form of the key.
fn as_the_kubelet_reads(credential: &ResolvedCredential, candidate: &Candidate) -> ResolvedCredential {
    ResolvedCredential {
        path: candidate.pattern.clone(),
        identity_token: Default::default(),
        registry_token: Default::default(),
        ..credential.clone()
    }
}

/// Says of each entry of the Secret what the kubelet makes of it.
fn judge(trace: &mut Trace, runner: &Runner, secret: &[SecretLine], winner: Option<&ResolvedCredential>) {
    for entry in trace.entries.iter_mut().filter(|entry| entry.verdict == Verdict::Usable) {
        let is_entry = |credential: &ResolvedCredential| {
            credential.server_address == entry.key && credential.source == entry.source
        };
        let is_tried = secret.iter().any(|line| line.place.is_some() && is_entry(&line.credential));
        entry.verdict = match (runner.withholds_pull_secret, winner.is_some_and(is_entry), is_tried) {
            (true, ..) => Verdict::Withheld,
            (false, true, _) => Verdict::Chosen,
            (false, false, true) => Verdict::Usable,
            (false, false, false) => Verdict::OtherPath,
        };
    }
}
