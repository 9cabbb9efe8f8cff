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
    let run = instance(&aws, &dead_url()).get(FRANKFURT);
    assert_says(run.not_found(), &["no AWS identity was found", "hint: "]);

    let silent = Responder::start(|_| Reply::Silence);
    let run = instance(&aws, &silent.url()).get(FRANKFURT);
    assert_says(run.not_found(), &["the instance metadata service did not answer", "hint: "]);

    // The token is given, the rest is not.
    let half_silent = Responder::start(|request| match request.method.as_str() {
        "PUT" => Reply::http(200, &[("x-aws-ec2-metadata-token-ttl-seconds", "60")], "token"),
        _ => Reply::Silence,
    });
    let run = instance(&aws, &half_silent.url()).get(FRANKFURT);
    assert_says(run.not_found(), &["the instance metadata service did not answer"]);
    assert_eq!(aws.count(), 0);
    held("exit 1 at the limit of the metadata service, long before that of the whole request");
}

#[test]
fn row_20_a_metadata_service_that_says_no() {
    fault("the instance metadata service says 401, 403 or 404, has no role, or stops behind a hop");
    let aws = aws::proper();
    for (status, words) in [(401, "401"), (403, "403"), (404, "404"), (500, "500")] {
        let metadata = Responder::start(move |_| Reply::http(status, &[], ""));
        let run = instance(&aws, &metadata.url()).get(FRANKFURT);
        assert_says(run.not_found(), &["Ec2InstanceMetadata: ", words, "hint: "]);
    }
    for status in [403, 404] {
        let no_role = Responder::start(move |request| match request.method.as_str() {
            "PUT" => Reply::http(200, &[("x-aws-ec2-metadata-token-ttl-seconds", "60")], "token"),
            _ => Reply::http(status, &[], ""),
        });
        let run = instance(&aws, &no_role.url()).get(FRANKFURT);
        assert_says(run.not_found(), &["Ec2InstanceMetadata: ", &status.to_string(), "role", "hint: "]);
    }
    // The answer to PUT has a hop limit, so that a container behind a bridge waits for it in vain; the untokened
    // GET is answered (Amazon EC2 user guide, "Configure the Instance Metadata Service options").
    let bridged = Responder::start(|request| match request.method.as_str() {
        "PUT" => Reply::Silence,
        _ => Reply::http(401, &[], ""),
    });
    let run = instance(&aws, &bridged.url()).get(FRANKFURT);
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
