//! From jobs to distinct images.

use std::collections::{HashMap, HashSet};

use ecru_ecr::config::Config;
use ecru_gitlab::ci::{CiWarningKind, Pipeline};
use ecru_gitlab::image_uses::{ImageUse, JobUses, ServiceUse, Uses};
use ecru_gitlab::position::Position;
use secrecy::{ExposeSecret as _, SecretString};

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
        unresolved: HashMap::new(),
        told: HashSet::new(),
    };
    for warning in pipeline.warnings() {
        collector.warn(warning.position, None, "pipeline", warning.kind.to_string(), None);
    }
    for failed in uses.failed {
        let place = collector.place(failed.error.position().unwrap_or(Position::START));
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

struct Collector<'a> {
    pipeline: &'a Pipeline,
    places: &'a Places,
    config: &'a Config,
    report: Report,
    /// Where each image with its credentials stands in the report.
    images: HashMap<(String, Option<String>), usize>,
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
            self.add_image(job, &service.image, Role::Service { names: known_names(service) });
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
        let key = (name.clone(), job.docker_auth_config.as_ref().map(|it| it.expose_secret().to_owned()));
        let index = *self.images.entry(key).or_insert_with(|| {
            self.report.images.push(new_image(name, job.docker_auth_config.clone(), self.config));
            self.report.images.len() - 1
        });
        if let Some(image) = self.report.images.get_mut(index)
            // A job's own uses of an image follow each other.
            && image.used_by.last() != Some(&user)
        {
            image.used_by.push(user);
        }
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

fn new_image(name: &str, docker_auth_config: Option<SecretString>, config: &Config) -> CheckedImage {
    CheckedImage {
        name: name.to_owned(),
        used_by: Vec::new(),
        docker_auth_config,
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
