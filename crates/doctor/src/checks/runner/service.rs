//! The service itself.

use super::Facts;
use crate::checks::hints;
use crate::context::runner_program;
use crate::report::{Check, Context, Definition, Fix, Station, Weight};
use crate::service::{Kind, Service, Trouble};

pub(super) static FOUND: Definition = Definition {
    id: "runner.service.found",
    context: Context::Runner,
    station: Station::Place,
    weight: Weight::Error,
    title: "the gitlab-runner service is found, with its user, HOME and PATH",
    why: "The runner's process has the credentials for `image:` and `services:`; its helper, files and identity count, \
          and nobody else's.",
};

pub(super) fn found(facts: &Facts<'_>) -> Check {
    match &facts.service {
        Ok(service) => {
            let troubles: Vec<String> = service.troubles.iter().map(ToString::to_string).collect();
            let check = match troubles.as_slice() {
                [] if is_any_container(facts, service) => Check::skipped(
                    &FOUND,
                    "there is neither a unit nor a process nor a program of gitlab-runner in this container, whose HOME \
                     and PATH are looked at",
                ),
                [] => Check::pass(&FOUND),
                troubles => Check::fail(&FOUND, troubles.join("; ")),
            };
            let seen = lines(service).into_iter().chain(as_another(facts, service));
            let commands = service.troubles.iter().filter_map(Trouble::command);
            let fix = |command: String| Fix::command(facts.surroundings.target().systemctl(&command));
            let advice = service.troubles.iter().filter_map(Trouble::advice).map(Fix::advice);
            commands.map(fix).chain(advice).fold(seen.fold(check, Check::seen), Check::fix)
        }
        Err(error) => {
            let check = Check::fail(&FOUND, error.to_string());
            match error.hint() {
                Some(hint) => check.fix(hints::fix(&facts.surroundings.target().systemctl(&hint))),
                None => check,
            }
        }
    }
}

/// Whether nothing but the container itself stands for the service.
fn is_any_container(facts: &Facts<'_>, service: &Service) -> bool {
    matches!(service.kind, Kind::Container(_)) && runner_program(service, facts.surroundings).is_none()
}

/// What this command cannot see as the service does.
fn as_another(facts: &Facts<'_>, service: &Service) -> Option<String> {
    let uid = facts.surroundings.uid;
    let is_other = facts.surroundings.is_this_machine() && uid != service.uid;
    match facts.other_user() {
        Some(_) => Some(format!("helpers are started as user {}, as the service does", service.user)),
        None if is_other => Some(format!(
            "this command is user {uid}: what user {} reads and may do can differ; run it with sudo",
            service.user
        )),
        None => None,
    }
}

fn lines(service: &Service) -> Vec<String> {
    let path: Vec<String> = service.path.iter().map(|folder| folder.display().to_string()).collect();
    vec![
        format!("it is {}", service.kind),
        format!("user {} ({})", service.user, service.uid),
        format!("HOME {}", service.home.display()),
        format!("PATH {}", path.join(":")),
        format!("config {}", service.config.display()),
    ]
}
