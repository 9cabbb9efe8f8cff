//! Rows 19 and 20: an instance metadata service that does not give what it should.

use crate::said::{assert_rule, assert_says, fault, held};
use crate::stage::aws::{self, PASSWORD};
use crate::stage::responder::{Reply, Responder, dead_url};
use crate::stage::{FRANKFURT, Stage};

/// A machine whose only identity is that of its instance.
fn instance(aws: &Responder, metadata: &str) -> Stage {
    let mut stage = Stage::new();
    stage.unset("AWS_EC2_METADATA_DISABLED").set("AWS_EC2_METADATA_SERVICE_ENDPOINT", metadata);
    stage.set("AWS_ENDPOINT_URL_ECR", &aws.url());
    // Far above the limit of the metadata service: whoever waits for this has no limit of its own.
    stage.set("ECRU_TIMEOUT", "300");
    stage
}

#[test]
fn row_19_a_metadata_service_that_is_absent_or_silent() {
    fault("the instance metadata service refuses connections, or accepts them and says nothing");
    let aws = aws::proper();
    let run = instance(&aws, &dead_url()).get(FRANKFURT).within(4);
    assert_says(run.not_found(), &["no AWS identity was found", "hint: "]);

    let silent = Responder::start(|_| Reply::Silence);
    let run = instance(&aws, &silent.url()).get(FRANKFURT).within(5);
    assert_says(run.not_found(), &["the instance metadata service did not answer", "hint: ", "hop limit"]);

    // The token is given, the rest is not.
    let half_silent = Responder::start(|request| match request.method.as_str() {
        "PUT" => Reply::http(200, &[("x-aws-ec2-metadata-token-ttl-seconds", "60")], "token"),
        _ => Reply::Silence,
    });
    let run = instance(&aws, &half_silent.url()).get(FRANKFURT).within(5);
    assert_says(run.not_found(), &["did not answer in time, after it had given a session token"]);
    // Its answers come through, so that no hop is too many.
    assert!(!run.stderr.contains("hop limit"), "{run:?}");
    assert_eq!(aws.count(), 0);
    held("exit 1 at the limit of the metadata service, long before that of the whole request");
}

#[test]
fn row_20_a_metadata_service_that_says_no() {
    fault("the instance metadata service says 401, 403 or 404, has no role, or stops behind a hop");
    let aws = aws::proper();
    // What stands before the hint, which names roles and the service by itself.
    let cause = |run: &crate::stage::Run| run.not_found().split("hint: ").next().unwrap().to_owned();
    let before = ["Environment: ", "Profile: ", "WebIdentityToken: ", "EcsContainer: "];
    for (status, words, hint) in [
        (401, "401", "give the process"),
        (
            403,
            "the instance metadata service is switched off or not allowed (status 403)",
            "--http-endpoint enabled",
        ),
        (
            404,
            "what answers here is no instance metadata service of version 2 (status 404)",
            "give the process",
        ),
        (500, "500", "give the process"),
        (503, "503", "give the process"),
    ] {
        let metadata = Responder::start(move |_| Reply::http(status, &[], ""));
        let run = instance(&aws, &metadata.url()).get(FRANKFURT).within(5);
        assert_says(&cause(&run), &["Ec2InstanceMetadata: ", words]);
        assert_says(&run.stderr, &["hint: ", hint]);
        assert_says(&cause(&run), &before);
    }
    for (status, words, hint) in [
        (
            403,
            "the instance metadata service is switched off or not allowed (status 403)",
            "--http-endpoint enabled",
        ),
        (404, "this instance has no role (status 404)", "aws ec2 associate-iam-instance-profile"),
        (500, "500", "give the process"),
        (503, "503", "give the process"),
    ] {
        let no_role = Responder::start(move |request| match request.method.as_str() {
            "PUT" => Reply::http(200, &[("x-aws-ec2-metadata-token-ttl-seconds", "60")], "token"),
            _ => Reply::http(status, &[], ""),
        });
        let run = instance(&aws, &no_role.url()).get(FRANKFURT).within(5);
        assert_says(&cause(&run), &["Ec2InstanceMetadata: ", words]);
        assert_says(&run.stderr, &["hint: ", hint]);
        assert_says(&cause(&run), &before);
    }
    // The role is told, and its credentials are not.
    let broken = Responder::start(|request| match request.path.as_str() {
        "/latest/api/token" => Reply::http(200, &[("x-aws-ec2-metadata-token-ttl-seconds", "60")], "token"),
        "/latest/meta-data/iam/security-credentials/" => Reply::http(200, &[], "builder"),
        _ => Reply::http(500, &[], ""),
    });
    let run = instance(&aws, &broken.url()).get(FRANKFURT).within(5);
    assert_says(&cause(&run), &["Ec2InstanceMetadata: ", "500"]);
    // The answer to PUT has a hop limit, so that a container behind a bridge waits for it in vain; the untokened
    // GET is answered (Amazon EC2 user guide, "Configure the Instance Metadata Service options").
    let bridged = Responder::start(|request| match request.method.as_str() {
        "PUT" => Reply::Silence,
        _ => Reply::http(401, &[], ""),
    });
    let run = instance(&aws, &bridged.url()).get(FRANKFURT).within(5);
    assert_says(run.not_found(), &["hop limit", "hint: "]);

    for nonsense in ["", "null", "{}", "{\"Code\":\"AssumeRoleUnauthorizedAccess\"}", "<html>"] {
        let metadata = Responder::start(move |request| match request.path.as_str() {
            "/latest/api/token" => {
                Reply::http(200, &[("x-aws-ec2-metadata-token-ttl-seconds", "60")], "token")
            }
            "/latest/meta-data/iam/security-credentials/" => Reply::http(200, &[], "builder"),
            _ => Reply::http(200, &[], nonsense),
        });
        instance(&aws, &metadata.url()).get(FRANKFURT).not_found();
    }
    assert_eq!(aws.count(), 0);
    assert_eq!(instance(&aws, &aws::metadata().url()).get(FRANKFURT).secret(), PASSWORD);
    held("exit 1; the cause and what to do are on standard error");
}

/// A metadata service with this role, this session token, and this time for it.
fn metadata_with(role: &'static str, token: &'static str, seconds: &'static str) -> Responder {
    Responder::start(move |request| match request.path.as_str() {
        "/latest/api/token" => Reply::http(200, &[("x-aws-ec2-metadata-token-ttl-seconds", seconds)], token),
        "/latest/meta-data/iam/security-credentials/" => Reply::http(200, &[], role),
        _ => Reply::http(200, &[], &aws::role_credentials()),
    })
}

#[test]
fn row_20_a_metadata_service_that_answers_what_none_would() {
    fault("the instance metadata service gives a role or a token that is none, or a time without end");
    let aws = aws::proper();
    for role in ["", "a role", "one\ntwo", "..\\..", "<html>", "/etc", "role?x", "r\u{f6}le"] {
        let run = instance(&aws, &metadata_with(role, "token", "60").url()).get(FRANKFURT);
        assert_rule(&run);
        assert_says(run.not_found(), &["the instance metadata service names a role that is none", "hint: "]);
    }
    for token in ["", "a token", "t\u{f6}ken-NEVER-SHOWN", "\u{1b}[31m"] {
        let run = instance(&aws, &metadata_with("builder", token, "60").url()).get(FRANKFURT);
        assert_rule(&run);
        assert_says(run.not_found(), &["gives a session token that is none", "hint: "]);
    }
    let moved = Responder::start(|_| {
        Reply::http(302, &[("x-aws-ec2-metadata-token-ttl-seconds", "60")], "<p>t\u{f6}ken-NEVER-SHOWN</p>")
    });
    let run = instance(&aws, &moved.url()).get(FRANKFURT);
    assert_rule(&run);
    assert_says(run.not_found(), &["Ec2InstanceMetadata: ", "302", "hint: "]);
    assert_eq!(aws.count(), 0);
    for (role, token, seconds) in
        [("builder\n", "token\n", "60"), ("builder", "token", "18446744073709551615")]
    {
        let run = instance(&aws, &metadata_with(role, token, seconds).url()).get(FRANKFURT);
        assert_rule(&run);
        assert_eq!(run.secret(), PASSWORD, "{role:?} {seconds}");
    }
    held("exit 1 and the cause on standard error; what can be understood is used");
}

#[test]
fn row_20_a_process_that_does_not_end() {
    fault("the `credential_process` of the profile hangs");
    let aws = aws::proper();
    let mut stage = Stage::with(&aws);
    stage.unset("AWS_ACCESS_KEY_ID").unset("AWS_SECRET_ACCESS_KEY").set("ECRU_TIMEOUT", "1");
    let pid = stage.path("pid");
    // The sleep stands in a process of its own, below the shell.
    let process = format!("[default]\ncredential_process = sleep 321 & echo $! > {}; wait\n", pid.display());
    stage.write(".aws/config", &process);
    let run = stage.get(FRANKFURT).within(5);
    assert_says(
        run.not_found(),
        &[
            "the `credential_process` that the profile `default` uses has not ended",
            "aws sts get-caller-identity",
        ],
    );
    let pid = std::fs::read_to_string(pid).unwrap();
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.trim())).unwrap_or_default();
    // A zombie waits for whoever takes orphans in.
    assert!(stat.is_empty() || stat.contains(") Z "), "it still runs: {stat}");
    held("named at the deadline, and ended");
}

#[test]
fn row_20_the_token_of_a_profile_becomes_that_of_another_subject() {
    fault("the file that a profile's `web_identity_token_file` names gets a token of another subject");
    let aws = Responder::start(|request| session(request).unwrap_or_else(|| aws::token(request)));
    let mut stage = Stage::with(&aws);
    stage.unset("AWS_ACCESS_KEY_ID").unset("AWS_SECRET_ACCESS_KEY").set("AWS_ENDPOINT_URL_STS", &aws.url());
    let token = |subject: &str| {
        let claims = format!(r#"{{"iss":"https://gitlab.example","sub":"{subject}"}}"#);
        format!(
            "e30.{}.c2ln",
            aws::base64(claims.as_bytes()).trim_end_matches('=').replace('+', "-").replace('/', "_")
        )
    };
    let file = stage.write("token", &token("project:a"));
    let profile = format!(
        "[default]\nrole_arn = arn:aws:iam::000000000001:role/ci\nweb_identity_token_file = {}\n",
        file.display()
    );
    stage.write(".aws/config", &profile);
    for (subject, calls) in [("project:a", 2), ("project:a", 2), ("project:b", 4), ("project:a", 4)] {
        stage.write("token", &token(subject));
        assert_eq!(stage.get(FRANKFURT).secret(), PASSWORD);
        assert_eq!(aws.count(), calls, "{subject}");
    }
    held("each subject has an entry of its own");
}

/// The session that STS hands out.
fn session(request: &crate::stage::responder::Request) -> Option<Reply> {
    let (_, action) = request.body.split_once("Action=")?;
    let action = action.split('&').next().unwrap_or_default();
    let body = format!(
        "<{action}Response><{action}Result><Credentials><AccessKeyId>ASIASESSION</AccessKeyId><SecretAccessKey>s\
         </SecretAccessKey><SessionToken>t</SessionToken><Expiration>2999-01-01T00:00:00Z</Expiration>\
         </Credentials></{action}Result></{action}Response>"
    );
    Some(Reply::http(200, &[("content-type", "text/xml")], &body))
}
