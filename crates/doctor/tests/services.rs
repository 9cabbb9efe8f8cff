//! The service on roots with units, with processes, in containers, and with nothing.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::BTreeMap;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use ecru_doctor::service::{Kind, Orchestrator, Service, ServiceError, Surroundings, Trouble, chosen, found};
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

    /// With `--home` and `--config`.
    fn chosen(&self, home: &str, config: Option<&str>) -> Result<Service, ServiceError> {
        let variables = BTreeMap::new();
        let surroundings = Surroundings { root: self.path(), variables: &variables, uid: 0 };
        chosen(&surroundings, Some(Path::new(home)), config.map(Path::new))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn link(&self, link: &str, target: impl AsRef<Path>) {
        let link = self.path().join(link.trim_start_matches('/'));
        std::fs::create_dir_all(link.parent().unwrap()).unwrap();
        symlink(target, link).unwrap();
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
    let unit = "[Service]\nEnvironment=HOME=%b/runner\nExecStart=/bin/gitlab-runner run\n";
    let root = Root::with(&[("/etc/systemd/system/gitlab-runner.service", unit)]);
    assert!(matches!(root.service_with(&[]), Err(ServiceError::Specifier { .. })));
    let root = Root::with(&[("/etc/systemd/system/gitlab-runner.service", "")]);
    assert!(matches!(root.service_with(&[]), Err(ServiceError::Masked { .. })));
    let unit = "[Service]\nUser=missing\nExecStart=/bin/gitlab-runner run\n";
    let root = Root::with(&[("/etc/systemd/system/gitlab-runner.service", unit)]);
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
    assert_eq!((service.uid, service.user.as_str(), service.kind), (998, "ci", Kind::Process(None)));
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

const WRAPPED: (&str, &str) =
    ("/etc/systemd/system/gitlab-runner.service", "[Service]\nExecStart=/usr/local/bin/start-runner.sh\n");
const PROCESS: [(&str, &str); 4] = [
    ("/proc/9/comm", "gitlab-runner\n"),
    ("/proc/9/cmdline", "gitlab-runner\0run\0--config\0/srv/runner/c.toml\0"),
    ("/proc/9/environ", "HOME=/srv/runner\0PATH=/opt/r:/usr/bin\0AWS_PROFILE=ci\0"),
    ("/proc/9/status", "Uid:\t0\t0\t0\t0\n"),
];

#[test]
fn of_a_unit_that_starts_a_script_what_runs_counts() {
    let service = Root::with(&[&[WRAPPED][..], &PROCESS].concat()).service();
    assert_eq!((service.kind, service.home.as_path()), (Kind::Systemd, Path::new("/srv/runner")));
    assert_eq!(service.path, folders(&["/opt/r", "/usr/bin"]));
    assert_eq!(service.config, Path::new("/srv/runner/c.toml"));
    assert_eq!(service.variables.get("AWS_PROFILE"), Some("ci"));
    assert!(service.evidence.iter().any(|line| line.contains("start-runner.sh")), "{:?}", service.evidence);
}

#[test]
fn of_a_unit_that_starts_a_script_nothing_is_guessed() {
    let foreign = ("/proc/9/cgroup", "0::/system.slice/docker-1.scope\n");
    for files in [vec![WRAPPED], [&[WRAPPED, foreign][..], &PROCESS].concat()] {
        let root = Root::with(&files);
        let error = root.service_with(&[]).unwrap_err();
        assert!(matches!(error, ServiceError::Wrapper { .. }), "{error}");
        assert!(matches!(root.chosen("/etc", None), Err(ServiceError::Wrapper { .. })));
        let service = root.chosen("/etc", Some("/c.toml")).unwrap();
        assert_eq!((service.home, service.config), (PathBuf::from("/etc"), PathBuf::from("/c.toml")));
    }
    for start in ["/bin/sh -c \"exec gitlab-runner run --config=/srv/c.toml\"", "/usr/bin/gitlab-runner run"]
    {
        let unit = format!("[Service]\nExecStart={start}\n");
        let script = ("/usr/bin/gitlab-runner", "#!/bin/sh\nHOME=/x exec real run\n");
        let root = Root::with(&[("/etc/systemd/system/gitlab-runner.service", &unit), script]);
        assert!(matches!(root.service_with(&[]), Err(ServiceError::Wrapper { .. })), "{start}");
    }
}

#[test]
fn env_before_the_program_counts() {
    let unit = "[Service]\nEnvironment=C=/srv/c.toml\nExecStart=/usr/bin/env HOME=/srv/runner PATH=/opt/r gitlab-runner run --config ${C}\n";
    let service = Root::with(&[("/etc/systemd/system/gitlab-runner.service", unit)]).service();
    assert_eq!((service.home, service.path), (PathBuf::from("/srv/runner"), folders(&["/opt/r"])));
    assert_eq!(service.config, Path::new("/srv/c.toml"));
}

#[test]
fn what_runs_otherwise_than_its_unit_says_is_told() {
    let unit = ("/etc/systemd/system/gitlab-runner.service", UNIT);
    let of_unit = ("/proc/9/cgroup", "0::/system.slice/gitlab-runner.service\n");
    let service = Root::with(&[&[unit, of_unit][..], &PROCESS].concat()).service();
    assert_eq!(service.home, Path::new("/root"), "the unit counts for the next start");
    let what = ["HOME", "PATH", "the configuration", "AWS_PROFILE"].map(str::to_owned).to_vec();
    assert_eq!(service.troubles, [Trouble::Differs { number: 9, what }]);

    let merged = ("/proc/9/environ", "HOME=/root\0PATH=/usr/local/bin:/usr/bin\0");
    let same = ("/proc/9/cmdline", "gitlab-runner\0run\0");
    let service = Root::with(&[&[unit, of_unit][..], &PROCESS, &[merged, same]].concat()).service();
    assert_eq!(service.troubles, [], "systemd's own PATH depends on how it was built");

    let of_another = ("/proc/9/cgroup", "0::/system.slice/docker-1.scope\n");
    let service = Root::with(&[&[unit, of_another][..], &PROCESS].concat()).service();
    assert_eq!(service.troubles, [], "the process of a container is none of the unit's");
}

#[test]
fn specifiers_matter_only_where_the_value_does() {
    let file = |line: &str| format!("[Service]\n{line}\nExecStart=/bin/gitlab-runner run\n");
    let root = |line: &str| Root::with(&[("/etc/systemd/system/gitlab-runner.service", &file(line))]);
    let service = root("Environment=ID=%b AWS_PROFILE=%p\"").service();
    assert_eq!(
        (service.variables.get("ID"), service.variables.get("AWS_PROFILE")),
        (None, Some("gitlab-runner"))
    );
    assert!(service.evidence.iter().any(|line| line.starts_with("ID is left out")), "{:?}", service.evidence);
    assert_eq!(root("Environment=HOME=%S/runner").service().home, Path::new("/var/lib/runner"));
    for line in ["Environment=HOME=%b", "User=%b", "User=missing"] {
        let root = root(line);
        assert!(root.service_with(&[]).is_err(), "{line}");
        assert_eq!(root.chosen("/etc", None).unwrap().home, Path::new("/etc"), "{line}");
    }
    let error = root("Environment=PATH=%b").chosen("/etc", None).unwrap_err();
    assert!(!error.hint().unwrap().contains("--home"), "{error}");
}

#[test]
fn environment_files_can_be_many_or_missing() {
    let unit = "[Service]\nEnvironmentFile=/etc/env.d/*.env\nEnvironmentFile=-/none\nEnvironmentFile=/gone\nExecStart=/bin/gitlab-runner run\n";
    let unit = ("/etc/systemd/system/gitlab-runner.service", unit);
    let service = Root::with(&[
        unit,
        ("/etc/env.d/1.env", "HOME=/one\n"),
        ("/etc/env.d/2.env", "HOME=/two\n"),
        ("/etc/env.d/3.conf", "HOME=/three\n"),
        ("/etc/systemd/system.conf.d/a.conf", "[Manager]\nDefaultEnvironment=AWS_REGION=a\n"),
    ])
    .service();
    assert_eq!((service.home.as_path(), service.variables.get("AWS_REGION")), (Path::new("/two"), Some("a")));
    let gone = Trouble::MissingFile { file: "/gone".to_owned(), unit: PathBuf::from(unit.0) };
    assert_eq!(service.troubles, [gone]);
}

#[test]
fn links_are_followed_below_the_root() {
    let root = Root::with(&[(
        "/opt/units/runner.service",
        "[Service]\nUser=ci\nExecStart=/bin/gitlab-runner run\n",
    )]);
    root.link("/etc/systemd/system/gitlab-runner.service", "/opt/units/runner.service");
    root.link("/etc/systemd/system/gitlab-runner.service.d/x.conf", "/dev/null");
    assert_eq!(root.service().user, "ci");

    let root = Root::with(&[]);
    root.link("/etc/systemd/system/gitlab-runner.service", "/opt/units/none.service");
    assert!(matches!(root.service_with(&[]), Err(ServiceError::Unreadable { .. })));
    let root = Root::with(&[]);
    root.link("/etc/systemd/system/gitlab-runner.service", "/dev/null");
    assert!(matches!(root.service_with(&[]), Err(ServiceError::Masked { .. })));
}

#[test]
fn a_process_in_a_container_is_known_as_one() {
    let root = Root::with(&PROCESS);
    root.link("/proc/9/root", root.path());
    assert_eq!(root.service().kind, Kind::Process(None));
    std::fs::write(root.path().join(".dockerenv"), "").unwrap();
    assert_eq!(root.service().kind, Kind::Process(Some(Orchestrator::Unknown)), "together with this command");

    let (root, other) = (Root::with(&PROCESS), Root::with(&[]));
    root.link("/proc/9/root", other.path());
    let error = root.service_with(&[]).unwrap_err();
    assert!(error.hint().unwrap().contains("--root /proc/9/root"), "{error}");
    assert!(matches!(root.chosen("/etc", None), Err(ServiceError::NoPath)), "the one of the given home");
}

#[test]
fn a_home_that_the_unit_hides_is_told() {
    let place = "/etc/systemd/system/gitlab-runner.service.d/hard.conf";
    let troubles = |lines: &str| {
        let unit = ("/etc/systemd/system/gitlab-runner.service", UNIT);
        Root::with(&[unit, (place, &format!("[Service]\n{lines}\n"))]).service().troubles
    };
    for lines in [
        "ProtectHome=yes",
        "ProtectHome=True",
        "ProtectHome=tmpfs",
        "ProtectHome=yes\nProtectHome=\nBindPaths=/root",
        "User=ci\nEnvironment=HOME=/home/ci\nProtectHome=1",
        "InaccessiblePaths=/opt -/root",
        "TemporaryFileSystem=/root:ro",
        "User=ci\nInaccessiblePaths=+/srv",
    ] {
        let found = troubles(lines);
        let [trouble @ Trouble::HiddenHome { unit, .. }] = found.as_slice() else {
            panic!("{lines}: {found:?}")
        };
        assert_eq!((unit.as_path(), trouble.command()), (Path::new(place), None), "{lines}");
        assert!(trouble.advice().unwrap().contains("HOME"), "{lines}");
    }
    for lines in [
        "ProtectHome=read-only",
        "ProtectHome=no",
        "ProtectHome=yes\nProtectHome=off",
        "ProtectHome=yes\nEnvironment=HOME=/var/lib/runner",
        "ProtectHome=tmpfs\nBindPaths=/srv:/root /root",
        "ProtectHome=tmpfs\nBindReadOnlyPaths=-/srv/root:/root:rbind",
        "InaccessiblePaths=/root\nInaccessiblePaths=",
        "InaccessiblePaths=/root/secret /roo",
    ] {
        assert_eq!(troubles(lines), [], "{lines}");
    }
}

#[test]
fn a_user_that_is_made_at_the_start_is_that_of_the_process() {
    let unit = format!("{UNIT}DynamicUser=yes\n");
    let unit = ("/etc/systemd/system/gitlab-runner.service", unit.as_str());
    let root = Root::with(&[unit]);
    let error = root.service_with(&[]).unwrap_err();
    assert!(matches!(error, ServiceError::DynamicUser { .. }), "{error}");
    assert!(error.hint().unwrap().contains("--home"));
    assert_eq!(root.chosen("/etc", None).unwrap().home, Path::new("/etc"));

    let dynamic = ("/proc/9/status", "Uid:\t61234\t61234\t61234\t61234\n");
    let service = Root::with(&[&[unit][..], &PROCESS, &[dynamic]].concat()).service();
    assert_eq!((service.uid, service.home.as_path()), (61234, Path::new("/srv/runner")));
    assert_eq!(service.kind, Kind::Systemd);

    let fixed = ("/etc/passwd", "gitlab-runner:x:997:997::/srv/ci:/bin/sh\n");
    let service = Root::with(&[unit, fixed]).service();
    assert_eq!((service.uid, service.home.as_path()), (997, Path::new("/srv/ci")), "an account of that name");
}
