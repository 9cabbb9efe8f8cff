//! The leak scan: a secret of every kind, each with its own mark, is given to the helper in every situation in which
//! it does or says something, with all tracing on. No mark may show but in the one answer that it belongs to:
//! neither on standard output and standard error, nor in the arguments and names of processes, nor in a file.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::print_stdout, reason = "a test says here what it saw")]

#[allow(dead_code, reason = "the stage serves other targets, too")]
#[path = "program/stage/mod.rs"]
mod stage;

use std::cell::Cell;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::json;

use crate::stage::aws::{self, PASSWORD};
use crate::stage::responder::{Reply, Request, Responder, dead_url};
use crate::stage::{FRANKFURT, MARKER, PUBLIC, Run, SECRET_KEY, SESSION_TOKEN, Stage};

/// The OIDC token of a GitLab job, in the form that such tokens have.
const OIDC_TOKEN: &str = "eyJhbGciOiJub25lIn0.eyJpc3MiOiJORVZFUi1TSE9XTiJ9.oidc-NEVER-SHOWN";

/// How often each kind of place was looked through.
#[derive(Default)]
struct Scan {
    runs: Cell<usize>,
    bytes: Cell<usize>,
    files: Cell<usize>,
}

impl Scan {
    fn look(&self, text: &[u8], place: &str) {
        self.bytes.set(self.bytes.get() + text.len());
        let text = String::from_utf8_lossy(text);
        for secret in secrets() {
            for form in [secret.clone(), aws::base64(secret.as_bytes()), hex(&secret)] {
                assert!(!text.contains(&form), "{place} shows a secret: {text}");
            }
        }
        assert!(!text.contains(MARKER), "{place} shows a secret: {text}");
    }

    /// Runs the program with a verb and looks at all that it left. The stage itself looks at the answer.
    fn run(&self, stage: &Stage, verb: &str, stdin: &str) -> Run {
        let run = stage.run(verb, stdin);
        self.runs.set(self.runs.get() + 1);
        self.look(run.stderr.as_bytes(), "standard error");
        if !(run.code == 0 && verb == "get") {
            self.look(run.stdout.as_bytes(), "standard output");
        }
        for path in files_below(&stage.home()) {
            self.files.set(self.files.get() + 1);
            self.look(path.to_string_lossy().as_bytes(), "a file's name");
            // The files that the test wrote hold secrets, and the entries of the cache the one that they are for.
            let is_given = path.starts_with(stage.path(".aws")) || path.starts_with(stage.path("given"));
            let content = fs::read(&path).unwrap();
            let content = String::from_utf8_lossy(&content);
            if path.starts_with(stage.path(".cache/ecru")) && path.extension().is_some_and(|it| it == "json")
            {
                self.look(content.replace(PASSWORD, "").as_bytes(), "an entry of the cache");
            } else if !is_given {
                self.look(content.as_bytes(), &path.display().to_string());
            }
        }
        run
    }
}

/// All secrets that the tests give, but the one that is asked for.
fn secrets() -> Vec<String> {
    [SECRET_KEY, SESSION_TOKEN, OIDC_TOKEN, "proxy-password-NEVER-SHOWN", "metadata-token-NEVER-SHOWN"]
        .map(str::to_owned)
        .to_vec()
}

fn hex(text: &str) -> String {
    text.bytes().map(|byte| format!("{byte:02x}")).collect()
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let paths = entries.map(|entry| entry.unwrap().path());
    let below = |path: PathBuf| if path.is_dir() { files_below(&path) } else { vec![path] };
    paths.flat_map(below).collect()
}

/// Everything that makes the program say more.
fn loud(mut stage: Stage) -> Stage {
    for name in ["ECRU_LOG", "RUST_LOG", "AWS_LOG", "SMITHY_LOG"] {
        stage.set(name, "trace");
    }
    stage.set("RUST_BACKTRACE", "full");
    stage
}

/// AWS that repeats what it was sent, as it does where signatures do not match.
fn repeating(request: &Request) -> Reply {
    let headers: Vec<String> =
        request.headers.iter().map(|(name, value)| format!("{name}:{value}")).collect();
    let message = format!("The canonical string was\n{}\n{}", headers.join("\n"), request.body);
    aws::refusal(403, "InvalidSignatureException", &message)
}

type Behaviour = Box<dyn Fn(&Request) -> Reply + Send + Sync>;

fn behaviours() -> Vec<Behaviour> {
    vec![
        Box::new(aws::token),
        Box::new(repeating),
        Box::new(|_| aws::refusal(400, "AccessDeniedException", &format!("no {SECRET_KEY} {SESSION_TOKEN}"))),
        Box::new(|_| aws::refusal(400, SECRET_KEY, SESSION_TOKEN)),
        Box::new(|_| aws::refusal(500, "ServerException", &format!("oops {SESSION_TOKEN}"))),
        Box::new(|_| Reply::http(302, &[("location", &format!("http://127.0.0.1:9/{SESSION_TOKEN}"))], "")),
        Box::new(|_| Reply::http(200, &[("x-amzn-requestid", SESSION_TOKEN)], "<html>")),
        Box::new(|_| Reply::Bytes(Vec::new())),
        Box::new(|request| aws::answer(request, |data| data["expiresAt"] = json!(1))),
        Box::new(|request| {
            aws::answer(request, |data| {
                data["authorizationToken"] = json!(aws::base64(b"AWS:ecru-emulator-NEVER-SHOWN\r\n"));
            })
        }),
        Box::new(|request| {
            aws::answer(request, |data| data["proxyEndpoint"] = json!("https://NEVER-SHOWN.example"))
        }),
    ]
}

#[test]
fn keys_and_tokens_show_nowhere_whatever_aws_answers() {
    let scan = Scan::default();
    for behaviour in behaviours() {
        let aws = Responder::start(behaviour);
        let mut stage = loud(Stage::with(&aws));
        stage.set("AWS_REGION", "eu-central-1");
        for on_error in ["not-found", "report"] {
            stage.write(".config/ecru/config.toml", &format!("on_error = '{on_error}'\n"));
            for server in [FRANKFURT, PUBLIC, "other.example", "user:NEVER-SHOWN@other.example"] {
                scan.run(&stage, "get", server);
                scan.run(&stage, "erase", server);
            }
            scan.run(&stage, "list", "");
            let credential =
                json!({ "ServerURL": FRANKFURT, "Username": "AWS", "Secret": "given-NEVER-SHOWN" });
            scan.run(&stage, "store", &credential.to_string());
            scan.run(&stage, "store", r#"{"Secret":"given-NEVER-SHOWN" oops"#);
        }
    }
    println!("{} runs, {} bytes, {} files: 0 hits", scan.runs.get(), scan.bytes.get(), scan.files.get());
}

#[test]
fn secrets_of_every_source_of_identity_show_nowhere() {
    let scan = Scan::default();
    let session = format!(
        "<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult><Credentials>\
         <AccessKeyId>ASIAWEB</AccessKeyId><SecretAccessKey>{SECRET_KEY}</SecretAccessKey>\
         <SessionToken>{SESSION_TOKEN}</SessionToken><Expiration>2999-01-01T00:00:00Z</Expiration></Credentials>\
         </AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>"
    );
    let sts_answers = [
        Reply::http(200, &[("content-type", "text/xml")], &session),
        Reply::http(400, &[("content-type", "text/xml")], &format!("<Error>{OIDC_TOKEN}</Error>")),
        Reply::http(
            400,
            &[("content-type", "text/xml")],
            &format!(
                "<ErrorResponse><Error><Code>InvalidIdentityToken</Code><Message>bad {OIDC_TOKEN}</Message></Error></ErrorResponse>"
            ),
        ),
    ];
    for behaviour in [Box::new(aws::token) as Behaviour, Box::new(repeating)] {
        let (aws, metadata) = (Responder::start(behaviour), aws::metadata());
        let base = || {
            let mut stage = loud(Stage::new());
            stage.set("AWS_ENDPOINT_URL_ECR", &aws.url());
            stage
        };
        // The files of the SDK.
        let stage = base();
        stage.write(
            ".aws/credentials",
            &format!(
                "[default]\naws_access_key_id = AKIA\naws_secret_access_key = {SECRET_KEY}\naws_session_token = {SESSION_TOKEN}\n"
            ),
        );
        scan.run(&stage, "get", FRANKFURT);
        // The same, with the file broken behind the secret.
        stage.write(".aws/credentials", &format!("[default]\naws_secret_access_key = {SECRET_KEY}\n[oops\n"));
        scan.run(&stage, "get", FRANKFURT);
        // A process.
        let stage = base();
        let keys = json!({ "Version": 1, "AccessKeyId": "AKIA", "SecretAccessKey": SECRET_KEY, "SessionToken": SESSION_TOKEN });
        for answer in [keys.to_string(), format!("{SECRET_KEY} is no JSON"), format!("{keys} oops")] {
            let path = stage.write("given/answer", &answer);
            stage.write(".aws/config", &format!("[default]\ncredential_process = cat {}\n", path.display()));
            scan.run(&stage, "get", FRANKFURT);
        }
        // An instance and a container.
        let mut stage = base();
        stage.unset("AWS_EC2_METADATA_DISABLED").set("AWS_EC2_METADATA_SERVICE_ENDPOINT", &metadata.url());
        scan.run(&stage, "get", FRANKFURT);
        let mut stage = base();
        let path = "/latest/meta-data/iam/security-credentials/builder";
        stage.set("AWS_CONTAINER_CREDENTIALS_FULL_URI", &format!("{}{path}", metadata.url()));
        stage.set("AWS_CONTAINER_AUTHORIZATION_TOKEN", "container-NEVER-SHOWN");
        scan.run(&stage, "get", FRANKFURT);
        stage.set("AWS_CONTAINER_CREDENTIALS_FULL_URI", &format!("{}/none", metadata.url()));
        scan.run(&stage, "get", FRANKFURT);
        // A job's OIDC token.
        for answer in sts_answers.clone() {
            let sts = Responder::start(move |_| answer.clone());
            let mut stage = base();
            let token = stage.write("given/token", OIDC_TOKEN);
            stage.set("AWS_WEB_IDENTITY_TOKEN_FILE", token.to_str().unwrap());
            stage
                .set("AWS_ROLE_ARN", "arn:aws:iam::000000000001:role/a")
                .set("AWS_ENDPOINT_URL_STS", &sts.url());
            scan.run(&stage, "get", FRANKFURT);
        }
    }
    println!("{} runs, {} bytes, {} files: 0 hits", scan.runs.get(), scan.bytes.get(), scan.files.get());
}

#[test]
fn the_password_of_a_proxy_shows_nowhere() {
    let scan = Scan::default();
    let refusing = |status| Responder::start(move |_| Reply::http(status, &[], ""));
    let proxies =
        [refusing(407), refusing(403), refusing(502), Responder::start(|_| Reply::Bytes(Vec::new()))];
    let addresses =
        proxies.iter().map(Responder::url).chain([dead_url(), "nonsense://127.0.0.1:1".to_owned()]);
    for address in addresses {
        for variable in ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"] {
            let mut stage = loud(Stage::new());
            stage.set_keys().set(variable, &address.replace("://", "://user:proxy-password-NEVER-SHOWN@"));
            let run = scan.run(&stage, "get", FRANKFURT);
            assert_eq!(run.code, 1, "{run:?}");
        }
    }
    println!("{} runs, {} bytes, {} files: 0 hits", scan.runs.get(), scan.bytes.get(), scan.files.get());
}

#[test]
fn no_secret_is_in_the_arguments_or_names_of_processes() {
    // AWS looks at the processes while it is asked.
    let aws = Responder::start(|request| {
        let mut seen = 0;
        for entry in fs::read_dir("/proc").unwrap() {
            let folder = entry.unwrap().path();
            let Ok(arguments) = fs::read(folder.join("cmdline")) else { continue };
            if !String::from_utf8_lossy(&arguments).contains("docker-credential-ecr-login") {
                continue;
            }
            seen += 1;
            assert!(!String::from_utf8_lossy(&arguments).contains(MARKER));
            let threads = fs::read_dir(folder.join("task")).into_iter().flatten();
            for thread in threads.filter_map(Result::ok) {
                let name = fs::read_to_string(thread.path().join("comm")).unwrap_or_default();
                assert!(!name.contains("NEVER"), "{name}");
            }
        }
        assert!(seen > 0, "the program is not among the processes");
        aws::token(request)
    });
    let stage = loud(Stage::with(&aws));
    assert_eq!(stage.get(FRANKFURT).secret(), PASSWORD);
    assert_eq!(aws.count(), 1);
}
