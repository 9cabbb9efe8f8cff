//! `ecru setup job-host`: hosts whose Docker engines run jobs, this one or those that the runner makes.

use std::fmt::Write as _;
use std::net::IpAddr;

use ecru_doctor::firewall::{EC2_METADATA, SCRIPT_FILE, UNIT};
use ecru_doctor::plan::Plan;
use ecru_doctor::setup_job_host::{
    JobHost, JobHostPlanError, RunnerRequest, hop_limit_command, plan, plan_for_runner,
};
use ecru_doctor::surroundings::Target;

use super::applying::{Texts, carry_out, take_back};
use super::runner_config;
use super::text::undo_command;
use crate::args::{JobHostPlace, SetupJobHostArgs};
use crate::error::CommandError;
use crate::exit_code;
use crate::outside::Outside;

/// As its command is called.
const SET_UP: &str = "job-host";

/// The file with the user data of docker+machine's hosts, beside the runner's `config.toml`.
const USER_DATA: &str = "ecru-user-data.sh";

/// Sets up; the exit code says whether everything is as it should be.
pub(in crate::commands) fn run(args: &SetupJobHostArgs, outside: &Outside) -> Result<u8, CommandError> {
    if args.applying.undo {
        return take_back(SET_UP, &args.applying, outside);
    }
    let addresses = if args.addresses.is_empty() { EC2_METADATA.to_vec() } else { args.addresses.clone() };
    match args.place {
        JobHostPlace::ThisHost => this_host(args, &addresses, outside),
        JobHostPlace::ConfigToml => config_toml(args, addresses, outside),
    }
}

fn this_host(args: &SetupJobHostArgs, addresses: &[IpAddr], outside: &Outside) -> Result<u8, CommandError> {
    let listed: Vec<String> = addresses.iter().map(ToString::to_string).collect();
    let found = format!("job host: containers are kept from {}", listed.join(" and "));
    let notes = [
        "containers in the host's own network, and jobs that have the engine's socket, get past a firewall"
            .to_owned(),
        "jobs that used the instance's role have no identity any more; those that need one get it by OIDC"
            .to_owned(),
        format!(
            "the metadata service itself keeps containers off with: {}",
            hop_limit_command("INSTANCE_ID")
        ),
    ];
    let root = &args.applying.root;
    let target = Target::at(root);
    let undo = undo_command(SET_UP, &target);
    let texts = Texts {
        set_up: SET_UP,
        shown: &|planned| shown(&found, planned, &notes),
        applied: if target.is_this_machine() {
            format!(
                "Done. Now the rules have to be applied: systemctl daemon-reload && systemctl restart {UNIT}\n\
                 To take it back: {SCRIPT_FILE} remove && {undo} && systemctl daemon-reload\n"
            )
        } else {
            format!("Done. That machine applies the rules when it starts Docker. To take it back: {undo}\n")
        },
    };
    carry_out(&args.applying, outside, || plan(root, addresses).map_err(|error| no_plan(&error)), &texts)
}

fn config_toml(
    args: &SetupJobHostArgs,
    addresses: Vec<IpAddr>,
    outside: &Outside,
) -> Result<u8, CommandError> {
    let root = &args.applying.root;
    let target = Target::at(root);
    let config = runner_config(root, args.config.as_deref(), outside)?;
    let user_data = config.with_file_name(USER_DATA);
    let host = JobHost::default().with_addresses(addresses);
    let request = RunnerRequest {
        root,
        config: &config,
        runner: args.runner.as_deref(),
        user_data: &user_data,
        instance_profile: args.instance_profile.as_deref(),
        host: &host,
    };
    let found = format!("hosts that the runner makes: {}", config.display());
    let notes = [
        "docker+machine: machines that are there keep what they were started with; with an instance profile the \
         runner needs iam:PassRole for its role"
            .to_owned(),
        "docker-autoscaler: user data (`ecru emit cloud-init`), instance profile and metadata options \
         (HttpTokens=required, HttpPutResponseHopLimit=1) belong into the launch template of the scaling group"
            .to_owned(),
    ];
    let texts = Texts {
        set_up: SET_UP,
        shown: &|planned| shown(&found, planned, &notes),
        applied: format!(
            "Done. To take it back: {}\nSettings of an autoscaler count after{}: systemctl restart gitlab-runner\n",
            undo_command(SET_UP, &target),
            if target.is_this_machine() { "" } else { ", on that machine" }
        ),
    };
    carry_out(&args.applying, outside, || plan_for_runner(&request).map_err(|error| no_plan(&error)), &texts)
}

fn shown(found: &str, planned: &Plan, notes: &[String]) -> String {
    let mut text = format!("{found}\n\n");
    if planned.is_empty() {
        text.push_str("Nothing to do: everything is as it should be.\n");
        return text;
    }
    text.push_str(&planned.diff());
    text.push('\n');
    for note in notes {
        let _ = writeln!(text, "note: {note}");
    }
    text
}

fn no_plan(error: &JobHostPlanError) -> CommandError {
    CommandError::from_error(exit_code::BAD_CONFIGURATION, error).maybe_hint(error.hint())
}
