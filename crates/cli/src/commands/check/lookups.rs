//! The registries' answers, many at a time.

use std::collections::HashMap;
use std::sync::Arc;

use ecru_gitlab::config_toml::RunnerConfig;
use ecru_registry::{ImageFacts, Login, LookupError, Options, RegistryClient, SetupError};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::gitlab_registries::GitlabRegistries;
use super::platforms;
use super::report::{CheckedImage, Credentials, Outcome, Report};
use crate::args::CheckArgs;
use crate::error::CommandError;
use crate::exit_code;
use crate::outside::Outside;
use crate::terminal::Screen;

/// How many images are asked for at a time. Registries allow thousands of requests a second; more than this wins
/// nothing where an answer takes some milliseconds.
const AT_A_TIME: usize = 24;

/// Asks for every image once. Two entries for one image that send the same credentials share the answer.
pub(super) async fn look_up(
    report: &mut Report,
    args: &CheckArgs,
    runner: &RunnerConfig,
    of_gitlab: &GitlabRegistries,
    outside: &Outside,
    screen: &Screen,
) -> Result<(), CommandError> {
    let client = RegistryClient::new(&options(runner, outside)?).map_err(|error| setup_failure(&error))?;
    let mut questions = Questions::default();
    for (index, image) in report.images.iter_mut().enumerate() {
        match login(&image.credentials) {
            Ok(Some(login)) => questions.add(image, login, index),
            Ok(None) => {}
            Err(error) => image.outcome = Outcome::Failed(error),
        }
    }
    let counter = screen.counter("asking registries", questions.all.len());
    let usual = Arc::<str>::from(args.platform.as_deref().unwrap_or(platforms::USUAL));
    let places = Arc::new(Semaphore::new(AT_A_TIME));
    let mut lookups = JoinSet::new();
    for question in questions.all {
        let (client, places, usual) = (client.clone(), Arc::clone(&places), Arc::clone(&usual));
        lookups.spawn(async move {
            let _place = places.acquire_owned().await;
            let platform = question.platform.as_deref().unwrap_or(&usual);
            let answer = client.image(&question.image, question.login.as_ref(), platform).await;
            (question.indices, answer)
        });
    }
    while let Some(finished) = lookups.join_next().await {
        counter.advance();
        let Ok((indices, answer)) = finished else { continue };
        for index in indices {
            if let Some(image) = report.images.get_mut(index) {
                image.outcome = outcome(answer.clone());
            }
        }
    }
    if args.decision.job_credentials.is_none() {
        of_gitlab.leave_open(&mut report.images);
    }
    Ok(())
}

fn outcome(answer: Result<ImageFacts, LookupError>) -> Outcome {
    match answer {
        Ok(facts) => Outcome::Exists(facts),
        Err(error) => Outcome::Failed(error),
    }
}

/// What registries are asked, each thing once.
#[derive(Default)]
struct Questions {
    all: Vec<Question>,
    /// The questions about each image.
    of_image: HashMap<String, Vec<usize>>,
}

/// An image, its platform, what its registry is shown, and for which entries of the report.
struct Question {
    image: String,
    platform: Option<String>,
    login: Option<Login>,
    indices: Vec<usize>,
}

impl Questions {
    /// Adds an entry of the report to the question that is the same, or to a new one.
    fn add(&mut self, image: &CheckedImage, login: Option<Login>, index: usize) {
        let of_image = self.of_image.entry(image.name.clone()).or_default();
        let same = of_image.iter().copied().find(|number| {
            self.all.get(*number).is_some_and(|question| {
                question.platform == image.platform && is_same(question.login.as_ref(), login.as_ref())
            })
        });
        match same.and_then(|number| self.all.get_mut(number)) {
            Some(question) => question.indices.push(index),
            None => {
                of_image.push(self.all.len());
                let (image, platform) = (image.name.clone(), image.platform.clone());
                self.all.push(Question { image, platform, login, indices: vec![index] });
            }
        }
    }
}

fn is_same(one: Option<&Login>, other: Option<&Login>) -> bool {
    let same = |one: &SecretString, other: &SecretString| one.expose_secret() == other.expose_secret();
    match (one, other) {
        (None, None) => true,
        (
            Some(Login::Password { username, password }),
            Some(Login::Password { username: other, password: of_other }),
        ) => username == other && same(password, of_other),
        (Some(Login::Token(token)), Some(Login::Token(other))) => same(token, other),
        _ => false,
    }
}

/// What an image's registry is shown; nothing if the runner would not pull it.
fn login(credentials: &Credentials) -> Result<Option<Option<Login>>, LookupError> {
    let chosen = match credentials {
        Credentials::Aborted { .. } | Credentials::NotChosen => return Ok(None),
        Credentials::None { .. } => return Ok(Some(None)),
        Credentials::Chosen(chosen) if chosen.is_identity_token => return Err(LookupError::IdentityToken),
        Credentials::Chosen(chosen) => chosen,
    };
    let (username, password) = (chosen.username.clone(), chosen.password.clone());
    Ok(Some(match chosen.registry_token.expose_secret() {
        // Empty credentials are as good as none to an engine.
        "" if username.is_empty() && password.expose_secret().is_empty() => None,
        "" => Some(Login::Password { username, password }),
        // An engine takes the token before a password (moby, `distribution/registry.go`).
        _ => Some(Login::Token(chosen.registry_token.clone())),
    }))
}

/// Proxy and certificates from the same variables as elsewhere in ecru.
fn options(runner: &RunnerConfig, outside: &Outside) -> Result<Options, CommandError> {
    let options = Options::from_variables(|name| outside.text(name).map(str::to_owned))
        .map_err(|error| setup_failure(&error))?;
    // A GitLab of one's own gives the tokens for its registry.
    Ok(Options { realm_hosts: host_of(&runner.url).map(str::to_owned).into_iter().collect(), ..options })
}

pub(super) fn host_of(url: &str) -> Option<&str> {
    let (_, rest) = url.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let host = authority.split_once(':').map_or(authority, |(host, _)| host);
    (!host.is_empty() && !authority.contains('@')).then_some(host)
}

fn setup_failure(error: &SetupError) -> CommandError {
    CommandError::from_error(exit_code::BAD_CONFIGURATION, error).maybe_hint(error.hint())
}
