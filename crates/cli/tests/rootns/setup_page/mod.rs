//! The story of `docs/SETUP.md`: a fresh machine is set up as the page says, line by line. Then a job gets its image and
//! its service by what was set up on the runner, and pushes an image by what was set up for jobs; `ecru doctor` finds
//! nothing wrong on the runner, on the job host and in the job; and all of it is taken back.
//!
//! What the page does not say is what emulated AWS needs: where its metadata and its authority are, and a role.

mod machine;
mod page;

use serde_json::Value;

use self::machine::{AUTHORITY, CONFIG, METADATA, Machine, Said};
use self::page::Page;
use crate::aws::{HOME_REGISTRY, INSTANCE_ROLE};
use crate::workstation::{ANSWER, Workstation};

/// A risk that no set-up takes away: it depends on how old the Docker of the machine is that runs the test.
const DOCKER_IS_OLD: &str = "job-host.engine.version";

const ROLE: &str = "gitlab";
const ROLE_ARN: &str = "arn:aws:iam::000000000000:role/gitlab";

pub(crate) fn play() {
    let workstation = Workstation::new();
    for image in [workstation.job_image(), workstation.service_image(HOME_REGISTRY)] {
        workstation.docker(&["push", &image]);
        workstation.forget(&image);
    }
    let machine = Machine::fresh(&workstation);
    let fresh = machine.files();
    let mut page = Page::read(HOME_REGISTRY);

    runner_is_set_up(&machine, &mut page, &workstation);
    job_host_is_set_up(&machine, &mut page);
    jobs_are_set_up(&machine, &mut page);
    job_runs(&machine, &mut page, &workstation);
    assert_eq!(failures(&diagnosis(&machine, &mut page, "runner")), ["runner.docker.engine-socket"]);
    assert_eq!(failures(&diagnosis(&machine, &mut page, "job-host")), Vec::<String>::new());
    page.ends();

    for set_up in ["job", "job-host", "runner"] {
        assert_eq!(machine.types(&format!("ecru setup {set_up} --undo")).code, Some(0));
    }
    assert!(machine.files() == fresh, "every file is as it was");
    workstation.end();
}

fn runner_is_set_up(machine: &Machine<'_>, page: &mut Page, workstation: &Workstation) {
    // The helper would not speak plain HTTP to what is neither this machine nor link-local.
    let metadata = format!("http://127.0.0.1:{}", workstation.aws.main_port());
    let emulated = format!(
        " --aws-env AWS_EC2_METADATA_SERVICE_ENDPOINT={metadata} --aws-env AWS_CA_BUNDLE={AUTHORITY}"
    );
    let fresh = machine.files();
    let shown = plan_is_shown(machine, &(page.next("ecru setup runner --registry") + &emulated));
    // The identity gets the policy that is printed with the plan, and nothing else.
    workstation.aws.limit_role(INSTANCE_ROLE, vec![json_in(&shown.stdout)]);
    let apply = page.next("ecru setup runner --registry") + &emulated;
    assert_eq!(machine.types(&apply).code, Some(0));
    assert_eq!(machine.types(&page.next("ecru setup runner --undo")).code, Some(0));
    assert!(machine.files() == fresh, "every file is as it was");
    assert_eq!(machine.types(&apply).code, Some(0));
}

fn job_host_is_set_up(machine: &Machine<'_>, page: &mut Page) {
    let emulated = format!(" --metadata-address {METADATA}");
    plan_is_shown(machine, &(page.next("ecru setup job-host") + &emulated));
    assert_eq!(machine.types(&(page.next("ecru setup job-host") + &emulated)).code, Some(0));
    let before = machine.types("ecru doctor --context job-host --format json");
    assert!(failures(&report(&before)).contains(&"job-host.firewall.in-force".to_owned()));
    machine.starts_the_firewall(&page.next("systemctl"));
    assert_eq!(failures(&diagnosis(machine, page, "job-host")), Vec::<String>::new());
}

fn jobs_are_set_up(machine: &Machine<'_>, page: &mut Page) {
    let further = format!(" --role-arn {ROLE_ARN} --engine-socket");
    plan_is_shown(machine, &(page.next("ecru setup job ") + &further));
    assert_eq!(machine.types(&(page.next("ecru setup job ") + &further)).code, Some(0));
}

fn job_runs(machine: &Machine<'_>, page: &mut Page, workstation: &Workstation) {
    let policy = |purpose: &str| {
        machine.types(&format!("ecru emit iam-policy {purpose} --registry {HOME_REGISTRY}")).stdout
    };
    workstation.aws.limit_role(ROLE, vec![policy("pull"), policy("push")]);
    let doctor = "ecru doctor --context job\n";
    assert!(page.pipeline.contains(doctor), "the page's job looks at itself");
    let pipeline = page.pipeline.replace(doctor, "ecru doctor --context job --format json\n");
    std::fs::write(machine.folder().join(".gitlab-ci.yml"), pipeline).unwrap();

    let command = page.next("ecru run publish");
    assert!(command.contains(CONFIG), "the job runs with what was set up");
    let said = machine.types_as_service(&(command + " --plain"));
    assert_eq!(said.code, Some(0));
    let by_set_up = said.stderr.matches("credentials from /root/.docker/config.json").count();
    assert_eq!(by_set_up, 2, "image and service come by the runner's own file");
    assert!(!said.stderr.contains("stands in"), "the helper is the one that was set up");
    assert!(said.stdout.lines().any(|line| line == ANSWER), "the service answers");
    assert_eq!(failures(&report(&said)), Vec::<String>::new());

    // By other credentials and another client, what the job pushed is there.
    workstation.docker(&["pull", &format!("{HOME_REGISTRY}/team/result:1")]);
}

fn plan_is_shown(machine: &Machine<'_>, command: &str) -> Said {
    assert!(command.contains("--dry-run"), "{command}");
    let before = machine.files();
    let shown = machine.types(command);
    assert_eq!(shown.code, Some(5));
    assert!(machine.files() == before, "nothing is changed");
    shown
}

/// What the page's `ecru doctor` for this context finds.
fn diagnosis(machine: &Machine<'_>, page: &mut Page, context: &str) -> Value {
    let command = page.next(&format!("ecru doctor --context {context}"));
    let said = machine.types(&(command + " --format json"));
    assert_eq!(said.code, Some(0));
    report(&said)
}

fn report(said: &Said) -> Value {
    serde_json::from_str(&json_in(&said.stdout)).unwrap()
}

/// The JSON object that stands between other lines of `text`.
fn json_in(text: &str) -> String {
    let text = format!("\n{text}");
    let (_, object) = text.split_once("\n{\n").unwrap();
    let (members, _) = object.split_once("\n}").unwrap();
    format!("{{\n{members}\n}}")
}

/// The checks that failed, be it only as a risk.
fn failures(report: &Value) -> Vec<String> {
    let sections = report["sections"].as_array().unwrap().iter();
    let checks = sections.flat_map(|section| section["checks"].as_array().unwrap());
    let failed = checks.filter(|check| check["outcome"] == "fail" && check["id"] != DOCKER_IS_OLD);
    failed.map(|check| check["id"].as_str().unwrap().to_owned()).collect()
}
