//! From jobs to distinct images.

use std::collections::{HashMap, HashSet};

use ecru_ecr::config::Config;
use ecru_gitlab::ci::{CiWarningKind, Pipeline};
use ecru_gitlab::image_uses::{ImageUse, JobUses, ServiceUse, Uses};
use ecru_gitlab::position::Position;
use secrecy::{ExposeSecret, SecretString};

use super::places::Places;
use super::report::{
    CheckedImage, Credentials, Finding, Outcome, Place, Report, Role, UnresolvedImage, User,
};

/// The report of a pipeline whose images nobody has asked for yet.
pub(super) fn report(pipeline: &Pipeline, places: &Places, uses: Uses, config: &Config) -> Report {
    let mut collector = Collector {
        pipeline,
        places,
        config,
        report: Report { jobs: uses.jobs.len() + uses.failed.len(), ..Report::default() },
        images: HashMap::new(),
        configs: Vec::new(),
        unresolved: HashMap::new(),
        told: HashSet::new(),
    };
    for warning in pipeline.warnings() {
        collector.warn(warning.position, None, "pipeline", warning.kind.to_string(), None);
    }
    for failed in uses.failed {
        let position = failed.error.position().unwrap_or(Position::START);
        if failed.error.may_be_none() {
            let message = format!("is not checked: {}", failed.error);
            let hint = "give what GitLab merges to --merged".to_owned();
            collector.warn(position, Some(&failed.name), "not_followed", message, Some(hint));
            continue;
        }
        let place = collector.place(position);
        collector.report.failed_jobs.push(Finding {
            place,
            job: Some(failed.name),
            kind: "job",
            message: failed.error.to_string(),
            hint: failed.error.hint(),
        });
    }
    for job in uses.jobs {
        collector.add_job(&job);
    }
    collector.report
}

/// What makes two uses of an image two images: its name, its platform, and the number of the DOCKER_AUTH_CONFIG.
type ImageKey = (String, Option<String>, usize);

struct Collector<'a> {
    pipeline: &'a Pipeline,
    places: &'a Places,
    config: &'a Config,
    report: Report,
    /// Where each image with its credentials stands in the report.
    images: HashMap<ImageKey, usize>,
    /// The different DOCKER_AUTH_CONFIGs.
    configs: Vec<Option<SecretString>>,
    /// The same for images whose names are not known, with their variables.
    unresolved: HashMap<(String, Vec<String>), usize>,
    /// The warnings so far.
    told: HashSet<Finding>,
}

impl Collector<'_> {
    fn place(&self, position: Position) -> Place {
        self.places.place(self.pipeline, position)
    }

    fn warn(
        &mut self,
        position: Position,
        job: Option<&str>,
        kind: &'static str,
        message: String,
        hint: Option<String>,
    ) {
        let place = self.place(position);
        let finding = Finding { place, job: job.map(str::to_owned), kind, message, hint };
        if self.told.insert(finding.clone()) {
            self.report.warnings.push(finding);
        }
    }

    fn add_job(&mut self, job: &JobUses) {
        for warning in &job.warnings {
            let kind = match warning.kind {
                CiWarningKind::KeywordNotFollowed { .. } => "not_followed",
                _ => "pipeline",
            };
            self.warn(warning.position, None, kind, warning.kind.to_string(), None);
        }
        match &job.image {
            Some(image) => self.add_image(job, image, Role::Image),
            None => self.warn(
                job.position,
                Some(&job.name),
                "no_image",
                "names no image: the runner's own default decides".to_owned(),
                Some("name the runner's settings with --config".to_owned()),
            ),
        }
        for service in &job.services {
            if !is_never_started(service) {
                self.add_image(job, &service.image, Role::Service { names: known_names(service) });
            }
            self.check_names(job, service);
        }
    }

    fn add_image(&mut self, job: &JobUses, image: &ImageUse, role: Role) {
        let user = User { job: job.name.clone(), role, place: self.place(job.position) };
        if !image.may_differ.is_empty() {
            let names = listed(&image.may_differ);
            self.warn(
                job.position,
                Some(&job.name),
                "rules",
                format!("image `{}` may differ: `rules:variables` can change {names}", image.written),
                None,
            );
        }
        if !image.without_meaning.is_empty() {
            let references: Vec<String> =
                image.without_meaning.iter().map(|name| format!("`${{{name}}}`")).collect();
            self.warn(
                job.position,
                Some(&job.name),
                "no_variable",
                format!(
                    "image `{}` loses {}: GitLab has no default values for variables",
                    image.written,
                    references.join(" and ")
                ),
                None,
            );
        }
        let Some(name) = &image.name else { return self.add_unresolved(image, user) };
        if image.is_never_pulled {
            let message = format!("image `{name}` is not asked for: its pull policy is `never`");
            return self.warn(job.position, Some(&job.name), "never_pulled", message, None);
        }
        let key = (name.clone(), image.platform.clone(), self.number_of_config(job));
        let index = *self.images.entry(key).or_insert_with(|| {
            self.report.images.push(new_image(name, image, job, self.config));
            self.report.images.len() - 1
        });
        if let Some(known) = self.report.images.get_mut(index) {
            known.is_of_commit |= image.is_of_commit;
            // A job's own uses of an image follow each other.
            if known.used_by.last() != Some(&user) {
                known.used_by.push(user);
            }
        }
    }

    /// Which of the few DOCKER_AUTH_CONFIGs of the pipeline a job has. They are secrets, and no keys of a map.
    fn number_of_config(&mut self, job: &JobUses) -> usize {
        let text = job.docker_auth_config.as_ref().map(ExposeSecret::expose_secret);
        let same = |known: &Option<SecretString>| known.as_ref().map(ExposeSecret::expose_secret) == text;
        self.configs.iter().position(same).unwrap_or_else(|| {
            self.configs.push(job.docker_auth_config.clone());
            self.configs.len() - 1
        })
    }

    fn add_unresolved(&mut self, image: &ImageUse, user: User) {
        let key = (image.written.clone(), image.unresolved.clone());
        let index = *self.unresolved.entry(key).or_insert_with(|| {
            self.report.unresolved.push(UnresolvedImage {
                written: image.written.clone(),
                variables: image.unresolved.clone(),
                used_by: Vec::new(),
            });
            self.report.unresolved.len() - 1
        });
        if let Some(unresolved) = self.report.unresolved.get_mut(index)
            && unresolved.used_by.last() != Some(&user)
        {
            unresolved.used_by.push(user);
        }
    }

    fn check_names(&mut self, job: &JobUses, service: &ServiceUse) {
        let shown = service.image.name.as_ref().unwrap_or(&service.image.written);
        if service.names.names.is_empty() {
            self.warn(
                job.position,
                Some(&job.name),
                "service_not_started",
                format!("service `{shown}` is never started: an earlier service has all of its names"),
                Some("give it an `alias` of its own".to_owned()),
            );
            return;
        }
        for taken in &service.names.taken {
            self.warn(
                job.position,
                Some(&job.name),
                "service_name_taken",
                format!("service `{shown}` is not reached as `{taken}`: an earlier service is"),
                Some("give it an `alias` of its own".to_owned()),
            );
        }
        if !service.has_alias && self.is_ecr(shown) {
            self.warn(
                job.position,
                Some(&job.name),
                "service_alias",
                format!(
                    "service `{shown}` has no usable name: GitLab makes {} of the registry's whole name",
                    in_backticks(&service.names.names)
                ),
                Some("give it an `alias`, such as `alias: db`".to_owned()),
            );
        }
    }

    fn is_ecr(&self, image: &str) -> bool {
        registry_of(image, self.config).is_some()
    }
}

fn new_image(name: &str, image: &ImageUse, job: &JobUses, config: &Config) -> CheckedImage {
    CheckedImage {
        name: name.to_owned(),
        used_by: Vec::new(),
        docker_auth_config: job.docker_auth_config.clone(),
        unknown_in_config: job.unknown_in_config.clone(),
        is_of_commit: false,
        platform: image.platform.clone(),
        lacking_platform: None,
        registry: registry_of(name, config),
        credentials: Credentials::default(),
        outcome: Outcome::NotAsked,
    }
}

/// The registry of Amazon ECR that an image names, by itself or by an alias of ecru's configuration.
fn registry_of(image: &str, config: &Config) -> Option<ecru_ecr::registry::Registry> {
    let (host, _) = image.split_once('/')?;
    config.registry(host).ok()
}

/// Whether an earlier service has all of its names, so that the runner passes it over.
fn is_never_started(service: &ServiceUse) -> bool {
    service.names.names.is_empty() && !service.has_alias
}

/// The names of a service, without the text that stands for those of an image that is not known.
fn known_names(service: &ServiceUse) -> Vec<String> {
    let is_known = |name: &&String| service.image.name.is_some() || **name != service.image.written;
    service.names.names.iter().filter(is_known).cloned().collect()
}

fn listed(names: &[String]) -> String {
    names.iter().map(|name| format!("`${name}`")).collect::<Vec<_>>().join(", ")
}

fn in_backticks(names: &[String]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(" and ")
}
