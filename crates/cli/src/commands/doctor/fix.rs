//! `--fix`: the set-up that the failed checks name.

use ecru_doctor::checks::runner::Facts;
use ecru_doctor::report::{Check, Fix, Outcome, Report};
use ecru_doctor::surroundings::Surroundings;

use super::say;
use crate::args::{DoctorArgs, SetupOutlet, SetupRunnerArgs};
use crate::commands::setup;
use crate::error::CommandError;
use crate::outside::Outside;

/// Carries out what `ecru setup runner` can put right, as that command does: with a diff, and a question.
pub(super) fn carry_out(
    report: &Report,
    args: &DoctorArgs,
    surroundings: &Surroundings,
    outside: &Outside,
) -> Result<(), CommandError> {
    let checks = report.sections.iter().flat_map(|section| &section.checks);
    let is_wanted = checks.into_iter().any(is_by_setup);
    let remedy = is_wanted.then(|| Facts::gather(surroundings).remedy()).flatten();
    let Some(remedy) = remedy else {
        say("\nNothing of this can be put right by `ecru setup`.\n\n");
        return Ok(());
    };
    say("\n");
    let request = SetupRunnerArgs {
        registries: remedy.registries,
        outlet: SetupOutlet::DockerConfig,
        runner: None,
        config: surroundings.asked.config.clone(),
        home: surroundings.asked.home.clone(),
        creds_store: false,
        role_arns: Vec::new(),
        aws_environment: Vec::new(),
        helper: args.helper.clone(),
        root: surroundings.root.clone(),
        dry_run: false,
        yes: args.yes,
        undo: false,
    };
    setup::runner::run(&request, outside)?;
    say("\n");
    Ok(())
}

fn is_by_setup(check: &Check) -> bool {
    matches!(check.outcome, Outcome::Fail(_))
        && check.is_error()
        && check.fixes.iter().any(|fix| matches!(fix, Fix::Command { by_setup: true, .. }))
}
