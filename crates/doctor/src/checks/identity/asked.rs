//! What AWS is asked, each thing once, all at the same time.

use std::os::unix::fs::MetadataExt as _;
use std::thread::{self, ScopedJoinHandle};
use std::time::SystemTime;

use ecru_ecr::access::Access;
use ecru_ecr::cache::Cached;
use ecru_ecr::config::{Choice, ChoiceError, PolicyError};
use ecru_ecr::environment::Environment;
use ecru_ecr::identity::selection::{AskedFor, IdentitySource, Selection, Settings, asked_for};
use ecru_ecr::mint::Caller;
use ecru_ecr::registry::Registry;
use ecru_ecr::token::{TokenError, TokenSource as _};

use crate::surroundings::Puller;

/// What AWS said to a puller.
#[derive(Debug, Default)]
pub struct Answers {
    /// The identities that its configuration means.
    pub identities: Vec<Identity>,
    /// Its registries.
    pub registries: Vec<Asked>,
    /// Why no identity could be chosen for some of them.
    pub unchosen: Vec<(String, ChoiceError)>,
}

/// An identity that is meant for some registries.
#[derive(Debug)]
pub struct Identity {
    /// How it is chosen.
    pub choice: Choice,
    /// Who it is.
    pub caller: Result<Caller, TokenError>,
    /// The sources that are asked for beside the one that is used, each with what it would have given.
    pub passed_over: Vec<PassedOver>,
}

/// A source that is asked for and not used.
#[derive(Debug)]
pub struct PassedOver {
    /// The variables that ask for it.
    pub variables: &'static str,
    /// The source.
    pub source: IdentitySource,
    /// Who it would have been.
    pub caller: Result<Caller, TokenError>,
}

/// A registry, and what there is to be had for it.
#[derive(Debug)]
pub struct Asked {
    /// As its settings name it.
    pub name: String,
    /// The registry.
    pub registry: Registry,
    /// The place of its identity.
    pub identity: usize,
    /// Whether the machine's policy allows it.
    pub permitted: Result<(), PolicyError>,
    /// The password's life; `None` where it was not asked for.
    pub token: Option<Result<Life, TokenError>>,
}

/// How long a password lives, and where it came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Life {
    /// When it was handed out.
    pub issued_at: SystemTime,
    /// When it stops working.
    pub expires_at: SystemTime,
    /// Whether it was in the cache.
    pub is_kept: bool,
}

impl Answers {
    /// The principal that is used for `registry`, where it is known.
    #[must_use]
    pub fn caller_for(&self, registry: &Registry) -> Option<&Caller> {
        let asked = self.registries.iter().find(|asked| asked.registry == *registry)?;
        self.identities.get(asked.identity)?.caller.as_ref().ok()
    }

    /// Whether a password for `registry` was had, where one was asked for.
    #[must_use]
    pub fn has_token(&self, registry: &Registry) -> Option<bool> {
        let asked = self.registries.iter().find(|asked| asked.registry == *registry)?;
        asked.token.as_ref().map(Result::is_ok)
    }
}

/// Asks AWS. Blocks for at most twice the puller's deadlines.
pub(super) fn ask(puller: &Puller) -> Answers {
    let (mut answers, choices) = planned(puller);
    let questions = questions(&answers);
    let access = access(puller);
    thread::scope(|scope| {
        let callers: Vec<_> = choices
            .iter()
            .enumerate()
            .map(|(place, choice)| {
                let registry = answers.registries.iter().find(|asked| asked.identity == place);
                let registry = registry.map(|asked| asked.registry.clone());
                scope.spawn(move || identity(puller, choice, registry.as_ref()))
            })
            .collect();
        let tokens: Vec<_> = questions
            .iter()
            .map(|question| {
                let choice = choices.get(question.identity);
                scope.spawn(move || {
                    choice
                        .map_or(Err(interrupted()), |choice| life(puller, access, choice, &question.registry))
                })
            })
            .collect();
        let callers = callers.into_iter().zip(&choices);
        answers.identities =
            callers.map(|(running, choice)| running.join().unwrap_or_else(|_| nobody(choice))).collect();
        for (question, running) in questions.iter().zip(tokens) {
            let life = joined(running);
            for place in &question.registries {
                if let Some(asked) = answers.registries.get_mut(*place) {
                    asked.token = Some(life.clone());
                }
            }
        }
    });
    answers
}

fn access(puller: &Puller) -> Access<'_> {
    Access { config: &puller.config, environment: &puller.environment, clock: puller.clock }
}

/// Which identity is meant for which registry. Where no registry is named, the identity of the puller itself.
fn planned(puller: &Puller) -> (Answers, Vec<Choice>) {
    let mut answers = Answers::default();
    let mut choices: Vec<Choice> = Vec::new();
    let mut place_of = |choice: Choice| {
        let same = choices.iter().position(|other| other.selection == choice.selection);
        same.unwrap_or_else(|| {
            choices.push(choice);
            choices.len() - 1
        })
    };
    for name in &puller.registries {
        let Ok(request) = puller.config.request(name) else { continue };
        match puller.config.choice(&request, None, &puller.environment) {
            Ok(choice) => {
                let permitted = puller.config.permit(&request.registry);
                let (registry, identity) = (request.registry, place_of(choice));
                answers.registries.push(Asked {
                    name: name.clone(),
                    registry,
                    identity,
                    permitted,
                    token: None,
                });
            }
            Err(error) => answers.unchosen.push((name.clone(), error)),
        }
    }
    if answers.registries.is_empty() && answers.unchosen.is_empty() {
        match puller.config.own_choice(None, &puller.environment) {
            Ok(choice) => {
                place_of(choice);
            }
            Err(error) => answers.unchosen.push((String::new(), error)),
        }
    }
    (answers, choices)
}

/// A password that several registries share.
struct Question {
    identity: usize,
    registry: Registry,
    registries: Vec<usize>,
}

/// One token opens every registry that its principal may read in a region, but each endpoint of the API counts.
fn questions(answers: &Answers) -> Vec<Question> {
    let mut questions: Vec<Question> = Vec::new();
    for (place, asked) in answers.registries.iter().enumerate() {
        if asked.permitted.is_err() {
            continue;
        }
        let is_same = |other: &Question| {
            other.identity == asked.identity && shares_token(&other.registry, &asked.registry)
        };
        match questions.iter_mut().find(|question| is_same(question)) {
            Some(question) => question.registries.push(place),
            None => questions.push(Question {
                identity: asked.identity,
                registry: asked.registry.clone(),
                registries: vec![place],
            }),
        }
    }
    questions
}

fn shares_token(one: &Registry, other: &Registry) -> bool {
    let parts = |registry: &Registry| {
        (registry.is_public(), registry.region().to_owned(), registry.fips(), registry.dual_stack())
    };
    parts(one) == parts(other) && one.partition() == other.partition()
}

/// A password's life. It is looked for where the helper looks for it, so that both together ask AWS once; but what
/// goes wrong here is no record of the helper's.
fn life(
    puller: &Puller,
    access: Access<'_>,
    choice: &Choice,
    registry: &Registry,
) -> Result<Life, TokenError> {
    let cache = access.cache(&choice.selection).filter(|_| may_keep(puller));
    let is_kept = cache.as_ref().is_some_and(|cache| matches!(cache.kept(registry), Ok(Some(_))));
    let mint = access.mint(&choice.selection, puller.deadlines);
    let token = Cached::new(mint, cache, puller.deadlines).token(registry)?;
    Ok(Life { issued_at: token.issued_at, expires_at: token.expires_at, is_kept })
}

/// Whether the puller's home directory is that of this process's user. In another user's, what this process leaves
/// behind would be in the way of that user's helper; a cache that is only this diagnosis's is in nobody's.
fn may_keep(puller: &Puller) -> bool {
    let place = |environment: &Environment| environment.os("AWS_ECR_CACHE_DIR").map(ToOwned::to_owned);
    if place(&puller.environment) != place(&puller.own) {
        return true;
    }
    let home = puller.environment.home().and_then(|home| std::fs::metadata(home).ok());
    home.is_some_and(|home| home.uid() == rustix::process::geteuid().as_raw())
}

fn identity(puller: &Puller, choice: &Choice, registry: Option<&Registry>) -> Identity {
    let caller_of = |selection: &Selection| access(puller).mint(selection, puller.deadlines).caller(registry);
    let caller = caller_of(&choice.selection);
    // Where roles are assumed, they decide whose rights count.
    let passed_over = if choice.selection.roles().is_empty() {
        passed_over(puller, choice, &caller, caller_of)
    } else {
        Vec::new()
    };
    Identity { choice: choice.clone(), caller, passed_over }
}

/// Asks the sources that are asked for and not used.
fn passed_over(
    puller: &Puller,
    choice: &Choice,
    used: &Result<Caller, TokenError>,
    caller_of: impl Fn(&Selection) -> Result<Caller, TokenError>,
) -> Vec<PassedOver> {
    let environment = choice.selection.restrict(&puller.environment);
    let wanted: Vec<_> = asked_for(&environment)
        .into_iter()
        .filter_map(|asked| match asked {
            AskedFor::Source(source, variables) => Some((source, variables)),
            AskedFor::Half { .. } => None,
        })
        .collect();
    // A source that fails ends the SDK's chain, and it is the first one that was asked for.
    let used = match used {
        Ok(caller) => caller.from,
        Err(_) => wanted.first().map(|(source, _)| *source),
    };
    let others = wanted.into_iter().filter(|(source, _)| Some(*source) != used);
    others
        .filter_map(|(source, variables)| {
            let settings = Settings { source: Some(source), ..Settings::default() };
            let selection = Selection::new(settings).ok()?;
            Some(PassedOver { variables, source, caller: caller_of(&selection) })
        })
        .collect()
}

fn joined<T>(running: ScopedJoinHandle<'_, Result<T, TokenError>>) -> Result<T, TokenError> {
    running.join().unwrap_or_else(|_| Err(interrupted()))
}

fn nobody(choice: &Choice) -> Identity {
    Identity { choice: choice.clone(), caller: Err(interrupted()), passed_over: Vec::new() }
}

fn interrupted() -> TokenError {
    TokenError::Configuration { problem: "the question to AWS was interrupted".to_owned() }
}
