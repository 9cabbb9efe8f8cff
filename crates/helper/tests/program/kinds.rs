//! Each kind of failure: one sentence and one hint on standard error, and a record that says the same later.

use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use crate::stage::aws;
use crate::stage::responder::{Reply, Responder, dead_url};
use crate::stage::{FRANKFURT, MARKER, Stage};

/// The name of the file with the login of the session `ecru`: the digest of the name, as the AWS CLI has it.
const LOGIN: &str = ".aws/sso/cache/9a4edd2fda05228956d5d327c5105bf169467112.json";

const PROFILE: &str = "[profile dev]\nsso_session = ecru\nsso_account_id = 000000000001\nsso_role_name = reader\n\
                       [sso-session ecru]\nsso_region = eu-central-1\nsso_start_url = https://ecru.awsapps.com/start\n";

/// The records that the program has left.
fn records(stage: &Stage) -> Vec<Value> {
    let Ok(entries) = std::fs::read_dir(stage.path(".cache/ecru/failures")) else { return Vec::new() };
    let texts = entries.map(|entry| std::fs::read_to_string(entry.unwrap().path()).unwrap());
    texts
        .map(|text| {
            assert!(!text.contains(MARKER), "a secret in a record: {text}");
            serde_json::from_str(&text).unwrap()
        })
        .collect()
}

/// Asks in vain, and checks that standard error and the record say the same of a failure of this kind.
#[track_caller]
fn assert_kind(stage: &Stage, kind: &str, sentence: &str, hint: &str) -> Value {
    let run = stage.get(FRANKFURT);
    let stderr = run.not_found();
    let lines: Vec<&str> = stderr.lines().collect();
    let [said, hinted] = lines.as_slice() else { panic!("not one sentence and one hint: {stderr}") };
    assert!(said.contains(sentence), "`{sentence}` is not in: {said}");
    assert!(hinted.starts_with("hint: ") && hinted.contains(hint), "`{hint}` is not in: {hinted}");
    let [record] = records(stage).try_into().unwrap();
    assert_eq!((&record["kind"], &record["registry"]), (&json!(kind), &json!(FRANKFURT)), "{record}");
    let message = record["message"].as_str().unwrap();
    assert!(said.ends_with(message), "{message} differs from: {said}");
    assert_eq!(format!("hint: {}", record["hint"].as_str().unwrap()), *hinted);
    record
}

/// As [`assert_kind`], where ECR answers this.
#[track_caller]
fn assert_kind_after(reply: Reply, kind: &str, sentence: &str, hint: &str) -> Value {
    let aws = Responder::start(move |_| reply.clone());
    assert_kind(&Stage::with(&aws), kind, sentence, hint)
}

#[test]
fn what_aws_refuses() {
    for (code, message, kind, sentence, hint) in [
        (
            "AccessDeniedException",
            "User: arn:aws:iam::000000000001:user/ci is not authorized",
            "access-denied",
            "access denied by AWS: User: arn:aws:iam::000000000001:user/ci is not",
            "`ecr:GetAuthorizationToken` on resource `*`",
        ),
        (
            "ExpiredTokenException",
            "The security token included in the request is expired",
            "expired-identity",
            "has expired",
            "log in again",
        ),
        (
            "UnrecognizedClientException",
            "The security token is invalid",
            "invalid-identity",
            "does not accept the credentials",
            "`aws sts get-caller-identity`",
        ),
        (
            "InvalidSignatureException",
            "Signature not yet current: 20260101T010000Z is still later than 20260101T000000Z",
            "clock-skew",
            "this machine's clock",
            "set-ntp",
        ),
        (
            "InvalidSignatureException",
            "Credential should be scoped to a valid region, not 'eu-central-1'.",
            "wrong-region",
            "does not serve the request in this region",
            "AWS_ENDPOINT_URL",
        ),
        (
            "ThrottlingException",
            "Rate exceeded",
            "throttled",
            "throttled the request",
            "AWS_ECR_DISABLE_CACHE",
        ),
        ("InvalidParameterException", "no", "refused", "refused the request", "number of the request"),
    ] {
        let record = assert_kind_after(aws::refusal(400, code, message), kind, sentence, hint);
        if kind != "clock-skew" && kind != "expired-identity" {
            let call = json!({ "operation": "GetAuthorizationToken", "status": 400, "code": code, "request_id": "request-1" });
            assert_eq!(record["call"], call);
        }
    }
    let reply = aws::refusal(500, "ServerException", "oops");
    assert_kind_after(reply, "service-failure", "AWS failed: oops", "health.aws.amazon.com");
}

#[test]
fn what_the_connection_does() {
    let page = Reply::http(200, &[], "<html>please log in</html>");
    assert_kind_after(page, "malformed-answer", "cannot be used", "a proxy answers");

    let mut stage = Stage::new();
    stage.set_keys().set("AWS_ENDPOINT_URL_ECR", &dead_url());
    assert_kind(&stage, "unreachable", "cannot be reached", "check the route to AWS");

    let aws = aws::proper();
    let mut stage = Stage::with(&aws);
    stage.set("AWS_ENDPOINT_URL_ECR", &aws.url().replace("http:", "https:"));
    assert_kind(&stage, "tls", "the TLS connection", "AWS_CA_BUNDLE");

    let aws = Responder::start(|_| Reply::Silence);
    let mut stage = Stage::with(&aws);
    stage.set("ECRU_TIMEOUT", "0.5");
    assert_kind(&stage, "timed-out", "no answer after", "ECRU_TIMEOUT");
}

#[test]
fn what_the_machine_lacks() {
    let stage = Stage::new();
    let record = assert_kind(&stage, "no-identity", "no AWS identity was found", "an instance or task role");
    let sources: Vec<&Value> =
        record["attempts"].as_array().unwrap().iter().map(|attempt| &attempt["source"]).collect();
    assert_eq!(
        sources,
        ["Environment", "Profile", "WebIdentityToken", "EcsContainer", "Ec2InstanceMetadata"]
    );
    assert_eq!(record["chosen_by"], "the default chain of the AWS SDK");

    let mut stage = Stage::new();
    stage.set("ECRU_PROFILE", "failing");
    stage.write(".aws/config", "[profile failing]\ncredential_process = echo sorry >&2; exit 3\n");
    let record = assert_kind(&stage, "broken-identity", "cannot be used", "`aws sts get-caller-identity`");
    assert_eq!(record["chosen_by"], "the ECRU_ variables");
}

/// Keys are there, and what chose the identity does not let them be used.
#[test]
fn a_source_that_alone_may_be_used_and_has_nothing() {
    for (source, words, hint, name) in [
        ("container", "the container's credentials endpoint", "task or pod a role", "EcsContainer"),
        ("instance", "the instance's metadata service", "attach an instance profile", "Ec2InstanceMetadata"),
        ("web-identity", "the web identity token file", "AWS_WEB_IDENTITY_TOKEN_FILE", "WebIdentityToken"),
        ("profile", "the profile `default`", "the profile `default` credentials", "Profile"),
    ] {
        let mut stage = Stage::new();
        stage.set_keys().set("ECRU_SOURCE", source);
        let said = format!("no AWS identity was found, and only {words} may be used ({name}: ");
        let record = assert_kind(&stage, "no-identity", &said, hint);
        let stderr = stage.get(FRANKFURT).stderr;
        assert!(stderr.contains(", with the identity chosen by the ECRU_ variables: "), "{stderr}");
        assert!(!stderr.contains("Environment") && !stderr.contains("set AWS_ACCESS_KEY_ID"), "{stderr}");
        assert_eq!(record["attempts"].as_array().unwrap().len(), 1, "{record}");
    }
    let mut stage = Stage::new();
    stage.set_keys();
    stage.write(".config/ecru/config.toml", "[[registry]]\nmatch = '*'\nprofile = 'team-a'\n");
    let said = "no AWS identity was found, and only the profile `team-a` may be used (Profile: ";
    assert_kind(&stage, "no-identity", said, "give the profile `team-a` credentials");
    assert!(stage.get(FRANKFURT).stderr.contains(", with the identity chosen by the rule `*`: "));
}

#[test]
fn what_is_wrong_before_aws_is_asked() {
    let mut stage = Stage::new();
    stage.set("ECRU_SESSION_NAME", "ci");
    let run = stage.get(FRANKFURT);
    assert!(
        run.not_found().contains("`ECRU_SESSION_NAME` has no meaning without `ECRU_ROLE_ARN`"),
        "{run:?}"
    );
    assert_eq!(records(&stage)[0]["kind"], "configuration");

    let stage = Stage::new();
    stage.write(".config/ecru/config.toml", "registrys = []\n");
    assert_kind(&stage, "configuration", "unknown field `registrys`", "mend line 1");
}

/// An answer of the metadata service that travels one hop too few never arrives.
#[test]
fn an_instance_that_is_too_many_hops_away() {
    let metadata = Responder::start(|_| Reply::Silence);
    let mut stage = Stage::new();
    stage.unset("AWS_EC2_METADATA_DISABLED").set("AWS_EC2_METADATA_SERVICE_ENDPOINT", &metadata.url());
    assert_kind(
        &stage,
        "hop-limit",
        "Ec2InstanceMetadata: the instance metadata service did not answer",
        "--http-put-response-hop-limit 2",
    );
    assert!(metadata.requests().iter().all(|request| request.method == "PUT"));
}

#[test]
fn a_login_that_was_never_made_has_expired_or_is_over() {
    let sso = Responder::start(|_| {
        let headers = [("x-amzn-errortype", "UnauthorizedException"), ("x-amzn-requestid", "request-2")];
        Reply::http(401, &headers, r#"{"message":"Session token not found or invalid"}"#)
    });
    let mut stage = Stage::new();
    stage.set("AWS_PROFILE", "dev").set("AWS_ENDPOINT_URL_SSO", &sso.url());
    stage.write(".aws/config", PROFILE);
    let hint = "log in again: `aws sso login --profile dev`";
    assert_kind(&stage, "expired-login", "the login of the profile `dev`", hint);

    let login = |expires_at: &str| {
        json!({
            "accessToken": "access-token-NEVER-SHOWN",
            "expiresAt": expires_at,
            "region": "eu-central-1",
            "startUrl": "https://ecru.awsapps.com/start",
        })
        .to_string()
    };
    stage.write(LOGIN, &login("2026-01-01T00:00:00Z"));
    assert_kind(&stage, "expired-login", "has expired and cannot be refreshed", hint);
    assert_eq!(sso.count(), 0);

    stage.write(LOGIN, &login("2999-01-01T00:00:00Z"));
    assert_kind(&stage, "expired-login", "the login of the profile `dev`", hint);
    assert_eq!(sso.count(), 1);
}

/// The SDK itself calls STS for a role of a profile, and tells it in words only.
#[test]
fn a_role_of_a_profile_that_is_refused() {
    let denied =
        "User: arn:aws:iam::000000000001:user/ci is not authorized to perform: sts:AssumeRole on resource: x";
    let refuse = |code: &str, message: &str| {
        let body = format!(
            "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error></ErrorResponse>"
        );
        let headers = [("content-type", "text/xml"), ("x-amzn-requestid", "request-3")];
        Responder::start(move |_| Reply::http(403, &headers, &body))
    };
    for (code, message, kind, sentence, hint) in [
        ("AccessDenied", denied, "access-denied", "user/ci is not", "the role's trust policy"),
        (
            "RegionDisabledException",
            "STS is not activated in this region for account:000000000001",
            "wrong-region",
            "not activated",
            "enabled for the account",
        ),
    ] {
        let sts = refuse(code, message);
        let mut stage = Stage::new();
        stage.set_keys().set("AWS_ENDPOINT_URL_STS", &sts.url()).set("ECRU_PROFILE", "team");
        stage.write(
            ".aws/config",
            "[profile team]\nrole_arn = arn:aws:iam::000000000001:role/team\nsource_profile = keys\n\
             [profile keys]\naws_access_key_id = AKIAEXAMPLE\naws_secret_access_key = secret-key-NEVER-SHOWN\n",
        );
        let record = assert_kind(&stage, kind, sentence, hint);
        let call =
            json!({ "operation": "AssumeRole", "status": 403, "code": code, "request_id": "request-3" });
        assert_eq!(record["call"], call);
    }
}

#[test]
fn a_record_ends_with_the_failure_and_is_not_looked_for_by_a_warm_get() {
    let aws = aws::proper();
    let mut stage = Stage::with(&aws);
    let url = aws.url();
    stage.set("AWS_ENDPOINT_URL_ECR", &dead_url());
    stage.get(FRANKFURT).not_found();
    assert_eq!(records(&stage).len(), 1);
    stage.set("AWS_ENDPOINT_URL_ECR", &url);
    stage.get(FRANKFURT).secret();
    assert_eq!(records(&stage).len(), 0);

    // A token from the cache leaves even a record that is there.
    stage.write(".cache/ecru/failures/v1-kept.json", "{}");
    stage.get(FRANKFURT).secret();
    assert_eq!(records(&stage).len(), 1);
    assert_eq!(aws.count(), 1);
}

#[test]
fn a_record_that_cannot_be_kept_changes_nothing() {
    let aws = Responder::start(|_| aws::refusal(400, "AccessDeniedException", "User: u is not authorized"));
    let stage = Stage::with(&aws);
    stage.write(".cache/ecru/failures", "in the way");
    let stderr = stage.get(FRANKFURT).not_found().to_owned();
    assert!(stderr.contains("User: u is not authorized"), "{stderr}");
}

#[test]
fn a_process_that_shows_its_answer_while_it_fails_is_not_repeated() {
    let mut stage = Stage::new();
    let process = stage.path("process");
    stage.write("process", &format!("out='{{\"Version\":1,\"SecretAccessKey\":\"{MARKER}\"}}'\nexit 1\n"));
    stage.write(".aws/config", &format!("[profile x]\ncredential_process = sh -x {}\n", process.display()));
    stage.set("AWS_PROFILE", "x");
    let record = assert_kind(&stage, "broken-identity", "Stderr: + out=", "aws sts get-caller-identity");
    assert!(!record.to_string().contains(MARKER), "{record}");
    assert!(!stage.get(FRANKFURT).not_found().contains(MARKER));
}

#[test]
fn half_an_identity_is_told_by_what_it_lacks() {
    let mut stage = Stage::new();
    stage.set("AWS_PROFILE", "nope").set("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE");
    let half = "Environment: AWS_ACCESS_KEY_ID is set, and AWS_SECRET_ACCESS_KEY is not; Profile: the profile `nope` has no";
    assert_kind(&stage, "no-identity", half, "unset AWS_PROFILE");
    let mut stage = Stage::new();
    stage.set("ECRU_IDENTITY_TOKEN_ENV", "GITLAB_OIDC_TOKEN");
    stage.set("ECRU_ROLE_ARN", "arn:aws:iam::000000000001:role/ci");
    assert_kind(&stage, "broken-identity", "GITLAB_OIDC_TOKEN, which should hold", "`id_tokens:`");
}

#[test]
fn hints_are_for_the_service_that_failed() {
    let mut stage = Stage::new();
    stage.set("ECRU_IDENTITY_TOKEN_ENV", "OIDC").set("OIDC", "e30.e30.c2ln");
    stage.set("ECRU_ROLE_ARN", "arn:aws:iam::000000000001:role/ci");
    let denied = Responder::start(|_| {
        let error = "<Code>AccessDenied</Code><Message>Not authorized to perform sts:AssumeRoleWithWebIdentity</Message>";
        let body = format!("<ErrorResponse><Error><Type>Sender</Type>{error}</Error></ErrorResponse>");
        Reply::http(403, &[("content-type", "text/xml")], &body)
    });
    stage.set("AWS_ENDPOINT_URL_STS", &denied.url());
    assert_kind(&stage, "access-denied", "AssumeRoleWithWebIdentity", "trust policy allow");
}

#[test]
fn a_throttle_that_is_waited_out_in_vain_is_the_cause() {
    let asked = AtomicUsize::new(0);
    let aws = Responder::start(move |_| match asked.fetch_add(1, Ordering::Relaxed) {
        // As often as the SDK tries at once.
        0..3 => aws::refusal(400, "ThrottlingException", "Rate exceeded"),
        _ => Reply::Silence,
    });
    let mut stage = Stage::with(&aws);
    stage.set("ECRU_TIMEOUT", "5");
    assert_kind(&stage, "throttled", "AWS has throttled the request", "wait a minute");
    assert!(aws.count() > 3, "it was asked again");
}

#[test]
fn a_process_that_hangs_after_a_throttle_is_ended_as_any_other() {
    let sts = Responder::start(|_| {
        let error = "<Code>Throttling</Code><Message>Rate exceeded</Message>";
        let body = format!("<ErrorResponse><Error><Type>Sender</Type>{error}</Error></ErrorResponse>");
        Reply::http(400, &[("content-type", "text/xml")], &body)
    });
    let mut stage = Stage::new();
    let (process, hangs) = (stage.path("process"), stage.path("hangs"));
    // It answers once.
    stage.write(
        "process",
        &format!(
            "[ -e {0} ] && exec sleep 1234567\ntouch {0}\n\
             echo '{{\"Version\":1,\"AccessKeyId\":\"AKIAEXAMPLE\",\"SecretAccessKey\":\"{MARKER}\"}}'\n",
            hangs.display()
        ),
    );
    stage.write(
        ".aws/config",
        &format!(
            "[profile x]\nrole_arn = arn:aws:iam::000000000001:role/x\nsource_profile = p\n\
             [profile p]\ncredential_process = sh {}\n",
            process.display()
        ),
    );
    stage.set("AWS_PROFILE", "x").set("AWS_ENDPOINT_URL_STS", &sts.url()).set("ECRU_TIMEOUT", "10");
    assert_kind(&stage, "broken-identity", "the `credential_process` that the profile `x` uses", "aws sts");
    assert!(hangs.exists() && sts.count() > 0, "it was throttled first");
}
