//! What was found, before it takes a form.

use ecru_ecr::registry::Registry;
use ecru_registry::{ImageFacts, LookupError};
use secrecy::SecretString;

/// Everything that `ecru check` tells.
#[derive(Default)]
pub(super) struct Report {
    /// The distinct images in the order in which jobs name them.
    pub(super) images: Vec<CheckedImage>,
    /// Images whose names depend on variables that are not known.
    pub(super) unresolved: Vec<UnresolvedImage>,
    /// Jobs that cannot be read.
    pub(super) failed_jobs: Vec<Finding>,
    /// What is odd or not followed.
    pub(super) warnings: Vec<Finding>,
    /// What concerns no place in the pipeline.
    pub(super) notes: Vec<String>,
    /// How many jobs there are, those that are made by `parallel` counted each.
    pub(super) jobs: usize,
}

/// Something at a place.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Finding {
    pub(super) place: Place,
    /// The job that it is about.
    pub(super) job: Option<String>,
    pub(super) kind: &'static str,
    pub(super) message: String,
    pub(super) hint: Option<String>,
}

/// A line of a file.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Place {
    pub(super) file: String,
    pub(super) line: usize,
}

/// A job that uses an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct User {
    pub(super) job: String,
    pub(super) role: Role,
    pub(super) place: Place,
}

/// What an image is to a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// What its script runs in.
    Image,
    /// A service, reached by these names.
    Service { names: Vec<String> },
}

/// One image as one set of credentials pulls it.
pub(super) struct CheckedImage {
    pub(super) name: String,
    pub(super) used_by: Vec<User>,
    /// The DOCKER_AUTH_CONFIG of the jobs that use it.
    pub(super) docker_auth_config: Option<SecretString>,
    /// The variables behind that DOCKER_AUTH_CONFIG that are not known here.
    pub(super) unknown_in_config: Vec<String>,
    /// Whether it is named after the commit.
    pub(super) is_of_commit: bool,
    /// The platform that its jobs name.
    pub(super) platform: Option<String>,
    /// The platform that was asked for and that it is not for.
    pub(super) lacking_platform: Option<String>,
    /// The registry of Amazon ECR that it is in, if it is in one.
    pub(super) registry: Option<Registry>,
    pub(super) credentials: Credentials,
    pub(super) outcome: Outcome,
}

/// Which credentials the runner sends.
#[derive(Default)]
pub(super) enum Credentials {
    /// They were not chosen: `--offline`.
    #[default]
    NotChosen,
    /// It pulls without.
    None {
        /// What kept them from being found.
        obstacles: Vec<String>,
        hints: Vec<String>,
    },
    /// It does not pull at all.
    Aborted { message: String, hint: Option<String> },
    /// It sends these.
    Chosen(Chosen),
}

/// Credentials and where they come from.
pub(super) struct Chosen {
    pub(super) source: String,
    pub(super) origin: String,
    pub(super) server_address: String,
    pub(super) username: String,
    pub(super) password: SecretString,
    pub(super) registry_token: SecretString,
    pub(super) is_identity_token: bool,
    /// The AWS identity behind them, as it is configured here, if they come from ecru's helper.
    pub(super) identity: Option<String>,
}

/// What the registry says.
pub(super) enum Outcome {
    /// It was not asked.
    NotAsked,
    /// The image is there.
    Exists(ImageFacts),
    /// It cannot be had.
    Failed(LookupError),
    /// Whether a job can have it is not to be told from here.
    LeftOpen { reason: String, hint: String },
}

/// An image whose name is not known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct UnresolvedImage {
    pub(super) written: String,
    pub(super) variables: Vec<String>,
    pub(super) used_by: Vec<User>,
}

/// What is wrong with one image, in words and for programs.
pub(super) struct Problem<'a> {
    pub(super) kind: &'a str,
    pub(super) message: String,
    pub(super) hints: Vec<String>,
    pub(super) error: Option<&'a LookupError>,
}

/// Warnings that mean nothing where no image is pulled.
const ABOUT_PULLS: [&str; 4] = ["no_image", "service_not_started", "service_name_taken", "service_alias"];

impl Report {
    /// Says that the runner's executor pulls nothing, so that nothing is asked.
    pub(super) fn tell_of_no_pull(&mut self, executor: &str) {
        self.warnings.retain(|warning| !ABOUT_PULLS.contains(&warning.kind));
        self.notes.push(format!(
            "note: the runner's executor `{executor}` pulls no image and looks for no credentials, so no registry is asked"
        ));
    }

    /// Whether an image cannot be had or a job cannot be read. What could not be checked is no failure.
    pub(super) fn has_failures(&self) -> bool {
        !self.failed_jobs.is_empty() || self.images.iter().any(|image| image.problem().is_some())
    }
}

impl CheckedImage {
    pub(super) fn problem(&self) -> Option<Problem<'_>> {
        if let Credentials::Aborted { message, hint } = &self.credentials {
            return Some(Problem {
                kind: "aborted",
                message: format!("the runner does not pull: {message}"),
                hints: hint.iter().cloned().collect(),
                error: None,
            });
        }
        if let (Some(platform), Outcome::Exists(facts)) = (&self.lacking_platform, &self.outcome) {
            return Some(Problem {
                kind: "platform_missing",
                message: format!("it is not for {platform}, but for {}", facts.platforms.join(", ")),
                hints: vec![format!("build it for {platform} too")],
                error: None,
            });
        }
        let Outcome::Failed(error) = &self.outcome else { return None };
        let mut message = error.to_string();
        let mut hints: Vec<String> = Vec::new();
        // Who knows what stands in the way gives better advice than who only sees the refusal.
        if let (Credentials::None { obstacles, hints: advice }, "no_credentials") =
            (&self.credentials, error.kind())
        {
            message.extend(obstacles.iter().map(|obstacle| format!("; {obstacle}")));
            hints.extend(advice.iter().cloned());
        }
        if hints.is_empty() {
            let hint = self.hint_for_cache(error).or_else(|| error.hint());
            hints.extend(hint.or_else(|| self.hint_for_helper(error)));
        }
        Some(Problem { kind: error.kind(), message, hints, error: Some(error) })
    }

    /// What to do about a token of ecru's own helper that the registry refuses: the helper gives it out until half of its
    /// life is over.
    fn hint_for_cache(&self, error: &LookupError) -> Option<String> {
        let Credentials::Chosen(Chosen { identity: Some(_), .. }) = &self.credentials else { return None };
        let (host, _) = self.name.split_once('/').filter(|_| error.is_about_password())?;
        Some(format!("`ecru cache clear {host}` forgets the token that the helper keeps"))
    }

    /// What to write for a registry of ECR that nobody has credentials for.
    fn hint_for_helper(&self, error: &LookupError) -> Option<String> {
        self.registry.as_ref().filter(|_| error.kind() == "no_credentials")?;
        let (host, _) = self.name.split_once('/')?;
        Some(format!(
            "in ~/.docker/config.json of the runner's user: {{\"credHelpers\": {{\"{host}\": \"ecr-login\"}}}}"
        ))
    }

    pub(super) fn place(&self) -> Option<&Place> {
        self.used_by.first().map(|user| &user.place)
    }
}
