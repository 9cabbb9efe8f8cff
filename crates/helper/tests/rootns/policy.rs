//! The policy of `/etc/ecru/config.toml` from end to end: nothing that a user can write, set, ask for or call the program
//! widens it, and a file that a user can change stops everything.

use std::os::unix::fs::{PermissionsExt as _, chown, symlink};
use std::path::Path;
use std::process::Output;

use crate::empty_root::EmptyRoot;
use crate::stage::aws::{self, PASSWORD};
use crate::stage::responder::Responder;
use crate::stage::{FRANKFURT, FRANKFURT_OF_ANOTHER, NOT_FOUND, PUBLIC, Stage, VIRGINIA};

const USER: u32 = 1000;
const SYSTEM_FILE: &str = "etc/ecru/config.toml";
const USER_FILE: &str = "home/.config/ecru/config.toml";
const POLICY: &str = "[policy]\naccounts = ['000000000001']\nregions = ['eu-*']\npublic = false\n";

/// A machine whose administrator has laid down a policy, and an ordinary user on it.
struct Machine {
    root: EmptyRoot,
    aws: Responder,
    variables: Vec<(String, String)>,
}

impl Machine {
    fn new() -> Self {
        let root = EmptyRoot::new(true).with_user(USER);
        let aws = aws::proper();
        let mut stage = Stage::with(&aws);
        stage.set("HOME", "/home");
        let machine = Self { root, variables: stage.variables(), aws };
        machine.root.write(SYSTEM_FILE, POLICY);
        machine.set_mode(SYSTEM_FILE, 0o644);
        machine.set_mode("etc/ecru", 0o755);
        std::fs::create_dir(machine.root.path("home")).unwrap();
        machine.give_away("home");
        machine
    }

    fn set(&mut self, name: &str, value: &str) {
        self.variables.push((name.to_owned(), value.to_owned()));
    }

    fn set_mode(&self, name: &str, mode: u32) {
        std::fs::set_permissions(self.root.path(name), std::fs::Permissions::from_mode(mode)).unwrap();
    }

    fn give_away(&self, name: &str) {
        chown(self.root.path(name), Some(USER), Some(USER)).unwrap();
    }

    fn write_user_file(&self, name: &str, content: &str) {
        let path = self.root.write(name, content);
        let below_home = path.ancestors().take_while(|path| *path != self.root.path(""));
        below_home.for_each(|path: &Path| chown(path, Some(USER), Some(USER)).unwrap());
    }

    /// What is kept of what went wrong.
    fn records(&self) -> Vec<serde_json::Value> {
        let folder = std::fs::read_dir(self.root.path("home/.cache/ecru/failures")).unwrap();
        let texts = folder.map(|entry| std::fs::read(entry.unwrap().path()).unwrap());
        texts.map(|text| serde_json::from_slice(&text).unwrap()).collect()
    }

    fn get(&self, request: &str) -> Output {
        self.root.run(&self.variables, "get", request)
    }

    #[track_caller]
    fn assert_allows(&self, request: &str) {
        let output = self.get(request);
        assert!(output.status.success(), "{request}: {output:?}");
        let answer: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(answer["Secret"], PASSWORD, "{request}");
    }

    /// Asks for something, and makes sure that nothing is handed out, that AWS is not asked, and that standard error
    /// says why.
    #[track_caller]
    fn assert_refuses(&self, what: &str, request: &str, why: &str) {
        let calls = self.aws.count();
        let output = self.get(request);
        assert_eq!(output.status.code(), Some(1), "{what}: {output:?}");
        assert_eq!(String::from_utf8_lossy(&output.stdout), NOT_FOUND, "{what}");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(stderr.contains(why), "{what}: `{why}` is not in: {stderr}");
        assert_eq!(self.aws.count(), calls, "{what}: AWS was asked");
    }
}

const FORBIDDEN: &str = "the policy of this machine does not allow";

#[test]
#[ignore = "needs root, for chroot and a file of root's"]
fn a_request_cannot_widen_the_policy() {
    let machine = Machine::new();
    machine.assert_allows(FRANKFURT);
    // One token opens the registries of all accounts of a region, and it is in the cache now.
    for request in [
        FRANKFURT_OF_ANOTHER.to_owned(),
        FRANKFURT_OF_ANOTHER.to_uppercase(),
        format!("https://{FRANKFURT_OF_ANOTHER}:443/team/app"),
        "000000000002.dkr-ecr.eu-central-1.on.aws".to_owned(),
        "000000000002.dkr.ecr-fips.us-east-1.amazonaws.com".to_owned(),
        VIRGINIA.to_owned(),
        PUBLIC.to_owned(),
        "ecr-public.aws.com".to_owned(),
    ] {
        machine.assert_refuses(&request, &request, FORBIDDEN);
    }
    machine.assert_allows(FRANKFURT);
    assert_eq!(machine.aws.count(), 1);
    let records = machine.records();
    assert!(!records.is_empty() && records.iter().all(|record| record["kind"] == "policy"), "{records:?}");
}

#[test]
#[ignore = "needs root, for chroot and a file of root's"]
fn a_file_of_the_user_s_cannot_widen_the_policy() {
    let registry = FRANKFURT_OF_ANOTHER;
    for (content, request, why) in [
        (format!("registries = ['{registry}']\n"), registry, FORBIDDEN),
        (format!("[alias]\n'mirror.example' = '{registry}'\n"), "mirror.example", FORBIDDEN),
        ("[[registry]]\nmatch = '*'\nsource = 'environment'\n".to_owned(), registry, FORBIDDEN),
        ("on_error = 'not-found'\n[fallback]\nauths = '/home/auths.json'\n".to_owned(), registry, FORBIDDEN),
        ("[policy]\n".to_owned(), registry, "a policy only counts in /etc/ecru/config.toml"),
        ("[policy]\naccounts = ['000000000002']\n".to_owned(), FRANKFURT, "a policy only counts in"),
        (
            "[[partition]]\nname = 'aws-mine'\nsuffix = 'amazonaws.com'\napi_suffix = 'x.example'\nregions = ['*']\n"
                .to_owned(),
            registry,
            "belongs to the partition `aws`",
        ),
    ] {
        let mut machine = Machine::new();
        machine.write_user_file("home/auths.json", &format!(r#"{{"auths":{{"{registry}":{{"auth":"dTpw"}}}}}}"#));
        machine.write_user_file(USER_FILE, &content);
        machine.assert_refuses(&content, request, why);

        // The same where a variable names the file.
        std::fs::rename(machine.root.path(USER_FILE), machine.root.path("home/named.toml")).unwrap();
        machine.set("ECRU_CONFIG", "/home/named.toml");
        machine.assert_refuses(&content, request, why);
    }
}

#[test]
#[ignore = "needs root, for chroot and a file of root's"]
fn variables_and_the_program_s_name_cannot_widen_the_policy() {
    for (name, value) in [
        ("XDG_CONFIG_HOME", "/home/none"),
        ("HOME", "/none"),
        ("ECRU_SOURCE", "environment"),
        ("ECRU_LOG", "trace"),
        ("AWS_ECR_DISABLE_CACHE", "1"),
        ("AWS_ECR_IGNORE_CREDS_STORAGE", "true"),
        ("AWS_USE_DUALSTACK_ENDPOINT", "true"),
    ] {
        let mut machine = Machine::new();
        machine.set(name, value);
        machine.assert_refuses(name, FRANKFURT_OF_ANOTHER, FORBIDDEN);
        machine.assert_allows(FRANKFURT);
    }
    let mut machine = Machine::new();
    machine.write_user_file(USER_FILE, "[profile.team]\nsource = 'environment'\n");
    machine.root.call_as("team");
    machine.assert_refuses("the program's name", FRANKFURT_OF_ANOTHER, FORBIDDEN);
    machine.assert_allows(FRANKFURT);
    // The system's own file counts once, under its own rules, also where it is the user's or is named.
    for (name, value) in [("XDG_CONFIG_HOME", "/etc"), ("ECRU_CONFIG", "/etc/ecru/config.toml")] {
        let mut machine = Machine::new();
        machine.set(name, value);
        machine.assert_refuses(name, FRANKFURT_OF_ANOTHER, FORBIDDEN);
        machine.assert_allows(FRANKFURT);
        machine.give_away(SYSTEM_FILE);
        machine.assert_refuses(name, FRANKFURT, "does not count");
    }
}

#[test]
#[ignore = "needs root, for chroot and a file of root's"]
fn what_is_forbidden_is_not_listed() {
    let machine = Machine::new();
    machine.write_user_file(
        USER_FILE,
        &format!(
            "registries = ['{FRANKFURT}', '{FRANKFURT_OF_ANOTHER}', '{VIRGINIA}', '{PUBLIC}']\n             [alias]\n'mirror.example' = '{VIRGINIA}'\n"
        ),
    );
    let output = machine.root.run(&machine.variables, "list", "");
    let list = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!((output.status.code(), list), (Some(0), format!("{{\"https://{FRANKFURT}\":\"AWS\"}}\n")));

    // Nor where the fallback knows something of it.
    let auths =
        format!(r#"{{"auths":{{"https://{VIRGINIA}/v1/":{{"auth":"dTpw"}},"ghcr.io":{{"auth":"dTpw"}}}}}}"#);
    machine.write_user_file("home/auths.json", &auths);
    machine.write_user_file(
        USER_FILE,
        &format!("registries = ['{FRANKFURT}']\n[fallback]\nauths = '/home/auths.json'\n"),
    );
    let output = machine.root.run(&machine.variables, "list", "");
    let list: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let servers: Vec<&String> = list.as_object().unwrap().keys().collect();
    assert_eq!(servers, [&"ghcr.io".to_owned(), &format!("https://{FRANKFURT}")]);
}

#[test]
#[ignore = "needs root, for chroot and a file of root's"]
fn nobody_is_asked_for_an_own_registry_that_cannot_be_listed() {
    for (policy, region, list, why) in [
        (POLICY, "eu-central-1", format!("{{\"https://{FRANKFURT}\":\"AWS\"}}\n"), ""),
        (POLICY, "us-east-1", "{}\n".to_owned(), "does not allow the region us-east-1"),
        (
            "[policy]\nregions = []\n",
            "eu-central-1",
            "{}\n".to_owned(),
            "does not allow the region eu-central-1",
        ),
        ("[policy]\naccounts = []\n", "eu-central-1", "{}\n".to_owned(), "allows no account"),
    ] {
        let mut machine = Machine::new();
        machine.root.write(SYSTEM_FILE, policy);
        machine.set("AWS_REGION", region);
        let output = machine.root.run(&machine.variables, "list", "");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!((output.status.code(), String::from_utf8_lossy(&output.stdout)), (Some(0), list.into()));
        assert!(stderr.contains(why), "{policy} {region}: {stderr}");
        assert_eq!(machine.aws.count(), usize::from(why.is_empty()), "{policy} {region}: AWS was asked");
    }
}

#[test]
#[ignore = "needs root, for chroot and a file of root's"]
fn a_system_s_file_that_a_user_can_change_stops_everything() {
    let machine = Machine::new();
    machine.assert_allows(FRANKFURT);
    for name in [SYSTEM_FILE, "etc/ecru"] {
        machine.give_away(name);
        machine.assert_refuses("a file of the user's", FRANKFURT, "does not count");
        chown(machine.root.path(name), Some(0), Some(0)).unwrap();
        for mode in [0o775, 0o757, 0o777, 0o1777] {
            machine.set_mode(name, mode);
            machine.assert_refuses(&format!("{name} of mode {mode:o}"), FRANKFURT, "does not count");
        }
        machine.set_mode(name, 0o755);
        machine.assert_allows(FRANKFURT);
    }
    // A policy that cannot be read is not one that allows everything.
    machine.set_mode(SYSTEM_FILE, 0o600);
    machine.assert_refuses("a file that only root can read", FRANKFURT, "cannot be read");
    machine.set_mode(SYSTEM_FILE, 0o644);
    machine.set_mode("etc/ecru", 0o700);
    machine.assert_refuses("a folder that only root can enter", FRANKFURT, "cannot be read");
    machine.set_mode("etc/ecru", 0o755);
    // Nor is one whose link leads nowhere, or to where a user can put something.
    let file = machine.root.path(SYSTEM_FILE);
    std::fs::remove_file(&file).unwrap();
    symlink("/nonexistent", &file).unwrap();
    machine.assert_refuses("a link that leads nowhere", FRANKFURT, "is a link that leads nowhere");
    std::fs::remove_file(&file).unwrap();
    machine.root.write("srv/config.toml", POLICY);
    machine.set_mode("srv/config.toml", 0o644);
    machine.set_mode("srv", 0o755);
    symlink("/srv/config.toml", &file).unwrap();
    machine.assert_allows(FRANKFURT);
    machine.give_away("srv");
    machine.assert_refuses("a link into a user's folder", FRANKFURT, "`/srv` belongs to user 1000, not 0");
    // Without a file there is no policy, which the tests above would not tell from one that forbids nothing.
    std::fs::remove_dir_all(machine.root.path("etc/ecru")).unwrap();
    machine.assert_allows(FRANKFURT_OF_ANOTHER);
}
