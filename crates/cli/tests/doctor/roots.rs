//! The contexts, and roots like those of busybox, Debian and distroless images, with systemd and without.

use ecru_emulator::Options;

use super::machine::{CONFIG, HOST, Machine, UNIT, check, failures};

/// What a runner's process has in its environment.
fn environ(machine: &Machine) -> String {
    let mut variables = vec![("PATH".to_owned(), "/usr/local/bin:/usr/bin:/bin".to_owned())];
    variables.push(("HOME".to_owned(), "/root".to_owned()));
    variables.extend(machine.emulator.environment());
    variables.iter().map(|(name, value)| format!("{name}={value}\0")).collect()
}

fn add_process(machine: &Machine) {
    machine.write("/proc/42/comm", "gitlab-runner\n");
    machine.write("/proc/42/cmdline", "gitlab-runner\0run\0");
    machine.write("/proc/42/environ", &environ(machine));
    machine.write("/proc/42/status", "Uid:\t0\t0\t0\t0\n");
}

async fn machine_with(files: &[(&str, &str)]) -> Machine {
    let machine = Machine::new(Options::default(), "ecru").await;
    machine.write("/usr/local/bin/.keep", "");
    machine.write("/etc/gitlab-runner/config.toml", CONFIG);
    files.iter().for_each(|(path, text)| machine.write(path, text));
    machine
}

#[tokio::test(flavor = "multi_thread")]
async fn a_set_up_runner_is_healthy_on_every_kind_of_root() {
    let busybox: &[(&str, &str)] = &[
        ("/bin/busybox", ""),
        ("/etc/passwd", "root:x:0:0:root:/root:/bin/sh\n"),
        ("/etc/group", "root:x:0:\n"),
    ];
    let debian: &[(&str, &str)] = &[
        ("/etc/os-release", "ID=debian\n"),
        ("/etc/passwd", "root:x:0:0:root:/root:/bin/bash\nwww-data:x:33:33::/var/www:/usr/sbin/nologin\n"),
        ("/usr/bin/dpkg", ""),
    ];
    // No shell, no accounts.
    let distroless: &[(&str, &str)] = &[("/etc/ssl/certs/ca-certificates.crt", "")];
    for (name, files) in [("busybox", busybox), ("Debian", debian), ("distroless", distroless)] {
        let machine = machine_with(files).await;
        add_process(&machine);
        machine.set_up();
        let diagnosis = machine.diagnosis(&[]);
        assert_eq!(failures(&diagnosis), Vec::<String>::new(), "{name}");
        assert_eq!(diagnosis["sections"][0]["context"], "runner", "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_unit_counts_before_a_process() {
    let machine = machine_with(&[("/etc/systemd/system/gitlab-runner.service", UNIT)]).await;
    add_process(&machine);
    let diagnosis = machine.diagnosis(&["--no-exec"]);
    let known = diagnosis["sections"][0]["known_by"].to_string();
    assert!(known.contains("gitlab-runner.service"), "{known}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_that_is_nothing_says_so() {
    let machine = machine_with(&[]).await;
    let said = machine.doctor(&[]);
    assert_eq!(said.code, Some(96), "{}{}", said.stdout, said.stderr);
    assert!(said.stderr.contains("--context runner"), "{}", said.stderr);
    let said = machine.doctor(&["--context", "runner"]);
    assert_eq!(said.code, Some(1), "{}{}", said.stdout, said.stderr);
    assert!(said.stdout.contains("known by --context"), "{}", said.stdout);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_can_be_runner_and_job_host() {
    let engine = ("/etc/systemd/system/docker.service", "[Service]\n");
    let machine = machine_with(&[("/etc/systemd/system/gitlab-runner.service", UNIT), engine]).await;
    let diagnosis = machine.diagnosis(&["--no-exec"]);
    let contexts: Vec<&str> = diagnosis["sections"]
        .as_array()
        .expect("sections")
        .iter()
        .filter_map(|section| section["context"].as_str())
        .collect();
    assert_eq!(contexts, ["runner", "job-host"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn files_can_be_named_by_their_places_here() {
    let machine = machine_with(&[("/srv/ci/config.toml", CONFIG), ("/srv/ci/home/.keep", "")]).await;
    let config = machine.place_of("/srv/ci/config.toml").display().to_string();
    let home = machine.place_of("/srv/ci/home").display().to_string();
    let diagnosis = machine.diagnosis(&["--config", &config, "--home", &home, "--no-exec"]);
    let place = diagnosis["sections"][0]["checks"][0]["evidence"].to_string();
    assert!(place.contains("config /srv/ci/config.toml") && place.contains("HOME /srv/ci/home"), "{place}");
    let fix = machine.diagnosis(&["--config", &config, "--home", &home, "--no-exec"]).to_string();
    assert!(fix.contains(&format!("--registry {HOST} --root")), "{fix}");
}

/// Whatever is written to a HOME that the service does not see, it would not read.
#[tokio::test(flavor = "multi_thread")]
async fn a_home_that_the_service_does_not_see_is_told_by_both_commands() {
    let machine = machine_with(&[("/etc/systemd/system/gitlab-runner.service", UNIT)]).await;
    let unit = "/etc/systemd/system/gitlab-runner.service.d/hard.conf";
    machine.write(unit, "[Service]\nProtectHome=yes\n");
    let diagnosis = machine.diagnosis(&["--no-exec"]);
    assert_eq!(diagnosis["first_failure"], "runner.service.found");
    let root = machine.root().display().to_string();
    let setup = ["setup", "runner", "--root", &root, "--registry", HOST, "--dry-run"];
    let said = machine.ecru(&setup, &[]);
    assert!(said.stdout.contains("note    the service does not see its HOME `/root`"), "{}", said.stdout);

    machine.write(unit, "[Service]\nDynamicUser=yes\n");
    let said = machine.ecru(&setup, &[]);
    assert!(said.code != Some(0) && said.stderr.contains("--home DIR"), "{}{}", said.stdout, said.stderr);
    assert!(!machine.place_of("/root").exists(), "nothing of it is root's");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_that_is_not_asked_may_have_an_identity() {
    let machine = machine_with(&[("/etc/systemd/system/gitlab-runner.service", UNIT)]).await;
    machine.set_up();
    let diagnosis = machine.diagnosis(&[]);
    assert_eq!(failures(&diagnosis), Vec::<String>::new());
    for id in ["runner.identity.found", "runner.registry.credentials"] {
        assert_eq!(check(&diagnosis, id)["outcome"], "skipped", "{diagnosis:#}");
    }
    // What a variable asks for is not left to the instance.
    let drop_in = "/etc/systemd/system/gitlab-runner.service.d/profile.conf";
    machine.write(drop_in, "[Service]\nEnvironment=AWS_PROFILE=nope\n");
    let diagnosis = machine.diagnosis(&[]);
    let identity = check(&diagnosis, "runner.identity.found");
    let reason = identity["reason"].as_str().expect("a reason");
    assert!(reason.ends_with("the profile `nope` has no credentials"), "{identity:#}");
}
