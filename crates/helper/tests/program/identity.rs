//! The sources of the identity, each as its vendor documents it, and what is said where one has nothing.

use serde_json::json;

use crate::stage::aws::{self, PASSWORD};
use crate::stage::responder::{Reply, Responder, dead_url};
use crate::stage::{FRANKFURT, SECRET_KEY, Stage};

/// AWS, and a home without an identity.
fn stage_without_identity(aws: &Responder) -> Stage {
    let mut stage = Stage::new();
    stage.set("AWS_ENDPOINT_URL_ECR", &aws.url());
    stage
}

#[test]
fn no_identity_lists_every_source_that_was_tried() {
    let aws = aws::proper();
    let stage = stage_without_identity(&aws);
    let run = stage.get(FRANKFURT);
    let stderr = run.not_found();
    for source in [
        "Environment: ",
        "Profile: ",
        "WebIdentityToken: ",
        "EcsContainer: ",
        "Ec2InstanceMetadata: ",
        "hint: ",
    ] {
        assert!(stderr.contains(source), "{stderr}");
    }
    assert_eq!(aws.count(), 0);
}

#[test]
fn profiles_may_hold_keys_or_a_process() {
    let aws = aws::proper();
    let stage = stage_without_identity(&aws);
    stage.write(
        ".aws/credentials",
        &format!("[default]\naws_access_key_id = AKIAPROFILE\naws_secret_access_key = {SECRET_KEY}\n"),
    );
    assert_eq!(stage.get(FRANKFURT).secret(), PASSWORD);
    assert!(aws.requests()[0].header("authorization").contains("AKIAPROFILE"));

    let mut stage = stage_without_identity(&aws);
    let answer = json!({ "Version": 1, "AccessKeyId": "AKIAPROCESS", "SecretAccessKey": SECRET_KEY });
    let file = stage.write("answer.json", &answer.to_string());
    stage.write(".aws/config", &format!("[profile process]\ncredential_process = cat {}\n", file.display()));
    stage.set("AWS_PROFILE", "process");
    assert_eq!(stage.get(FRANKFURT).secret(), PASSWORD);
    assert!(aws.requests()[1].header("authorization").contains("AKIAPROCESS"));
}

#[test]
fn a_profile_that_is_broken_is_told() {
    let aws = aws::proper();
    let mut stage = stage_without_identity(&aws);
    stage.set("AWS_PROFILE", "missing");
    stage.get(FRANKFURT).not_found();
    stage.set("AWS_PROFILE", "failing");
    stage.write(".aws/config", "[profile failing]\ncredential_process = echo sorry >&2; exit 3\n");
    let run = stage.get(FRANKFURT);
    assert!(
        run.not_found().contains("the AWS identity cannot be used") && run.stderr.contains("sorry"),
        "{run:?}"
    );
    stage.write(".aws/config", "[profile failing\n");
    stage.get(FRANKFURT).not_found();
}

#[test]
fn a_process_that_never_ends_is_not_waited_for() {
    let aws = aws::proper();
    let mut stage = stage_without_identity(&aws);
    stage.set("ECRU_TIMEOUT", "0.5");
    stage.write(".aws/config", "[default]\ncredential_process = exec sleep 5\n");
    let run = stage.get(FRANKFURT);
    let words = "the `credential_process` that the profile `default` uses has not ended";
    assert!(run.not_found().contains(words), "{run:?}");
}

#[test]
fn a_file_that_never_ends_is_not_waited_for() {
    let aws = aws::proper();
    let mut stage = stage_without_identity(&aws);
    stage.set("ECRU_TIMEOUT", "0.5");
    std::fs::create_dir(stage.path(".aws")).unwrap();
    let made = std::process::Command::new("mkfifo").arg(stage.path(".aws/config")).status().unwrap();
    assert!(made.success());
    assert!(stage.get(FRANKFURT).not_found().contains("no answer after"));
}

#[test]
fn an_instance_role_comes_from_the_metadata_service() {
    let (aws, metadata) = (aws::proper(), aws::metadata());
    let mut stage = stage_without_identity(&aws);
    stage.unset("AWS_EC2_METADATA_DISABLED").set("AWS_EC2_METADATA_SERVICE_ENDPOINT", &metadata.url());
    assert_eq!(stage.get(FRANKFURT).secret(), PASSWORD);
    assert!(aws.requests()[0].header("authorization").contains("ASIAEXAMPLE"));
}

#[test]
fn a_metadata_service_that_is_silent_or_absent_ends_in_time_and_is_told() {
    let aws = aws::proper();
    let silent = Responder::start(|_| Reply::Silence);
    let mut stage = stage_without_identity(&aws);
    stage.unset("AWS_EC2_METADATA_DISABLED").set("AWS_EC2_METADATA_SERVICE_ENDPOINT", &silent.url());
    let run = stage.get(FRANKFURT);
    assert!(run.not_found().contains("the instance metadata service did not answer"), "{run:?}");
    assert!(run.stderr.contains("hint: ") && run.stderr.contains("hop limit"), "{run:?}");

    stage.set("AWS_EC2_METADATA_SERVICE_ENDPOINT", &dead_url());
    assert!(stage.get(FRANKFURT).not_found().contains("no AWS identity was found"));

    let no_role = Responder::start(|request| match request.method.as_str() {
        "PUT" => Reply::http(200, &[("x-aws-ec2-metadata-token-ttl-seconds", "60")], "token"),
        _ => Reply::http(404, &[], ""),
    });
    stage.set("AWS_EC2_METADATA_SERVICE_ENDPOINT", &no_role.url());
    assert!(stage.get(FRANKFURT).not_found().contains("404"));
}

#[test]
fn a_task_role_comes_from_the_container_s_endpoint() {
    let aws = aws::proper();
    let container = Responder::start(|request| {
        let is_authorized = request.header("authorization") == "container-NEVER-SHOWN";
        match request.path.as_str() {
            "/credentials" if is_authorized => Reply::http(200, &[], &aws::role_credentials()),
            _ => Reply::http(403, &[], r#"{"code":"Denied","message":"no"}"#),
        }
    });
    let mut stage = stage_without_identity(&aws);
    stage.set("AWS_CONTAINER_CREDENTIALS_FULL_URI", &format!("{}/credentials", container.url()));
    stage.set("AWS_CONTAINER_AUTHORIZATION_TOKEN", "container-NEVER-SHOWN");
    assert_eq!(stage.get(FRANKFURT).secret(), PASSWORD);

    stage.set("AWS_CONTAINER_AUTHORIZATION_TOKEN", "another-NEVER-SHOWN");
    assert!(stage.get(FRANKFURT).not_found().contains("the AWS identity cannot be used"));

    for without_scheme in ["127.0.0.1:80", "localhost", "credentials"] {
        stage.set("AWS_CONTAINER_CREDENTIALS_FULL_URI", without_scheme);
        let run = stage.get(FRANKFURT);
        assert!(run.not_found().contains("invalid full URI"), "{run:?}");
        assert!(run.stderr.contains(without_scheme) && !run.stderr.contains("panicked"), "{run:?}");
    }

    // Plain HTTP to anywhere else would send the authorization there.
    stage.set("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://192.0.2.1/credentials");
    stage.get(FRANKFURT).not_found();
}

#[test]
fn credentials_that_cannot_be_sent_are_told() {
    let aws = aws::proper();
    let words = |stage: &Stage| {
        let run = stage.get(FRANKFURT);
        assert!(run.not_found().contains("the AWS identity cannot be used: its "), "{run:?}");
        assert!(!run.stderr.contains("internal error") && !run.stderr.contains("panicked"), "{run:?}");
        run.stderr
    };
    let mut stage = Stage::with(&aws);
    stage.set("AWS_ACCESS_KEY_ID", "AKIA\nEXAMPLE");
    assert!(words(&stage).contains("its access key ID cannot be one"));
    stage.set_keys().set("AWS_SESSION_TOKEN", "session-NEVER-SHOWN\n\u{f6}");
    assert!(words(&stage).contains("its session token cannot be one"));

    let document = aws::role_credentials().replace("ASIAEXAMPLE", "ASIA\\nEXAMPLE");
    let container = Responder::start(move |_| Reply::http(200, &[], &document));
    let mut stage = stage_without_identity(&aws);
    stage.set("AWS_CONTAINER_CREDENTIALS_FULL_URI", &format!("{}/credentials", container.url()));
    assert!(words(&stage).contains("its access key ID cannot be one"));
    assert_eq!(aws.count(), 0);
}

#[test]
fn a_web_identity_is_exchanged_for_a_session() {
    let aws = aws::proper();
    let sts = Responder::start(|request| {
        assert!(request.body.contains("WebIdentityToken=web-NEVER-SHOWN"), "{}", request.body);
        let body = format!(
            "<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult><Credentials>\
             <AccessKeyId>ASIAWEB</AccessKeyId><SecretAccessKey>{SECRET_KEY}</SecretAccessKey>\
             <SessionToken>web-session-NEVER-SHOWN</SessionToken><Expiration>2999-01-01T00:00:00Z</Expiration>\
             </Credentials><AssumedRoleUser><AssumedRoleId>A:b</AssumedRoleId>\
             <Arn>arn:aws:sts::000000000001:assumed-role/a/b</Arn></AssumedRoleUser>\
             </AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>"
        );
        Reply::http(200, &[("content-type", "text/xml")], &body)
    });
    let mut stage = stage_without_identity(&aws);
    let token = stage.write("token", "web-NEVER-SHOWN");
    stage
        .set("AWS_WEB_IDENTITY_TOKEN_FILE", token.to_str().unwrap())
        .set("AWS_ROLE_ARN", "arn:aws:iam::000000000001:role/a")
        .set("AWS_ENDPOINT_URL_STS", &sts.url());
    assert_eq!(stage.get(FRANKFURT).secret(), PASSWORD);
    assert!(aws.requests()[0].header("authorization").contains("ASIAWEB"));

    let denying = Responder::start(|_| {
        let body = "<ErrorResponse><Error><Type>Sender</Type><Code>ExpiredTokenException</Code>\
                    <Message>Token expired: current date/time must be before the expiration date/time</Message>\
                    </Error><RequestId>r</RequestId></ErrorResponse>";
        Reply::http(400, &[("content-type", "text/xml")], body)
    });
    stage.set("AWS_ENDPOINT_URL_STS", &denying.url());
    assert!(stage.get(FRANKFURT).not_found().contains("the AWS identity has expired"));
}
