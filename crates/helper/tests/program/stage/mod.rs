//! What the tests play on: a home directory, the program, and somebody who answers in AWS's place.

pub(crate) mod aws;
pub(crate) mod responder;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use assert_cmd::Command;
use serde_json::Value;
use tempfile::TempDir;

use self::responder::Responder;

pub(crate) const FRANKFURT: &str = "000000000001.dkr.ecr.eu-central-1.amazonaws.com";
pub(crate) const FRANKFURT_OF_ANOTHER: &str = "000000000002.dkr.ecr.eu-central-1.amazonaws.com";
pub(crate) const VIRGINIA: &str = "000000000001.dkr.ecr.us-east-1.amazonaws.com";
pub(crate) const PUBLIC: &str = "public.ecr.aws";

pub(crate) const NOT_FOUND: &str = "credentials not found in native keychain\n";

/// What every secret of a test contains, so that a leak shows wherever it happens.
pub(crate) const MARKER: &str = "NEVER-SHOWN";
pub(crate) const SECRET_KEY: &str = "secret-key-NEVER-SHOWN";
pub(crate) const SESSION_TOKEN: &str = "session-token-NEVER-SHOWN";

/// Long enough for everything that ends at all.
const PATIENCE: Duration = Duration::from_secs(120);

/// The program in a home directory of its own.
pub(crate) struct Stage {
    folder: TempDir,
    variables: Vec<(String, String)>,
}

/// How a run ended.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    /// How long it took, on a machine that may be busy.
    pub(crate) took: Duration,
}

impl Stage {
    /// An empty home, no identity, and no way to the machine's metadata service.
    pub(crate) fn new() -> Self {
        let folder = TempDir::new().unwrap();
        std::fs::create_dir(folder.path().join("home")).unwrap();
        let mut stage = Self { folder, variables: Vec::new() };
        let home = stage.home().to_str().unwrap().to_owned();
        stage.set("HOME", &home);
        stage.set("PATH", "/usr/bin:/bin");
        stage.set("AWS_EC2_METADATA_DISABLED", "true");
        stage
    }

    /// A home with an access key in the environment, and `aws` in the place of ECR and ECR Public.
    pub(crate) fn with(aws: &Responder) -> Self {
        let mut stage = Self::new();
        stage.set_keys();
        stage.set("AWS_ENDPOINT_URL_ECR", &aws.url());
        stage.set("AWS_ENDPOINT_URL_ECR_PUBLIC", &aws.url());
        stage
    }

    pub(crate) fn set(&mut self, name: &str, value: &str) -> &mut Self {
        self.unset(name);
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn unset(&mut self, name: &str) -> &mut Self {
        self.variables.retain(|(other, _)| other != name);
        self
    }

    pub(crate) fn set_keys(&mut self) -> &mut Self {
        self.set("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE")
            .set("AWS_SECRET_ACCESS_KEY", SECRET_KEY)
            .set("AWS_SESSION_TOKEN", SESSION_TOKEN)
    }

    pub(crate) fn home(&self) -> PathBuf {
        self.folder.path().join("home")
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.home().join(name)
    }

    pub(crate) fn write(&self, name: &str, content: &str) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, content).unwrap();
        path
    }

    /// The files of the cache.
    pub(crate) fn cached_files(&self, ending: &str) -> Vec<PathBuf> {
        let Ok(entries) = std::fs::read_dir(self.path(".cache/ecru")) else { return Vec::new() };
        let files = entries.map(|entry| entry.unwrap().path());
        files.filter(|path| path.extension().is_some_and(|extension| extension == ending)).collect()
    }

    /// The environment of the program.
    pub(crate) fn variables(&self) -> Vec<(String, String)> {
        self.variables.clone()
    }

    /// The program, ready to be run.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(program());
        command.args(arguments).env_clear().envs(self.variables()).current_dir(self.folder.path());
        command.timeout(PATIENCE);
        command
    }

    /// Runs the program, and checks that it shows no secret but the one that it is asked for.
    pub(crate) fn run(&self, verb: &str, stdin: impl Into<Vec<u8>>) -> Run {
        let started = Instant::now();
        let output = self.command(&[verb]).write_stdin(stdin).output().unwrap();
        let run = Run {
            code: output.status.code().expect("the program was killed"),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
            took: started.elapsed(),
        };
        run.assert_no_leak();
        run
    }

    pub(crate) fn get(&self, server: &str) -> Run {
        self.run("get", server)
    }

    /// The servers that `list` names.
    pub(crate) fn list(&self) -> Vec<String> {
        let run = self.run("list", "unused");
        assert_eq!(run.code, 0, "{run:?}");
        let Value::Object(list) = serde_json::from_str(&run.stdout).unwrap() else { panic!("{run:?}") };
        list.into_iter()
            .map(|(server, user)| {
                assert_eq!(user, "AWS");
                server
            })
            .collect()
    }
}

impl Run {
    /// The same run, which took less than this.
    #[track_caller]
    pub(crate) fn within(self, seconds: u64) -> Self {
        assert!(self.took < Duration::from_secs(seconds), "longer than {seconds} s: {self:?}");
        self
    }

    /// The credential that was answered.
    pub(crate) fn credential(&self) -> Value {
        assert_eq!(self.code, 0, "{self:?}");
        assert_eq!(self.stdout.lines().count(), 1, "{self:?}");
        serde_json::from_str(&self.stdout).unwrap()
    }

    pub(crate) fn secret(&self) -> String {
        let credential = self.credential();
        assert_eq!(credential["Username"], "AWS");
        credential["Secret"].as_str().unwrap().to_owned()
    }

    /// The answer is the one that makes callers go on, and what stderr says.
    #[track_caller]
    pub(crate) fn not_found(&self) -> &str {
        assert_eq!((self.code, self.stdout.as_str()), (1, NOT_FOUND), "{self:?}");
        &self.stderr
    }

    fn assert_no_leak(&self) {
        assert!(!self.stderr.contains(MARKER), "a secret on stderr: {self:?}");
        if self.code == 0
            && let Ok(Value::Object(mut answer)) = serde_json::from_str(&self.stdout)
        {
            answer.remove("Secret");
            assert!(!Value::Object(answer).to_string().contains(MARKER), "a secret out of place: {self:?}");
        } else {
            assert!(!self.stdout.contains(MARKER), "a secret on stdout: {self:?}");
        }
    }
}

/// The program under test: the one of this build, or another build of it that ECRU_TEST_PROGRAM names, such as the one
/// that is shipped.
pub(crate) fn program() -> &'static Path {
    static PROGRAM: LazyLock<PathBuf> = LazyLock::new(|| {
        let own = || env!("CARGO_BIN_EXE_docker-credential-ecr-login").into();
        given_program().map_or_else(own, PathBuf::from)
    });
    &PROGRAM
}

#[expect(clippy::disallowed_methods, reason = "another build to test is named by the environment")]
fn given_program() -> Option<OsString> {
    std::env::var_os("ECRU_TEST_PROGRAM").filter(|path| !path.is_empty())
}
