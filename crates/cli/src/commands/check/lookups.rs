//! The registries' answers, many at a time.

use std::collections::HashMap;
use std::sync::Arc;

use ecru_gitlab::config_toml::RunnerConfig;
use ecru_registry::{ImageFacts, Login, LookupError, Options, RegistryClient, SetupError};
use secrecy::ExposeSecret as _;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::gitlab_registries::GitlabRegistries;
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
    let mut questions: Vec<Question> = Vec::new();
    let mut asked: HashMap<Question, Vec<usize>> = HashMap::new();
    for (index, image) in report.images.iter_mut().enumerate() {
        match question(image) {
            Ok(Some(question)) => {
                let same = asked.entry(question.clone()).or_default();
                if same.is_empty() {
                    questions.push(question);
                }
                same.push(index);
            }
            Ok(None) => {}
            Err(error) => image.outcome = Outcome::Failed(error),
        }
    }
    let counter = screen.counter("asking registries", questions.len());
    let (places, platform) = (Arc::new(Semaphore::new(AT_A_TIME)), Arc::<str>::from(args.platform.as_str()));
    let mut lookups = JoinSet::new();
    for question in questions {
        let (client, places, platform) = (client.clone(), Arc::clone(&places), Arc::clone(&platform));
        lookups.spawn(async move {
            let _place = places.acquire_owned().await;
            let login = question.login();
            let answer = client.image(&question.image, login.as_ref(), &platform).await;
            (question, answer)
        });
    }
    while let Some(finished) = lookups.join_next().await {
        counter.advance();
        let Ok((question, answer)) = finished else { continue };
        for index in asked.remove(&question).unwrap_or_default() {
            if let Some(image) = report.images.get_mut(index) {
                image.outcome = outcome(answer.clone());
            }
        }
    }
    if args.job_credentials.is_none() {
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

/// An image with the credentials for it. There is no `Debug`, since it holds a password.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Question {
    image: String,
    sent: Sent,
}

/// What a registry is shown.
#[derive(Clone, PartialEq, Eq, Hash)]
enum Sent {
    Nothing,
    Password { username: String, password: String },
    Token(String),
}

impl Question {
    fn login(&self) -> Option<Login> {
        match &self.sent {
            Sent::Nothing => None,
            Sent::Password { username, password } => {
                Some(Login::Password { username: username.clone(), password: password.as_str().into() })
            }
            Sent::Token(token) => Some(Login::Token(token.as_str().into())),
        }
    }
}

/// What is to be asked for an image; nothing if the runner would not pull it.
fn question(image: &CheckedImage) -> Result<Option<Question>, LookupError> {
    let sent = match &image.credentials {
        Credentials::Aborted { .. } | Credentials::NotChosen => return Ok(None),
        Credentials::Chosen(chosen) if chosen.is_identity_token => return Err(LookupError::IdentityToken),
        Credentials::Chosen(chosen) => {
            let (username, password) = (chosen.username.clone(), chosen.password.expose_secret().to_owned());
            match chosen.registry_token.expose_secret() {
                // Empty credentials are as good as none to an engine.
                "" if username.is_empty() && password.is_empty() => Sent::Nothing,
                "" => Sent::Password { username, password },
                // An engine takes the token before a password (moby, `distribution/registry.go`).
                token => Sent::Token(token.to_owned()),
            }
        }
        Credentials::None { .. } => Sent::Nothing,
    };
    Ok(Some(Question { image: image.name.clone(), sent }))
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
