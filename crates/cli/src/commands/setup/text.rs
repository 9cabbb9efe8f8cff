//! What `ecru setup` says.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

use ecru_doctor::apply::Undone;
use ecru_doctor::emit::HELPERS_OF_VARIABLES;
use ecru_doctor::iam_policy::pull_policy;
use ecru_doctor::plan::Plan;
use ecru_doctor::service::{Kind, Service};
use ecru_doctor::setup_runner::{HELPER, Outlet, Request, registries};
use ecru_doctor::surroundings::Target;

/// After a plan that was only shown.
pub(super) const NOT_APPLIED: &str = "Nothing was changed. To make these changes, add --yes.\n";

/// What was found, and what would change; `passed_over` has the helper's name and is beside `ecru`, and is not its own.
pub(super) fn plan(
    service: &Service,
    plan: &Plan,
    request: &Request<'_>,
    passed_over: Option<&Path>,
) -> String {
    let mut text = found(service);
    text.push('\n');
    if plan.is_empty() {
        text.push_str("Nothing to do: everything is as it should be.\n");
        return text;
    }
    text.push_str(&plan.diff());
    let _ = write!(
        text,
        "\n{} this IAM policy:\n{:#}\n\n",
        if roles(request).is_empty() {
            "The service's identity needs"
        } else {
            "The service's identity, and each role for its registries, needs"
        },
        pull_policy(&registries(request.registries))
    );
    if let Some(other) = passed_over {
        let _ = writeln!(
            text,
            "note: `{}` is not the helper of this ecru, which puts itself in its place; --helper FILE names another",
            other.display()
        );
    }
    for note in notes(service, request) {
        let _ = writeln!(text, "note: {note}");
    }
    text
}

fn found(service: &Service) -> String {
    let path: Vec<String> = service.path.iter().map(|folder| folder.display().to_string()).collect();
    let mut text = format!(
        "gitlab-runner: {}\n  user    {} ({})\n  HOME    {}\n  PATH    {}\n  config  {}\n",
        service.kind,
        service.user,
        service.uid,
        service.home.display(),
        path.join(":"),
        service.config.display()
    );
    for evidence in &service.evidence {
        let _ = writeln!(text, "  from    {evidence}");
    }
    for trouble in &service.troubles {
        let _ = writeln!(text, "  note    {trouble}");
    }
    text
}

fn notes(service: &Service, request: &Request<'_>) -> Vec<String> {
    let mut notes = Vec::new();
    if service.kind.is_in_container() {
        notes.push(
            "what is changed in a container is gone with it: make the same changes in its image".to_owned(),
        );
    }
    for role in roles(request) {
        notes.push(format!(
            "the service's own identity needs sts:AssumeRole on {role}, which has to trust it"
        ));
    }
    if request.outlet == Outlet::ConfigToml {
        notes.push(
            "a job's own DOCKER_AUTH_CONFIG replaces this one, and docker 28.3 or newer in a job reads it too and \
             refuses credHelpers and credsStore; --in docker-config has neither trouble"
                .to_owned(),
        );
        notes.push(HELPERS_OF_VARIABLES.replace('\n', " "));
    }
    notes
}

fn roles<'r>(request: &Request<'r>) -> BTreeSet<&'r str> {
    request.registries.iter().filter_map(|wanted| wanted.role_arn.as_deref()).collect()
}

/// After the changes.
pub(super) fn applied(service: &Service, request: &Request<'_>) -> String {
    let target = Target::at(request.root);
    let mut text = format!("Done. To take it back: {}\n", undo_command(super::runner::SET_UP, &target));
    if service.kind == Kind::Systemd && !request.aws_environment.is_empty() {
        let place = if target.is_this_machine() { "" } else { " on that machine" };
        let _ = writeln!(
            text,
            "Now the service has to be started anew{place}: systemctl daemon-reload && systemctl restart gitlab-runner",
        );
    }
    text
}

/// The command that takes the last set-up of this kind back, on the machine that it was for.
pub(super) fn undo_command(set_up: &str, target: &Target) -> String {
    target.told(format!("ecru setup {set_up} --undo"))
}

/// After the helper was taken away, which a set-up that came later may have found in its place, and taken for granted.
pub(super) fn helper_is_gone(target: &Target) -> String {
    let [runner, job] = ["runner", "job"].map(|set_up| target.told(format!("ecru setup {set_up}")));
    format!(
        "note: {HELPER} is gone; who still needs it gets it again by `{runner} …` or `{job} …`, as before\n"
    )
}

/// What is taken back; `how` says whether it was.
pub(super) fn undone(undone: &Undone, how: &str) -> String {
    let mut text = String::new();
    for file in &undone.files {
        let _ = writeln!(text, "{how}: {}", file.display());
    }
    if undone.remaining > 0 {
        let _ = writeln!(text, "Earlier ones that can be taken back the same way: {}.", undone.remaining);
    }
    text
}
