//! docs/TROUBLESHOOTING.md is headed by literal messages: each one of the helper's is made to appear here.

use std::os::unix::fs::symlink;
use std::path::Path;

use assert_cmd::Command;
use ecru_ecr::config::{ConfigError, PolicyError};

use crate::stage::responder::{Reply, Responder, dead_url};
use crate::stage::{FRANKFURT, Stage, aws, program};

const ROLE: &str = "arn:aws:iam::000000000001:role/a";

/// A message as the page's heading has it, with `…` for what differs, and what makes the program print it.
type Message = (&'static str, fn() -> String);

const MESSAGES: &[Message] = &[
    ("credentials not found in native keychain", || Stage::new().get("ghcr.io").stdout),
    // Only root can lay down a policy, which tests/rootns does; here the sentence alone.
    ("the policy of this machine does not allow …", || {
        PolicyError::Account { account: "000000000002".to_owned() }.to_string()
    }),
    ("the configuration file … does not count: …", || {
        ConfigError::Untrusted {
            path: "/etc/ecru/config.toml".into(),
            culprit: "/etc/ecru/config.toml".into(),
            reason: "others can write it".to_owned(),
        }
        .to_string()
    }),
    ("the configuration file … is not valid at line …, column …: …", || {
        let stage = Stage::new();
        stage.write(".config/ecru/config.toml", "registrys = []\n");
        words(&stage)
    }),
    ("no AWS identity was found (…)", || words(&Stage::new())),
    ("no AWS identity was found, and only … may be used (…)", || {
        let mut stage = Stage::new();
        stage.set_keys().set("ECRU_PROFILE", "missing");
        words(&stage)
    }),
    ("…, which should hold the identity token, is not set", || {
        let mut stage = Stage::new();
        stage.set("ECRU_IDENTITY_TOKEN_ENV", "GITLAB_OIDC_TOKEN").set("ECRU_ROLE_ARN", ROLE);
        words(&stage)
    }),
    ("access denied by AWS: User: … is not authorized to perform: sts:AssumeRole …", || {
        let sts = sts_that_denies("User: u is not authorized to perform: sts:AssumeRole on resource: r");
        let mut stage = Stage::new();
        stage.set_keys().set("AWS_ENDPOINT_URL_STS", &sts.url()).set("ECRU_ROLE_ARN", ROLE);
        words(&stage)
    }),
    ("access denied by AWS: Not authorized to perform sts:AssumeRoleWithWebIdentity …", || {
        let sts = sts_that_denies("Not authorized to perform sts:AssumeRoleWithWebIdentity");
        let mut stage = Stage::new();
        stage.set("AWS_ENDPOINT_URL_STS", &sts.url()).set("ECRU_ROLE_ARN", ROLE);
        stage.set("ECRU_IDENTITY_TOKEN_ENV", "OIDC").set("OIDC", "e30.e30.c2ln");
        words(&stage)
    }),
    ("access denied by AWS: … ecr:GetAuthorizationToken …", || {
        let denied = "User: u is not authorized to perform: ecr:GetAuthorizationToken on resource: *";
        words_after(aws::refusal(400, "AccessDeniedException", denied))
    }),
    ("the AWS identity cannot be used: …", || {
        let mut stage = Stage::new();
        stage.set("AWS_PROFILE", "failing");
        stage.write(".aws/config", "[profile failing]\ncredential_process = exit 3\n");
        words(&stage)
    }),
    ("the instance metadata service names a role that is none", || {
        let page = Responder::start(|_| {
            Reply::http(200, &[("x-aws-ec2-metadata-token-ttl-seconds", "60")], "<html>please-log-in</html>")
        });
        let mut stage = Stage::new();
        stage.unset("AWS_EC2_METADATA_DISABLED").set("AWS_EC2_METADATA_SERVICE_ENDPOINT", &page.url());
        words(&stage)
    }),
    ("the profile … has no credentials, and no other source may be used", || {
        let mut stage = Stage::new();
        let metadata = aws::metadata();
        stage.unset("AWS_EC2_METADATA_DISABLED").set("AWS_EC2_METADATA_SERVICE_ENDPOINT", &metadata.url());
        stage.set("ECRU_PROFILE", "empty");
        stage.write(".aws/config", "[profile empty]\nregion = eu-central-1\n");
        words(&stage)
    }),
    ("the program's name asks for the profile …, which the configuration does not have", || {
        let stage = Stage::new();
        let link = stage.path("docker-credential-ecr-login-team");
        symlink(program(), &link).unwrap();
        let mut command = Command::new(&link);
        command.arg("get").env_clear().envs(stage.variables()).write_stdin(FRANKFURT);
        String::from_utf8(command.output().unwrap().stderr).unwrap()
    }),
    ("the login of the profile … has expired", || {
        let mut stage = Stage::new();
        stage.set("AWS_PROFILE", "dev");
        stage.write(
            ".aws/config",
            "[profile dev]\nsso_session = s\nsso_account_id = 000000000001\nsso_role_name = r\n\
             [sso-session s]\nsso_region = eu-central-1\nsso_start_url = https://ecru.awsapps.com/start\n",
        );
        words(&stage)
    }),
    ("the AWS identity has expired", || {
        words_after(aws::refusal(400, "ExpiredTokenException", "The security token has expired"))
    }),
    ("AWS does not accept the credentials", || {
        words_after(aws::refusal(400, "UnrecognizedClientException", "The security token is invalid"))
    }),
    ("AWS does not serve the request in this region", || {
        let scope = "Credential should be scoped to a valid region, not 'eu-central-1'.";
        words_after(aws::refusal(400, "InvalidSignatureException", scope))
    }),
    ("this machine's clock and that of AWS differ", || {
        let expired = "Signature expired: 20260101T000000Z is now earlier than 20260101T010000Z";
        words_after(aws::refusal(400, "InvalidSignatureException", expired))
    }),
    ("AWS has throttled the request", || {
        words_after(aws::refusal(400, "ThrottlingException", "Rate exceeded"))
    }),
    ("AWS failed: …", || words_after(aws::refusal(500, "ServerException", "oops"))),
    ("AWS refused the request: …", || words_after(aws::refusal(400, "InvalidParameterException", "no"))),
    ("no answer after … s from …", || {
        let silent = Responder::start(|_| Reply::Silence);
        let mut stage = Stage::with(&silent);
        stage.set("ECRU_TIMEOUT", "0.5");
        words(&stage)
    }),
    ("… cannot be reached: …", || {
        let mut stage = Stage::new();
        stage.set_keys().set("AWS_ENDPOINT_URL_ECR", &dead_url());
        words(&stage)
    }),
    ("the TLS connection to … failed", || {
        let aws = aws::proper();
        let mut stage = Stage::with(&aws);
        stage.set("AWS_ENDPOINT_URL_ECR", &aws.url().replace("http:", "https:"));
        words(&stage)
    }),
    ("the answer of … cannot be used", || words_after(Reply::http(200, &[], "<html>please log in</html>"))),
    ("the ECRU_ variables select no identity", || {
        let mut stage = Stage::new();
        stage.set("ECRU_EXTERNAL_ID", "external");
        words(&stage)
    }),
];

#[test]
fn each_message_of_the_page_is_one_that_the_program_prints() {
    let wrong: Vec<String> = MESSAGES
        .iter()
        .map(|(message, printed)| (message, printed()))
        .filter(|(message, printed)| !printed.lines().any(|line| has(line, message)))
        .map(|(message, printed)| format!("`{message}` is not in: {printed}"))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_page_has_these_messages_and_no_others_of_the_helper() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/TROUBLESHOOTING.md");
    let page = std::fs::read_to_string(path).unwrap();
    let (_, rest) = page.split_once("<!-- helper: begin -->").expect("the mark before the helper's messages");
    let (part, _) = rest.split_once("<!-- helper: end -->").expect("the mark after the helper's messages");
    let headings: Vec<&str> =
        part.lines().filter_map(|line| line.strip_prefix("## `")?.strip_suffix('`')).collect();
    let messages: Vec<&str> = MESSAGES.iter().map(|(message, _)| *message).collect();
    for heading in &headings {
        assert!(messages.contains(heading), "nothing makes the program print `{heading}`");
    }
    for message in &messages {
        assert!(headings.contains(message), "the page says nothing about `{message}`");
    }
}

/// An STS that denies all that it is asked.
fn sts_that_denies(words: &'static str) -> Responder {
    let body = format!(
        "<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>{words}</Message></Error></ErrorResponse>"
    );
    Responder::start(move |_| Reply::http(403, &[("content-type", "text/xml")], &body))
}

/// What standard error says when a token is asked for.
fn words(stage: &Stage) -> String {
    stage.get(FRANKFURT).not_found().to_owned()
}

/// What it says when ECR answers this.
fn words_after(reply: Reply) -> String {
    let aws = Responder::start(move |_| reply.clone());
    words(&Stage::with(&aws))
}

/// Whether a line has the parts of a message in their order.
fn has(line: &str, message: &str) -> bool {
    let found = message.split('…').try_fold(line, |rest, part| Some(rest.split_once(part)?.1));
    found.is_some()
}

#[test]
fn a_message_is_found_by_its_parts_in_their_order() {
    assert!(has("x: no answer after 10 s from ECR", "no answer after … s from …"));
    assert!(!has("s from no answer after 10", "no answer after … s from …"));
    assert!(!has("no answer", "no answer after …"));
}
