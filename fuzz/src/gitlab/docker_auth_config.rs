//! How the runner picks credentials for an image, and how others would.
//!
//! NUL bytes divide the input: the image, DOCKER_AUTH_CONFIG, `~/.docker/config.json`, and then the answers of the
//! helpers in turn, of which the first character says how the helper ended. The length of the input picks the runner
//! of another version that decides about it as well; all of them for each input would be most of the work.

use ecru_gitlab::registry_auth::{
    self, AllCredentials, CredentialHelpers, FileContent, HelperAnswer, HelperVerb, HomeFile, Inputs,
    Outcome, Runner, RunnerVersion, Verdict,
};
use ecru_gitlab::{docker_cli, kubelet};
use secrecy::{ExposeSecret, SecretString};

/// The runners whose rules differ from the newest known one's.
const OTHERS: [RunnerVersion; 8] = [
    RunnerVersion::new(12, 0, 0),
    RunnerVersion::new(13, 1, 0),
    RunnerVersion::new(13, 4, 0),
    RunnerVersion::new(13, 5, 0),
    RunnerVersion::new(17, 5, 0),
    RunnerVersion::new(18, 1, 0),
    RunnerVersion::new(18, 3, 0),
    RunnerVersion::new(19, 4, 0),
];

/// Panics unless all that is promised holds for the input.
pub fn check_input(input: &[u8]) {
    let Ok(input) = std::str::from_utf8(input) else { return };
    let other = OTHERS[input.len() % OTHERS.len()];
    let mut parts = input.split('\0');
    let mut next = || parts.next().unwrap_or_default();
    let (image, variable, file) = (next(), SecretString::from(next()), SecretString::from(next()));
    let answers: Vec<&str> = parts.collect();
    let home_files = [HomeFile { path: "config.json".into(), content: FileContent::Text(file) }];
    let inputs =
        Inputs { docker_auth_config: Some(&variable), home_files: &home_files, job_credentials: &[] };

    let resolution = registry_auth::resolve(image, &inputs, &mut Answers(answers.iter()));
    let all = registry_auth::resolve_all(&inputs, &mut Answers(answers.iter()));
    assert_eq!(resolution.path, registry_auth::image_path(image));
    assert_eq!(
        resolution.trace.helper_calls, all.trace.helper_calls,
        "helpers are run whatever the image is"
    );
    drop((resolution.job_log_line(), format!("{resolution:?}")));

    others_decide(image, other, &inputs, &answers, &all);

    let chosen: Vec<_> =
        resolution.trace.entries.iter().filter(|entry| entry.verdict == Verdict::Chosen).collect();
    match (&resolution.outcome, &all.outcome) {
        (Outcome::Credential(credential), Ok(all)) => {
            let is_parent = resolution.path.strip_prefix(&credential.path);
            assert!(
                is_parent.is_some_and(|rest| rest.is_empty() || rest.starts_with('/')),
                "`{}` got the credential of `{}`",
                resolution.path,
                credential.path
            );
            assert_eq!(credential.path, registry_auth::registry_path(&credential.server_address));
            let same = all.iter().filter(|other| other.path == credential.path);
            let secrets: Vec<_> = same.map(|other| other.password.expose_secret()).collect();
            assert_eq!(secrets, [credential.password.expose_secret()], "one credential for each path");
            let [entry] = chosen.as_slice() else { panic!("{chosen:?}") };
            assert_eq!((&entry.path, &entry.key), (&credential.path, &credential.server_address));
        }
        (Outcome::Anonymous, Ok(all)) => {
            assert!(chosen.is_empty() && all.iter().all(|other| other.path != resolution.path));
        }
        (Outcome::Aborted(error), Err(other)) => assert_eq!((error, chosen.len()), (other, 0)),
        other => panic!("{other:?}"),
    }
}

/// Another runner, the docker command and a kubelet decide about the same input, each by rules of its own.
fn others_decide(
    image: &str,
    other: RunnerVersion,
    inputs: &Inputs<'_>,
    answers: &[&str],
    all: &AllCredentials,
) {
    let runner = Runner::of_version(other);
    let resolution = registry_auth::resolve_as(&runner, image, inputs, &mut Answers(answers.iter()));
    let chosen = resolution.trace.entries.iter().filter(|entry| entry.verdict == Verdict::Chosen);
    assert_eq!(chosen.count(), usize::from(resolution.credential().is_some()), "{runner:?}");

    let of_docker = docker_cli::Inputs {
        docker_auth_config: inputs.docker_auth_config,
        config_file: inputs.home_files.first(),
        is_before_28_3: false,
    };
    let resolution = docker_cli::resolve(image, &of_docker, &mut Answers(answers.iter()));
    assert!(resolution.trace.helper_calls.len() <= 1, "one registry is one question");
    assert!(resolution.trace.helper_calls.iter().all(|call| call.verb == HelperVerb::Get));

    let credentials = all.outcome.as_deref().unwrap_or_default();
    let secret = kubelet::image_pull_secret(&Runner::default(), credentials);
    let tried = kubelet::candidates(image, &secret).unwrap_or_default();
    assert!(tried.iter().all(|candidate| candidate.index < secret.len()));
}

/// Answers in turn, whoever asks.
struct Answers<'a>(std::slice::Iter<'a, &'a str>);

impl CredentialHelpers for Answers<'_> {
    fn run(&mut self, suffix: &str, verb: HelperVerb, stdin: &str) -> HelperAnswer {
        assert!(suffix == "/" || !(suffix.is_empty() || suffix.contains('/')), "a path was run: {suffix}");
        assert!(verb == HelperVerb::Get || stdin == "unused");
        let text = self.0.next().copied().unwrap_or("1credentials not found in native keychain");
        let mut characters = text.chars();
        let how = characters.next();
        let stdout = || characters.as_str().into();
        match how {
            Some('1') => HelperAnswer::Exited { code: 1, stdout: stdout() },
            Some('k') => HelperAnswer::Killed { signal: "killed".into(), stdout: stdout() },
            Some('n') => HelperAnswer::NotOnPath,
            Some('s') => HelperAnswer::NotStarted { cause: characters.as_str().into() },
            _ => HelperAnswer::Exited { code: 0, stdout: stdout() },
        }
    }
}
