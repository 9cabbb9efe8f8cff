//! Whether images can be had with the credentials that a puller would send for them.

mod catalogue;
mod denied;

use std::sync::Arc;

use ecru_docker::reference::ImageReference;
use ecru_ecr::registry::Registry;
use ecru_gitlab::registry_auth::ResolvedCredential;
use ecru_registry::{ImageFacts, Login, LookupError, Options, RegistryClient, SetupError};
use secrecy::ExposeSecret as _;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use self::catalogue::Catalogue;
pub use self::catalogue::{JOB, RUNNER};
use super::identity::Answers;
use crate::report::{Check, Context, Definition};
use crate::surroundings::{ImageChoice, Puller};

/// How many images are asked for at a time.
const AT_A_TIME: usize = 24;

/// The definitions of a context.
#[must_use]
pub fn definitions(context: Context) -> &'static [&'static Definition] {
    match context {
        Context::Runner | Context::JobHost => RUNNER,
        Context::Job => JOB,
    }
}

/// An image, and what its registry says.
#[derive(Debug)]
pub struct LookedUp {
    choice: ImageChoice,
    answer: Answer,
}

/// What came of asking for an image.
#[derive(Debug)]
enum Answer {
    Exists(ImageFacts),
    Failed(LookupError),
    /// The puller would not ask.
    NotPulled(String),
    /// Nobody could be asked.
    NotAsked(String),
}

/// Asks the registries of the images, many at a time.
pub async fn looked_up(puller: &Puller, choices: Vec<ImageChoice>) -> Vec<LookedUp> {
    let client = match client(puller) {
        Ok(client) => client,
        Err(error) => {
            let not_asked = |choice| LookedUp { choice, answer: Answer::NotAsked(error.to_string()) };
            return choices.into_iter().map(not_asked).collect();
        }
    };
    let (places, mut lookups) = (Arc::new(Semaphore::new(AT_A_TIME)), JoinSet::new());
    for (number, choice) in choices.into_iter().enumerate() {
        let (client, places) = (client.clone(), Arc::clone(&places));
        lookups.spawn(async move {
            let _place = places.acquire_owned().await;
            let answer = answer(&client, &choice).await;
            (number, LookedUp { choice, answer })
        });
    }
    let mut looked_up = lookups.join_all().await;
    looked_up.sort_by_key(|(number, _)| *number);
    looked_up.into_iter().map(|(_, looked_up)| looked_up).collect()
}

fn client(puller: &Puller) -> Result<RegistryClient, SetupError> {
    let variable = |name: &str| puller.environment.get(name).map(str::to_owned);
    RegistryClient::new(&Options::from_variables(variable)?)
}

async fn answer(client: &RegistryClient, choice: &ImageChoice) -> Answer {
    if let Some(reason) = &choice.aborted {
        return Answer::NotPulled(reason.clone());
    }
    if let Some(reason) = &choice.left_to_others {
        return Answer::NotAsked(reason.clone());
    }
    let credential = choice.credential.as_ref().filter(|credential| !credential.is_empty());
    if credential.is_some_and(|credential| !credential.identity_token.expose_secret().is_empty()) {
        return Answer::Failed(LookupError::IdentityToken);
    }
    match client.image(&choice.image, credential.map(login).as_ref(), &platform()).await {
        Ok(facts) => Answer::Exists(facts),
        Err(error) => Answer::Failed(error),
    }
}

fn login(credential: &ResolvedCredential) -> Login {
    if !credential.registry_token.expose_secret().is_empty() {
        return Login::Token(credential.registry_token.clone());
    }
    Login::Password { username: credential.username.clone(), password: credential.password.clone() }
}

/// The platform of this machine's containers.
fn platform() -> String {
    let architecture = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    format!("linux/{architecture}")
}

/// What the registries' answers mean.
#[must_use]
pub fn checks(puller: &Puller, images: &[LookedUp], answers: &Answers) -> Vec<Check> {
    let catalogue = Catalogue::of(puller.context);
    let mut checks = denied::accounts(puller, catalogue, images, answers);
    if images.is_empty() {
        checks.push(Check::not_applicable(&catalogue.image, "no image is named: name one with --image"));
    }
    checks.extend(images.iter().map(|image| check(puller, catalogue, image).about(&image.choice.image)));
    checks
}

fn check(puller: &Puller, catalogue: &'static Catalogue, image: &LookedUp) -> Check {
    let check = match &image.answer {
        Answer::Exists(facts) => exists(Check::pass(&catalogue.image), facts),
        Answer::NotPulled(reason) => {
            Check::fail(&catalogue.image, format!("it is not pulled at all: {reason}"))
        }
        Answer::NotAsked(reason) => Check::skipped(&catalogue.image, reason),
        Answer::Failed(error) => failed(puller, catalogue, image, error),
    };
    match &image.choice.credential {
        Some(credential) if !credential.is_empty() => check
            .seen(format!("with the credentials from {}, user {}", credential.source, credential.username)),
        _ => check.seen("without credentials"),
    }
}

fn exists(check: Check, facts: &ImageFacts) -> Check {
    match &facts.digest {
        Some(digest) => check.seen(format!("it is {digest}")),
        None => check,
    }
}

fn failed(puller: &Puller, catalogue: &'static Catalogue, image: &LookedUp, error: &LookupError) -> Check {
    let registry = registry_of(puller, &image.choice.image);
    let obstacles = &image.choice.obstacles;
    let check = match (error, obstacles.first()) {
        (LookupError::LoginMissing, Some(obstacle)) => {
            Check::fail(&catalogue.image, format!("{error}: {obstacle}"))
        }
        _ => Check::fail(&catalogue.image, error.to_string()),
    };
    let check = obstacles.iter().fold(check, |check, obstacle| check.seen(obstacle.clone()));
    let fixes = denied::fixes(puller.context, &puller.target, error, registry.as_ref(), &image.choice.image);
    let check = match error.hint() {
        Some(hint) if fixes.is_empty() || is_about_name(error) => check.seen(format!("hint: {hint}")),
        _ => check,
    };
    let check = match denied::remark(error, registry.as_ref(), &image.choice.image) {
        Some(remark) => check.seen(remark),
        None => check,
    };
    let check = fixes.into_iter().fold(check, Check::fix);
    // Whatever keeps a puller from having credentials is told where it is found.
    match error {
        LookupError::LoginMissing => check.unless_told(),
        _ => check,
    }
}

/// Whether what is asked for is not there, so that the commands only show what is.
fn is_about_name(error: &LookupError) -> bool {
    matches!(error, LookupError::NoRepository { .. } | LookupError::NoImage { .. })
}

/// The registry of ECR that an image is in, by its name or an alias.
fn registry_of(puller: &Puller, image: &str) -> Option<Registry> {
    let reference = ImageReference::parse(image).ok()?;
    puller.config.registry(reference.registry()).ok()
}
