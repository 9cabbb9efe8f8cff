//! `ECRU_LOG`: what it tells, and what it never does.

use crate::stage::aws;
use crate::stage::responder::{Reply, Responder};
use crate::stage::{FRANKFURT, MARKER, SECRET_KEY, SESSION_TOKEN, Stage};

/// The file of an OIDC token whose text is a secret.
const TOKEN_FILE: &str = "token-NEVER-SHOWN-is-inside";

#[test]
fn nothing_is_told_unless_asked_for() {
    let aws = aws::proper();
    let mut stage = Stage::with(&aws);
    assert_eq!(stage.get(FRANKFURT).stderr, "");
    stage.set("ECRU_LOG", "off");
    assert_eq!(stage.get(FRANKFURT).stderr, "");
    stage.set("ECRU_LOG", "verbose");
    let run = stage.get(FRANKFURT);
    run.secret();
    assert_eq!(run.stderr, "ECRU_LOG is none of off, error, warn, info, debug and trace\n");
}

#[test]
fn steps_are_told_by_ecru_alone() {
    let aws = aws::proper();
    let mut stage = Stage::with(&aws);
    stage.set("ECRU_LOG", "trace");
    let run = stage.get(FRANKFURT);
    run.secret();
    for part in [
        "the identity is chosen",
        "the cache has no fresh token",
        "the access key in the environment",
        "a request is sent",
        &aws.address().to_string(),
        "status=200",
    ] {
        assert!(run.stderr.contains(part), "`{part}` is not in: {}", run.stderr);
    }
    assert!(run.stderr.lines().all(|line| line.contains(" ecru_")), "{}", run.stderr);
    let run = stage.get(FRANKFURT);
    assert!(run.stderr.contains("the token comes from the cache"), "{}", run.stderr);

    stage.set("ECRU_LOG", "error");
    assert_eq!(stage.get(FRANKFURT).stderr, "");
}

/// Every secret of the stage holds [`MARKER`], and every run is searched for it.
#[test]
fn no_secret_is_told_at_any_level_whatever_happens() {
    let proper = aws::proper();
    let denied =
        Responder::start(|_| aws::refusal(400, "AccessDeniedException", "User: u is not authorized"));
    let repeated = Responder::start(|_| {
        let message = format!("no signature by {SECRET_KEY} with {SESSION_TOKEN}");
        aws::refusal(403, "InvalidSignatureException", &message)
    });
    let cut = Responder::start(|_| Reply::Bytes(Vec::new()));
    for aws in [&proper, &denied, &repeated, &cut] {
        let mut stage = Stage::with(aws);
        stage.set("ECRU_LOG", "trace").set("AWS_ENDPOINT_URL_STS", &aws.url());
        told(&stage);
        // A token from a variable, and one from a file.
        stage.set("ECRU_IDENTITY_TOKEN", "oidc-token-NEVER-SHOWN");
        stage.set("ECRU_ROLE_ARN", "arn:aws:iam::000000000001:role/a");
        told(&stage);
        stage.unset("ECRU_IDENTITY_TOKEN").unset("ECRU_ROLE_ARN").set("ECRU_SOURCE", "web-identity");
        let file = stage.write("token", TOKEN_FILE);
        stage.set("AWS_WEB_IDENTITY_TOKEN_FILE", file.to_str().unwrap());
        stage.set("AWS_ROLE_ARN", "arn:aws:iam::000000000001:role/a");
        told(&stage);
    }

    // A password in the address of an endpoint.
    let cut_off = cut.url().replace("http://", "http://user:endpoint-NEVER-SHOWN@");
    let mut stage = Stage::with(&cut);
    stage.set("ECRU_LOG", "trace").set("AWS_ENDPOINT_URL_ECR", &cut_off);
    told(&stage);

    let metadata = aws::metadata();
    let mut stage = Stage::with(&proper);
    stage.set("ECRU_LOG", "trace").set("ECRU_SOURCE", "instance");
    stage.unset("AWS_EC2_METADATA_DISABLED").set("AWS_EC2_METADATA_SERVICE_ENDPOINT", &metadata.url());
    told(&stage);
    stage.set("ECRU_SOURCE", "container").set("AWS_CONTAINER_CREDENTIALS_FULL_URI", &metadata.url());
    stage.set("AWS_CONTAINER_AUTHORIZATION_TOKEN", "container-token-NEVER-SHOWN");
    told(&stage);
    stage.set("ECRU_SOURCE", "profile").set("HTTPS_PROXY", "http://user:proxy-NEVER-SHOWN@127.0.0.1:9");
    stage.set("AWS_ENDPOINT_URL_ECR", &proper.url().replace("http:", "https:"));
    stage.write(
        ".aws/credentials",
        &format!("[default]\naws_access_key_id = AKIAPROFILE\naws_secret_access_key = {SECRET_KEY}\n"),
    );
    told(&stage);
}

/// All that the program does in this stage, each time with something told and no secret among it.
#[track_caller]
fn told(stage: &Stage) {
    assert!(stage.get(FRANKFURT).stderr.contains("ecru_ecr"));
    stage.run("list", "unused");
    let credential = format!(r#"{{"ServerURL":"{FRANKFURT}","Username":"AWS","Secret":"stored-{MARKER}"}}"#);
    stage.run("store", credential);
    stage.run("erase", FRANKFURT);
    stage.get("registry.example.org");
}
