//! Whatever goes wrong: one fixed line for the caller, the cause and a hint for the person, no secret for anybody.

use serde_json::json;

use crate::stage::aws::{self, PASSWORD};
use crate::stage::responder::{Reply, Responder, dead_url};
use crate::stage::{FRANKFURT, PUBLIC, SECRET_KEY, SESSION_TOKEN, Stage};

/// What stderr says when AWS answers this to a request for the registry in Frankfurt.
fn stderr_after(reply: Reply) -> String {
    let aws = Responder::start(move |_| reply.clone());
    let stage = Stage::with(&aws);
    stage.get(FRANKFURT).not_found().to_owned()
}

/// Something that makes a proper answer improper.
type Change = Box<dyn Fn(&mut serde_json::Value) + Send + Sync>;

/// What stderr says when AWS's answer is changed like this.
fn stderr_after_change(change: impl Fn(&mut serde_json::Value) + Send + Sync + 'static) -> String {
    let aws = Responder::start(move |request| aws::answer(request, &change));
    let stage = Stage::with(&aws);
    let stderr = stage.get(FRANKFURT).not_found().to_owned();
    assert!(stage.cached_files("json").is_empty(), "a refused answer was kept");
    stderr
}

#[track_caller]
fn assert_has(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "`{part}` is not in: {text}");
    }
}

#[test]
fn refusals_are_told_with_status_code_and_request() {
    let denied = "User: arn:aws:sts::000000000001:assumed-role/builder/i-1 is not authorized to perform: \
                  ecr:GetAuthorizationToken on resource: *";
    for (status, code, message, parts) in [
        (
            400,
            "AccessDeniedException",
            denied,
            &["access denied", "assumed-role/builder", "hint: let the principal"][..],
        ),
        (
            400,
            "ExpiredTokenException",
            "The security token has expired",
            &["has expired", "hint: log in again"],
        ),
        (
            400,
            "UnrecognizedClientException",
            "The security token is invalid",
            &["does not accept the credentials"],
        ),
        (
            400,
            "InvalidSignatureException",
            "Signature expired: 20260101T000000Z is now earlier than 20260101T010000Z",
            &["clock", "hint: set the clock"],
        ),
        (400, "InvalidParameterException", "no", &["AWS refused the request: no "]),
    ] {
        let stderr = stderr_after(aws::refusal(status, code, message));
        assert_has(
            &stderr,
            &[FRANKFURT, "GetAuthorizationToken", &format!("status {status}"), code, "request request-1"],
        );
        assert_has(&stderr, parts);
    }
}

#[test]
fn failures_of_aws_are_tried_again_and_told() {
    let aws = Responder::start(|_| aws::refusal(500, "ServerException", "oops"));
    let stage = Stage::with(&aws);
    assert_has(stage.get(FRANKFURT).not_found(), &["AWS failed", "oops", "status 500"]);
    assert_eq!(aws.count(), 3);
}

#[test]
fn aws_repeating_the_request_leaks_nothing() {
    let message = format!(
        "The request signature does not match {SESSION_TOKEN}.\n\nThe Canonical String was\nx-amz-security-token:{SESSION_TOKEN}"
    );
    let stderr = stderr_after(aws::refusal(400, "InvalidSignatureException", &message));
    assert_has(&stderr, &["The request signature does not match [redacted]. (Get"]);
    let stderr = stderr_after(aws::refusal(400, SECRET_KEY, "\u{1b}[31mred\u{7}"));
    assert_has(&stderr, &["[redacted]", "\\u{1b}[31mred\\u{7}"]);
}

#[test]
fn answers_that_aws_never_gives_are_refused() {
    let past = json!(aws::now() - 60);
    let changes: [(Change, &str); 9] = [
        (Box::new(|data| data["authorizationToken"] = json!("no base64")), "not base64"),
        (
            Box::new(|data| data["authorizationToken"] = json!(aws::base64(b"AWS:a\r\nb"))),
            "characters that no token has",
        ),
        (
            Box::new(|data| data["authorizationToken"] = json!(aws::base64(b"root:NEVER-SHOWN"))),
            "the user AWS",
        ),
        (Box::new(|data| data["authorizationToken"] = json!(null)), "no token"),
        (Box::new(move |data| data["expiresAt"] = past.clone()), "clock"),
        (Box::new(|data| data["expiresAt"] = json!(null)), "when the token expires"),
        (
            Box::new(|data| {
                data["proxyEndpoint"] = json!("https://000000000001.dkr.ecr.us-east-1.amazonaws.com");
            }),
            "another region",
        ),
        (
            Box::new(|data| {
                data["proxyEndpoint"] =
                    json!("https://000000000001.dkr.ecr.eu-central-1.amazonaws.com.evil.com");
            }),
            "none of Amazon ECR",
        ),
        (Box::new(|data| data["proxyEndpoint"] = json!(null)), "no registry"),
    ];
    for (change, part) in changes {
        let stderr = stderr_after_change(change);
        assert_has(&stderr, &[part, FRANKFURT]);
    }
}

#[test]
fn several_tokens_or_none_are_refused() {
    let one = json!({ "authorizationToken": "QVdTOng=", "expiresAt": aws::now() + 60 });
    for list in [json!([]), json!([one, one])] {
        let stderr = stderr_after(aws::json_reply(200, &json!({ "authorizationData": list })));
        assert_has(&stderr, &["exactly one token"]);
    }
}

#[test]
fn answers_that_are_cut_off_or_no_json_are_refused() {
    for reply in [
        Reply::http(200, &[], "<html>hello</html>"),
        Reply::http(200, &[], r#"{"authorizationData":["#),
        Reply::Bytes(b"HTTP/1.1 200 OK\r\ncontent-length: 5000\r\n\r\n{\"authorizationData\":[{".to_vec()),
        Reply::Bytes(b"SSH-2.0-OpenSSH\r\n".to_vec()),
        Reply::Bytes(Vec::new()),
    ] {
        let stderr = stderr_after(reply);
        assert_has(&stderr, &[FRANKFURT]);
        assert!(stderr.contains("cannot be used") || stderr.contains("cannot be reached"), "{stderr}");
    }
}

#[test]
fn an_answer_without_end_is_not_read_to_its_end() {
    let head = b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{\"authorizationData\":[".to_vec();
    assert_has(&stderr_after(Reply::Endless(head)), &["it is too long"]);
}

#[test]
fn redirects_are_not_followed() {
    let elsewhere = aws::proper();
    let url = elsewhere.url();
    for status in [301, 302, 307, 308] {
        stderr_after(Reply::http(status, &[("location", &url)], ""));
    }
    assert_eq!(elsewhere.count(), 0);
}

#[test]
fn silence_ends_at_the_deadline_and_names_who_was_silent() {
    let aws = Responder::start(|_| Reply::Silence);
    let mut stage = Stage::with(&aws);
    stage.set("ECRU_TIMEOUT", "0.5");
    let run = stage.get(FRANKFURT).within(3);
    assert_has(run.not_found(), &["no answer after", &aws.address().to_string(), "hint: ", "ECRU_TIMEOUT"]);
}

#[test]
fn nobody_at_the_endpoint_is_told() {
    let mut stage = Stage::new();
    stage.set_keys().set("AWS_ENDPOINT_URL_ECR", &dead_url());
    assert_has(stage.get(FRANKFURT).not_found(), &["cannot be reached", "hint: check the route"]);
}

#[test]
fn plain_http_never_leaves_this_machine() {
    let mut stage = Stage::new();
    stage.set_keys();
    for endpoint in ["http://192.0.2.1", "http://[2001:db8::1]:8080", "http://0.0.0.0"] {
        stage.set("AWS_ENDPOINT_URL_ECR", endpoint);
        assert_has(stage.get(FRANKFURT).not_found(), &["plain HTTP outside this machine"]);
    }
    stage.set("AWS_ENDPOINT_URL_ECR", "nonsense");
    assert_has(stage.get(FRANKFURT).not_found(), &["the configured AWS endpoint"]);
}

#[test]
fn without_tls_on_the_other_side_nothing_is_sent() {
    let aws = aws::proper();
    let mut stage = Stage::with(&aws);
    stage.set("AWS_ENDPOINT_URL_ECR", &aws.url().replace("http:", "https:"));
    assert_has(stage.get(FRANKFURT).not_found(), &["TLS", "hint: ", "AWS_CA_BUNDLE"]);
    assert_eq!(aws.count(), 0);

    stage.set("AWS_CA_BUNDLE", "/nonexistent.pem");
    assert_has(
        stage.get(FRANKFURT).not_found(),
        &["`/nonexistent.pem`, which AWS_CA_BUNDLE names, does not exist"],
    );
    stage.unset("AWS_CA_BUNDLE").write(".aws/config", "[default]\nca_bundle = /none.pem\n");
    assert_has(
        stage.get(FRANKFURT).not_found(),
        &["`/none.pem`, which `ca_bundle` of the profile names, does not exist"],
    );
}

#[test]
fn a_setting_that_makes_no_sense_does_not_stop_the_program() {
    let aws = aws::proper();
    for (name, value) in [
        ("AWS_MAX_ATTEMPTS", "0"),
        ("AWS_RETRY_MODE", "nonsense"),
        ("AWS_USE_FIPS_ENDPOINT", "nonsense"),
        ("AWS_SDK_UA_APP_ID", "\u{e4} not an app id"),
        ("AWS_CONFIG_FILE", "/"),
        ("AWS_SHARED_CREDENTIALS_FILE", "/proc/self/mem"),
        ("AWS_PROFILE", ""),
        ("HTTPS_PROXY", "nonsense://"),
        ("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "nonsense"),
        ("AWS_ECR_CACHE_DIR", "/dev/null"),
        ("XDG_CACHE_HOME", "relative"),
        ("AWS_REGION", "nonsense"),
    ] {
        let mut stage = Stage::with(&aws);
        stage.set(name, value);
        assert_eq!(stage.get(FRANKFURT).secret(), PASSWORD, "{name}={value}");
    }
    let mut stage = Stage::with(&aws);
    stage.set("ECRU_TIMEOUT", "soon");
    let run = stage.get(FRANKFURT);
    assert_eq!(run.secret(), PASSWORD);
    assert_has(&run.stderr, &["ECRU_TIMEOUT is not a number of seconds"]);
}

#[test]
fn failures_are_reported_to_the_caller_only_where_that_is_wanted() {
    let aws = Responder::start(|_| {
        aws::refusal(400, "AccessDeniedException", "User: arn:aws:iam::1:user/x is not")
    });
    let stage = Stage::with(&aws);
    stage.write(".config/ecru/config.toml", "on_error = 'report'");
    let run = stage.get(FRANKFURT);
    // Callers copy this into logs that outsiders read: it names no principal.
    assert_eq!((run.code, run.stdout.as_str()), (1, format!("{FRANKFURT}: access denied by AWS\n").as_str()));
    assert_has(&run.stderr, &["user/x"]);
    // Whoever has no credentials for ECR Public can read it without.
    stage.get(PUBLIC).not_found();
}
