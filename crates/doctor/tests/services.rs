//! The service on roots with units, with processes, in containers, and with nothing.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use ecru_doctor::service::{Kind, Orchestrator, Service, ServiceError, Surroundings, found};
use tempfile::TempDir;

const UNIT: &str = "[Unit]\nDescription=GitLab Runner\n\n[Service]\nExecStart=/usr/bin/gitlab-runner \"run\" \
     \"--config\" \"/etc/gitlab-runner/config.toml\" \"--user\" \"gitlab-runner\"\nEnvironmentFile=-/etc/sysconfig/gitlab-runner\n";
const PASSWD: &str = "root:x:0:0:root:/root:/bin/bash\nci:x:998:998::/srv/ci:/bin/sh\n";

struct Root(TempDir);

impl Root {
    fn with(files: &[(&str, &str)]) -> Self {
        let root = Self(tempfile::tempdir().unwrap());
        for (path, text) in [("/etc/passwd", PASSWD)].iter().chain(files) {
            let path = root.0.path().join(path.trim_start_matches('/'));
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        root
    }

    fn service_with(&self, variables: &[(&str, &str)]) -> Result<Service, ServiceError> {
        let variables: BTreeMap<String, String> =
            variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        found(&Surroundings { root: self.0.path(), variables: &variables, uid: 0 })
    }

    fn service(&self) -> Service {
        self.service_with(&[]).unwrap()
    }
}

fn folders(folders: &[&str]) -> Vec<PathBuf> {
    folders.iter().map(PathBuf::from).collect()
}

#[test]
fn the_package_s_unit_runs_as_root() {
    let service = Root::with(&[("/etc/systemd/system/gitlab-runner.service", UNIT)]).service();
    assert_eq!((service.uid, service.user.as_str(), service.kind), (0, "root", Kind::Systemd));
    assert_eq!(service.home, Path::new("/root"), "--user has no influence on what the runner reads");
    assert_eq!(service.path[..2], folders(&["/usr/local/sbin", "/usr/local/bin"]));
    assert_eq!(service.config, Path::new("/etc/gitlab-runner/config.toml"));
    assert_eq!(service.evidence, ["/etc/systemd/system/gitlab-runner.service"]);
}

#[test]
fn drop_ins_count_in_the_order_of_their_names() {
    let service = Root::with(&[
        ("/lib/systemd/system/gitlab-runner.service", UNIT),
        (
            "/etc/systemd/system/gitlab-runner.service.d/20-b.conf",
            "[Service]\nUser=ci\nEnvironment=PATH=/b \"X=1 2\"\n",
        ),
        (
            "/usr/lib/systemd/system/gitlab-runner.service.d/30-c.conf",
            "[Service]\nEnvironment=\\\n# why\n PATH=/c:/d:relative\n",
        ),
        ("/usr/lib/systemd/system/gitlab-runner.service.d/20-b.conf", "[Service]\nUser=nobody\n"),
        ("/etc/systemd/system/service.d/10-a.conf", "[Service]\nEnvironment=HOME=/a\n[Install]\nUser=x\n"),
    ])
    .service();
    assert_eq!((service.uid, service.home.as_path()), (998, Path::new("/a")));
    assert_eq!(service.path, folders(&["/c", "/d"]));
    assert_eq!(service.evidence.len(), 4);
}

#[test]
fn with_a_user_systemd_sets_home_and_an_empty_value_takes_back() {
    let unit = "[Service]\nUser=ci\nEnvironment=PATH=/x HOME=/y\nEnvironment=\nExecStart=\nExecStart=/gitlab-runner run -c relative.toml\nWorkingDirectory=/srv\n";
    let service = Root::with(&[("/etc/systemd/system/gitlab-runner.service", unit)]).service();
    assert_eq!(service.home, Path::new("/srv/ci"));
    assert_eq!(service.path[0], Path::new("/usr/local/sbin"));
    assert_eq!(service.config, Path::new("/srv/relative.toml"));
}

#[test]
fn environment_files_and_the_manager_s_defaults_count() {
    let service = Root::with(&[
        ("/etc/systemd/system.conf", "[Manager]\nDefaultEnvironment=PATH=/default HOME=/h\n"),
        ("/etc/systemd/system/gitlab-runner.service", UNIT),
        ("/etc/sysconfig/gitlab-runner", "# c\nPATH=\"/from/file\"\n"),
    ])
    .service();
    assert_eq!((service.path, service.home), (folders(&["/from/file"]), PathBuf::from("/h")));
}

#[test]
fn what_only_systemd_knows_is_not_guessed() {
    let unit = "[Service]\nEnvironment=HOME=%S/runner\n";
    let root = Root::with(&[("/etc/systemd/system/gitlab-runner.service", unit)]);
    assert!(matches!(root.service_with(&[]), Err(ServiceError::Specifier { .. })));
    let root = Root::with(&[("/etc/systemd/system/gitlab-runner.service", "")]);
    assert!(matches!(root.service_with(&[]), Err(ServiceError::Masked { .. })));
    let root = Root::with(&[("/etc/systemd/system/gitlab-runner.service", "[Service]\nUser=missing\n")]);
    assert!(matches!(root.service_with(&[]), Err(ServiceError::NoUser { .. })));
}

#[test]
fn without_a_unit_the_process_is_found() {
    let service = Root::with(&[
        ("/proc/7/comm", "sh\n"),
        ("/proc/42/comm", "gitlab-runner\n"),
        ("/proc/42/cmdline", "gitlab-runner\0run\0--config=/c/config.toml\0"),
        ("/proc/42/environ", "PATH=/bin\0HOME=/home/gitlab-runner\0"),
        ("/proc/42/status", "Name:\tgitlab-runner\nUid:\t998\t998\t998\t998\n"),
    ])
    .service();
    assert_eq!((service.uid, service.user.as_str(), service.kind), (998, "ci", Kind::Process));
    assert_eq!((service.home, service.path), (PathBuf::from("/home/gitlab-runner"), folders(&["/bin"])));
    assert_eq!(service.config, Path::new("/c/config.toml"));
}

#[test]
fn a_container_shares_its_environment() {
    let variables = [("PATH", "/usr/bin"), ("HOME", "/home/x")];
    for (name, orchestrator) in [
        ("ECS_CONTAINER_METADATA_URI_V4", Orchestrator::Ecs),
        ("KUBERNETES_SERVICE_HOST", Orchestrator::Kubernetes),
    ] {
        let service = Root::with(&[]).service_with(&[variables[0], variables[1], (name, "x")]).unwrap();
        assert_eq!((service.kind, service.home), (Kind::Container(orchestrator), PathBuf::from("/home/x")));
    }
    let service = Root::with(&[("/.dockerenv", "")]).service_with(&variables).unwrap();
    assert_eq!(service.kind, Kind::Container(Orchestrator::Unknown));
}

#[test]
fn where_there_is_nothing_nothing_is_guessed() {
    let variables = [("PATH", "/usr/bin"), ("HOME", "/home/x")];
    assert!(matches!(Root::with(&[]).service_with(&variables), Err(ServiceError::NotFound)));
}
