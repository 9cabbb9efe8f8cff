//! `--fix`: the set-up that the failed checks name.

use ecru_doctor::checks::runner::Facts;
use ecru_doctor::report::{Check, Context, Fix, Outcome, Report};
use ecru_doctor::surroundings::Surroundings;

use crate::args::{Applying, DoctorArgs, JobHostPlace, SetupJobHostArgs, SetupOutlet, SetupRunnerArgs};
use crate::commands::setup;
use crate::error::CommandError;
use crate::outside::Outside;
use crate::terminal::hand_out;

/// Whether a failed check, be it only a risk, names a set-up.
pub(super) fn has_work(report: &Report) -> bool {
    report.sections.iter().flat_map(|section| &section.checks).any(is_by_setup)
}

/// Carries out what `ecru setup` can put right, as that command does: with a diff, and a question.
pub(super) fn carry_out(
    report: &Report,
    args: &DoctorArgs,
    surroundings: &Surroundings,
    outside: &Outside,
) -> Result<(), CommandError> {
    let is_wanted = |context: Context| {
        let sections = report.sections.iter().filter(|section| section.context == context);
        sections.flat_map(|section| &section.checks).any(is_by_setup)
    };
    let remedy = is_wanted(Context::Runner).then(|| Facts::gather(surroundings).remedy()).flatten();
    let has_job_host = is_wanted(Context::JobHost);
    if remedy.is_none() && !has_job_host {
        hand_out("\nNothing of this can be put right by `ecru setup`.\n\n")?;
        return Ok(());
    }
    hand_out("\n")?;
    let applying =
        || Applying { root: surroundings.root.clone(), dry_run: false, yes: args.yes, undo: false };
    if let Some(remedy) = remedy {
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
            applying: applying(),
        };
        setup::runner::run(&request, outside)?;
        hand_out("\n")?;
    }
    if has_job_host {
        let request = SetupJobHostArgs {
            place: JobHostPlace::ThisHost,
            addresses: Vec::new(),
            runner: None,
            config: None,
            instance_profile: None,
            applying: applying(),
        };
        setup::job_host::run(&request, outside)?;
        hand_out("\n")?;
    }
    Ok(())
}

fn is_by_setup(check: &Check) -> bool {
    matches!(check.outcome, Outcome::Fail(_))
        && check.fixes.iter().any(|fix| matches!(fix, Fix::Command { by_setup: true, .. }))
}
