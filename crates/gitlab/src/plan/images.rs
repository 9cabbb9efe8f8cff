//! Images and services with their variables replaced, and the pull policies that apply to them.

use super::{MAX_SERVICES, PlanError, PlannedImage, PlannedService, each_name_once};
use crate::ci::{Image, Job, Service};
use crate::config_toml::{RunnerConfig, ServiceConfig};
use crate::pull_policy::PullPolicies;
use crate::service_names::{self, AssignedNames, ServiceName};
use crate::variables::{self, ExpansionError, LastValues, Variable};

/// What the names of images and services are expanded with.
pub(super) struct Scope<'a> {
    values: LastValues<'a>,
    variables: &'a [Variable],
    policies: PullPolicies,
}

impl<'a> Scope<'a> {
    pub(super) fn new(variables: &'a [Variable], runner: Option<&RunnerConfig>) -> Self {
        Self { values: LastValues::of(variables), variables, policies: PullPolicies::of(runner) }
    }

    fn expand(&self, text: &str, subject: &str) -> Result<String, ExpansionError> {
        variables::expand(text, |key| self.values.get(key))
            .ok_or_else(|| ExpansionError::TooLong { subject: subject.to_owned() })
    }

    pub(super) fn image(&self, image: &Image) -> Result<PlannedImage, PlanError> {
        let name = self.expand(&image.name, "the name of an image")?;
        if name.is_empty() {
            return Err(PlanError::EmptyImage { image: image.name.clone() });
        }
        let expanded = |text: &Option<String>, subject| {
            text.as_deref().map(|text| self.expand(text, subject)).transpose()
        };
        Ok(PlannedImage {
            pull_policies: self.policies.select(&name, &image.pull_policies)?,
            name,
            entrypoint: image.entrypoint.clone(),
            platform: expanded(&image.platform, "the platform of an image")?,
            user: expanded(&image.user, "the user of an image")?,
        })
    }

    pub(super) fn services(
        &self,
        job: &Job,
        runner: &RunnerConfig,
        warnings: &mut Vec<String>,
    ) -> Result<Vec<PlannedService>, PlanError> {
        let count = runner.default_services().len() + job.services.len();
        if count > MAX_SERVICES {
            return Err(PlanError::TooManyServices { job: job.name.clone(), count });
        }
        let configured = runner.default_services().iter().map(service_of_config);
        let services = configured
            .chain(job.services.iter().cloned())
            .map(|service| self.service(&service))
            .collect::<Result<Vec<_>, _>>()?;
        let assigned = service_names::assign_names(services.iter().map(|service| service.aliases.clone()));
        let mut started = Vec::new();
        for (service, AssignedNames { names, taken }) in services.into_iter().zip(assigned) {
            let image = &service.image.name;
            warnings.extend(taken.iter().map(|name| {
                format!(
                    "service `{image}`: an earlier service is called `{name}` already; the name is not used"
                )
            }));
            if names.is_empty() {
                warnings.push(format!("service `{image}` is not started: give it an `alias` of its own"));
                continue;
            }
            started.push(PlannedService { aliases: names, ..service });
        }
        Ok(started)
    }

    /// With all the names that it would like to have.
    fn service(&self, service: &Service) -> Result<PlannedService, PlanError> {
        let mut image = self.image(&service.image)?;
        let ServiceName { pulled_image, implicit_aliases, .. } =
            service_names::split_name_and_version(&image.name)
                .map_err(|source| PlanError::ServiceName { image: image.name.clone(), source })?;
        image.name = pulled_image;
        let mut aliases = implicit_aliases;
        if let Some(alias) = &service.alias {
            let alias = self.expand(alias, "the alias of a service")?;
            aliases.extend(service_names::explicit_aliases(&alias).map(str::to_owned));
        }
        Ok(PlannedService {
            image,
            aliases,
            command: service.command.clone(),
            variables: self.service_variables(&service.variables)?,
        })
    }

    /// The job's variables but for the private ones, then the service's own, expanded with all of the job's
    /// (`common/build.go`, `GetServiceVariables`).
    fn service_variables(&self, own: &[Variable]) -> Result<Vec<Variable>, ExpansionError> {
        let public = self.variables.iter().filter(|variable| variable.is_public).cloned();
        let own = variables::expand_against(own, &self.values)?;
        Ok(each_name_once(public.chain(own)))
    }
}

pub(crate) fn service_of_config(service: &ServiceConfig) -> Service {
    Service {
        image: Image { entrypoint: service.entrypoint.clone(), ..named_image(&service.name) },
        alias: service.alias.clone(),
        command: service.command.clone(),
        variables: service.environment.clone(),
    }
}

pub(crate) fn named_image(name: &str) -> Image {
    Image { name: name.to_owned(), entrypoint: None, pull_policies: Vec::new(), platform: None, user: None }
}
