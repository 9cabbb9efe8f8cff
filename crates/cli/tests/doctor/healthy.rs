//! What `ecru setup runner` leaves behind is healthy, and what an operator does to it afterwards is seen.

use std::os::unix::fs::PermissionsExt as _;

use super::machine::{CONFIG, Machine, checks, failures};

#[tokio::test(flavor = "multi_thread")]
async fn what_setup_leaves_behind_is_healthy() {
    let machine = Machine::with_unit().await;
    machine.set_up();
    let diagnosis = machine.diagnosis(&[]);
    assert_eq!(failures(&diagnosis), Vec::<String>::new());
    assert_eq!(diagnosis["healthy"], true);
    assert_eq!(machine.doctor(&[]).code, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn fix_sets_up_a_machine_that_has_nothing() {
    let machine = Machine::with_unit().await;
    assert_eq!(machine.diagnosis(&[])["first_failure"], "runner.settings.named");
    let said = machine.doctor(&["--fix", "--yes"]);
    assert_eq!(said.code, Some(0), "{}{}", said.stdout, said.stderr);
    assert_eq!(machine.diagnosis(&[])["healthy"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn fix_changes_nothing_unless_it_is_told_to() {
    let machine = Machine::with_unit().await;
    let said = machine.doctor(&["--fix"]);
    assert_eq!(said.code, Some(1), "{}{}", said.stdout, said.stderr);
    assert!(said.stdout.contains("Nothing was changed"), "{}", said.stdout);
    assert!(!machine.place_of("/root/.docker/config.json").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn risks_are_told_and_are_no_failures() {
    let machine = Machine::with_unit().await;
    let open = "pull_policy = [\"always\", \"if-not-present\"]\nprivileged = true\nnetwork_mode = \"host\"\nvolumes = \
                [\"/var/run/docker.sock:/var/run/docker.sock\"]\n";
    machine.write("/etc/gitlab-runner/config.toml", &format!("{CONFIG}{open}"));
    machine.set_up();
    let diagnosis = machine.diagnosis(&[]);
    assert_eq!(failures(&diagnosis), Vec::<String>::new());
    let failed: Vec<String> = checks(&diagnosis)
        .into_iter()
        .filter(|check| check["outcome"] == "fail")
        .map(|check| check["id"].as_str().unwrap_or_default().to_owned())
        .collect();
    let expected = ["pull-policy", "privileged", "engine-socket", "host-network"];
    assert_eq!(failed, expected.map(|name| format!("runner.docker.{name}")));
}

/// The ids of the risks that are seen with this `config.toml`, on a machine that is set up.
async fn risks(config: &str) -> Vec<String> {
    let machine = Machine::with_unit().await;
    machine.set_up();
    machine.write("/etc/gitlab-runner/config.toml", config);
    risks_of(&machine)
}

fn risks_of(machine: &Machine) -> Vec<String> {
    let failed = checks(&machine.diagnosis(&["--no-exec"])).into_iter();
    let failed = failed.filter(|check| check["outcome"] == "fail" && check["weight"] == "risk");
    failed.map(|check| check["id"].as_str().unwrap_or_default().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_makes_a_job_root_is_told_whatever_it_is_called() {
    let docker = |lines: &str| format!("{CONFIG}{lines}\n");
    let kubernetes = |lines: &str| {
        format!("[[runners]]\nname = 'k'\nexecutor = 'kubernetes'\n[runners.kubernetes]\n{lines}\n")
    };
    let socket = "runner.docker.engine-socket";
    for (config, expected) in [
        (docker("volumes = ['/run:/run']"), vec![socket]),
        (docker("volumes = ['/:/host:ro']"), vec![socket]),
        (docker("services_privileged = true"), vec!["runner.docker.privileged"]),
        (format!("{CONFIG}[[runners]]\nname = 's'\nexecutor = 'shell'\n"), vec!["runner.executor.shell"]),
        (kubernetes("privileged = true"), vec!["runner.docker.privileged"]),
        (kubernetes("pull_policy = ['always', 'if-not-present']"), vec!["runner.docker.pull-policy"]),
        (kubernetes("[[runners.kubernetes.volumes.host_path]]\nhost_path = '/var/run'"), vec![socket]),
        (kubernetes("pull_policy = 'always'"), vec![]),
    ] {
        assert_eq!(risks(&config).await, expected, "{config}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_jobs_can_change_of_the_runners_files_is_told() {
    let helper = "/usr/local/bin/docker-credential-ecr-login";
    for (volume, is_open) in [
        (format!("{helper}:{helper}:ro"), false),
        (format!("{helper}:{helper}"), true),
        (format!("{helper}:{helper}:rw,z"), true),
        ("/etc/ecru/docker:/etc/ecru/docker".to_owned(), true),
        ("/etc/ecru/docker/config.json:/etc/ecru/docker/config.json:ro,z".to_owned(), false),
        ("/usr/local:/tools".to_owned(), true),
        ("/etc/gitlab-runner:/config".to_owned(), true),
        ("/root:/root".to_owned(), true),
        ("/srv/cache:/etc/ecru".to_owned(), false),
        ("/etc/ecru".to_owned(), false),
    ] {
        let seen = risks(&format!("{CONFIG}volumes = ['{volume}']\n")).await;
        let expected: &[&str] = if is_open { &["runner.docker.writable-mounts"] } else { &[] };
        assert_eq!(seen, expected, "{volume}");
    }
}

/// What comes before the helper on PATH, or above it, decides which program is started.
#[tokio::test(flavor = "multi_thread")]
async fn every_folder_that_leads_to_the_helper_counts() {
    let machine = Machine::with_unit().await;
    machine.set_up();
    machine.write("/usr/local/sbin/.keep", "");
    let mode = |path: &str, mode: u32| {
        let mode = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(machine.place_of(path), mode).expect("a mode");
    };
    for (path, open, is_seen) in [
        ("/usr/local/sbin", 0o777, true),
        ("/usr/local", 0o777, true),
        ("/usr/local/bin", 0o1777, true),
        ("/usr/local", 0o1777, false),
        ("/usr/bin", 0o777, false),
    ] {
        machine.write("/usr/bin/.keep", "");
        mode(path, open);
        let expected: &[&str] = if is_seen { &["runner.helper.owner"] } else { &[] };
        assert_eq!(risks_of(&machine), expected, "{path} {open:o}");
        mode(path, 0o755);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_programs_nobody_is_asked() {
    let machine = Machine::with_unit().await;
    machine.set_up();
    machine.emulator.reset_calls();
    let diagnosis = machine.diagnosis(&["--no-exec"]);
    assert_eq!(failures(&diagnosis), Vec::<String>::new());
    assert!(machine.emulator.requests().is_empty(), "AWS was asked");
    let credentials =
        checks(&diagnosis).into_iter().find(|check| check["id"] == "runner.registry.credentials");
    assert_eq!(credentials.expect("the check")["outcome"], "skipped");
}
