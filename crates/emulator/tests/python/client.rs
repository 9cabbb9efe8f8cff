//! The two clients as processes that see the emulator and nothing else of this machine or of the network.

use std::process::{Command, Output};

use ecru_emulator::Emulator;
use serde_json::Value;
use tempfile::TempDir;

/// Where botocore may look for an instance.
#[derive(Clone, Copy)]
pub(crate) enum Instance {
    /// Nowhere: the identity has to come from elsewhere.
    Hidden,
    /// At the emulator.
    Shown,
}

/// The clients in one environment.
pub(crate) struct Client {
    python: std::ffi::OsString,
    /// The AWS CLI keeps the credentials of roles that it assumed there.
    home: TempDir,
    variables: Vec<(String, String)>,
}

/// What the AWS CLI prints for a call, or its message on an error.
pub(crate) type Said = Result<String, String>;

impl Client {
    /// Clients that have these variables besides the emulator's endpoints.
    #[expect(clippy::disallowed_methods, reason = "the Python for tests is named by the environment")]
    pub(crate) fn of(emulator: &Emulator, instance: Instance, identity: Vec<(String, String)>) -> Self {
        let python = std::env::var_os("ECRU_TEST_PYTHON").expect("ECRU_TEST_PYTHON names a Python");
        let mut variables = emulator.environment();
        if matches!(instance, Instance::Hidden) {
            variables.retain(|(name, _)| name != "AWS_EC2_METADATA_SERVICE_ENDPOINT");
            variables.push(("AWS_EC2_METADATA_DISABLED".into(), "true".into()));
        }
        variables.extend(identity);
        Self { python, home: tempfile::tempdir().unwrap(), variables }
    }

    /// Clients that take the role of the emulated instance.
    pub(crate) fn on_instance(emulator: &Emulator) -> Self {
        Self::of(emulator, Instance::Shown, Vec::new())
    }

    /// The AWS CLI with the arguments that `arguments` has between spaces.
    pub(crate) fn aws(&self, arguments: &str) -> Said {
        let mut words = vec!["-m", "awscli"];
        words.extend(arguments.split(' '));
        self.said(&words)
    }

    /// The same for an answer in JSON.
    pub(crate) fn aws_json(&self, arguments: &str) -> Value {
        let said = self.aws(arguments).unwrap();
        serde_json::from_str(&said).expect("JSON")
    }

    /// A program for boto3 that prints one JSON document, or ends with an exception.
    pub(crate) fn boto3(&self, program: &str) -> Result<Value, String> {
        let said = self.said(&["-c", &format!("import boto3, json\n{program}")])?;
        Ok(serde_json::from_str(&said).expect("JSON"))
    }

    fn said(&self, arguments: &[&str]) -> Said {
        let output = self.output(arguments);
        let text = |stream: &[u8]| String::from_utf8_lossy(stream).trim().to_owned();
        if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
    }

    /// Whatever is not meant for the emulator ends at a proxy that is none.
    fn output(&self, arguments: &[&str]) -> Output {
        Command::new(&self.python)
            .args(arguments)
            .env_clear()
            .env("HOME", self.home.path())
            .env("HTTP_PROXY", "http://127.0.0.1:9")
            .env("HTTPS_PROXY", "http://127.0.0.1:9")
            .env("NO_PROXY", "127.0.0.1,localhost")
            .env("AWS_CONFIG_FILE", "/dev/null")
            .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
            .env("AWS_MAX_ATTEMPTS", "1")
            .env("AWS_DEFAULT_REGION", "us-east-1")
            .envs(self.variables.clone())
            .output()
            .expect("Python runs")
    }
}
