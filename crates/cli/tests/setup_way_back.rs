//! `ecru setup … --undo` as a program: what stands in the helper's place, what a failure leaves behind, and commands that
//! name the machine they are for.

#![expect(clippy::expect_used, reason = "a test that cannot go on has failed")]

use std::collections::BTreeMap;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use ecru_testkit::{Entry, Sandbox, tree};

const UNIT: &str =
    "[Service]\nExecStart=/usr/bin/gitlab-runner run --config /etc/gitlab-runner/config.toml\n";
const FIRST: &str = "111122223333.dkr.ecr.eu-west-1.amazonaws.com";
const HELPER: &str = "/usr/local/bin/docker-credential-ecr-login";
const CONFIG: &str = "/etc/gitlab-runner/config.toml";
const RUNNERS: &str =
    "[[runners]]\n  name = \"one\"\n  executor = \"docker\"\n  [runners.docker]\n    image = \"alpine:3\"\n";
/// Both have the helper's program among their files.
const SET_UPS: [&str; 2] = ["runner", "job"];

struct Machine {
    sandbox: Sandbox,
    root: PathBuf,
}

impl Machine {
    fn new() -> Self {
        Self::at("root")
    }

    fn at(root: &str) -> Self {
        let sandbox = Sandbox::new();
        let root = sandbox.root().join(root);
        let machine = Self { sandbox, root };
        std::fs::create_dir_all(machine.path("/root")).expect("a folder");
        machine.write("/usr/local/bin/ecru", "ecru");
        machine.write("/etc/systemd/system/gitlab-runner.service", UNIT);
        machine.write(CONFIG, RUNNERS);
        machine
    }

    fn path(&self, path: &str) -> PathBuf {
        self.root.join(path.trim_start_matches('/'))
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.path(path);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(path, text).expect("a file");
    }

    fn text(&self, path: &str) -> String {
        std::fs::read_to_string(self.path(path)).expect("a file")
    }

    fn arguments(&self, set_up: &str, arguments: &[&str]) -> Vec<String> {
        let mut all = vec!["setup", set_up, "--root", self.root.to_str().expect("text")];
        all.extend(arguments);
        if !arguments.contains(&"--undo") && SET_UPS.contains(&set_up) {
            all.extend(["--registry", FIRST, "--helper", "/proc/self/exe"]);
        }
        all.into_iter().map(str::to_owned).collect()
    }

    fn setup(&self, set_up: &str, arguments: &[&str]) -> (i32, String) {
        let mut command = self.sandbox.command(env!("CARGO_BIN_EXE_ecru"));
        ended(command.args(self.arguments(set_up, arguments)).output().expect("the program starts"))
    }

    /// Everything but the records.
    fn everything(&self) -> BTreeMap<PathBuf, Entry> {
        tree(&self.root, &self.path("/var"))
    }
}

fn ended(output: std::process::Output) -> (i32, String) {
    let text = [output.stdout, output.stderr].concat();
    (output.status.code().expect("it ends by itself"), String::from_utf8(text).expect("text"))
}

#[test]
fn ecru_stays_ecru_behind_a_link_in_the_helper_s_place() {
    for set_up in SET_UPS {
        let machine = Machine::new();
        symlink("ecru", machine.path(HELPER)).expect("a link");
        let before = machine.everything();
        let (code, text) = machine.setup(set_up, &["--dry-run"]);
        assert_eq!(code, 5, "{text}");
        assert!(text.contains("-link to ecru\n+program of "), "{text}");
        let (code, text) = machine.setup(set_up, &["--yes"]);
        assert_eq!(code, 0, "{text}");
        assert_eq!(machine.text("/usr/local/bin/ecru"), "ecru");
        assert!(machine.path(HELPER).symlink_metadata().expect("the helper").is_file());
        let (_, text) = machine.setup(set_up, &["--dry-run"]);
        assert!(text.contains("Nothing to do"), "{text}");
        let (code, text) = machine.setup(set_up, &["--undo"]);
        assert_eq!(code, 0, "{text}");
        assert_eq!(machine.everything(), before);
        let link = std::fs::read_link(machine.path(HELPER)).expect("a link");
        assert_eq!(link, Path::new("ecru"));
    }
}

#[test]
fn a_set_up_that_failed_on_a_full_disk_stops_no_way_back() {
    let machine = Machine::new();
    let before = machine.everything();
    assert_eq!(machine.setup("runner", &["--yes"]).0, 0);
    // The copy of this file is longer than what may be written.
    machine.write(CONFIG, &format!("{RUNNERS}# {}\n", "x".repeat(4096)));
    let mut command = machine.sandbox.command("/bin/sh");
    command.args(["-c", "trap '' XFSZ; ulimit -f 2; exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_ecru")]);
    command.args(machine.arguments("job", &["--yes"]));
    let (code, text) = ended(command.output().expect("the program starts"));
    assert_eq!(code, 95, "{text}");
    machine.write(CONFIG, RUNNERS);

    let (code, text) = machine.setup("runner", &["--undo"]);
    assert_eq!(code, 0, "{text}");
    assert_eq!(machine.everything(), before);
    assert_eq!(machine.setup("job", &["--undo"]).0, 95, "it did nothing");
}

/// What is typed after a set-up in a folder takes that one back, and not the last one of this machine.
#[test]
fn the_way_back_names_the_folder_that_is_the_machine() {
    let of_machines = RUNNERS.replace("\"docker\"", "\"docker+machine\"")
        + "  [runners.machine]\n    MachineDriver = \"amazonec2\"\n";
    for (set_up, arguments, config) in [
        ("runner", &["--yes"][..], RUNNERS),
        ("job", &["--yes"], RUNNERS),
        ("job-host", &["--yes"], RUNNERS),
        ("job-host", &["--yes", "--in", "config-toml"], &of_machines),
    ] {
        let machine = Machine::at("o dd");
        machine.write(CONFIG, config);
        let before = machine.everything();
        let (code, text) = machine.setup(set_up, arguments);
        assert_eq!(code, 0, "{text}");
        let (_, command) = text.split_once("To take it back: ").expect("a way back");
        let command = command.lines().next().expect("a command");
        assert_eq!(command, format!("ecru setup {set_up} --undo --root '{}'", machine.root.display()));
        let typed = format!("ecru() {{ '{}' \"$@\"; }}; {command}", env!("CARGO_BIN_EXE_ecru"));
        let mut shell = machine.sandbox.command("/bin/sh");
        let (code, text) = ended(shell.args(["-c", &typed]).output().expect("the program starts"));
        assert_eq!(code, 0, "{text}");
        assert_eq!(machine.everything(), before);
    }
}

#[test]
fn a_file_that_is_read_only_stops_all_of_the_way_back() {
    let machine = Machine::at("o dd");
    let before = machine.everything();
    assert_eq!(machine.setup("runner", &["--yes"]).0, 0);
    let mode = |path: &str, mode| {
        std::fs::set_permissions(machine.path(path), std::fs::Permissions::from_mode(mode)).expect("a mode");
    };
    // Many programs have this mode, settings have it because somebody wants them to stay.
    mode(HELPER, 0o555);
    mode("/root/.docker/config.json", 0o444);
    let applied = machine.everything();
    let (code, text) = machine.setup("runner", &["--undo"]);
    assert_eq!(code, 95, "{text}");
    let config = machine.path("/root/.docker/config.json");
    assert!(text.contains(&format!("hint: chmod u+w '{}'\n", config.display())), "{text}");
    assert_eq!(machine.everything(), applied, "nothing is changed");
    mode("/root/.docker/config.json", 0o600);
    assert_eq!(machine.setup("runner", &["--undo"]).0, 0);
    assert_eq!(machine.everything(), before);
}

#[test]
fn a_helper_that_goes_is_told_to_those_who_may_need_it() {
    let machine = Machine::new();
    for set_up in ["job", "runner"] {
        assert_eq!(machine.setup(set_up, &["--yes"]).0, 0);
    }
    let (code, text) = machine.setup("job", &["--undo"]);
    assert!(code == 0 && !machine.path(HELPER).exists(), "{text}");
    let again = format!("`ecru setup runner --root {} …`", machine.root.display());
    assert!(text.contains("is gone") && text.contains(&again), "{text}");
    // Another one's is put back, and nobody misses anything.
    let machine = Machine::new();
    machine.write(HELPER, "another");
    assert_eq!(machine.setup("job", &["--yes"]).0, 0);
    let (code, text) = machine.setup("job", &["--undo"]);
    assert!(code == 0 && !text.contains("is gone"), "{text}");
}
