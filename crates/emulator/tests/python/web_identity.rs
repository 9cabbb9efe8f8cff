//! Tokens of the emulated GitLab, which both clients exchange by themselves or by a call.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime};

use ecru_emulator::{Clock, Emulator, GitLabClaims, GitLabIssuer, Identity, Options, SigningAlgorithm};
use secrecy::ExposeSecret as _;
use serde_json::json;

use crate::client::{Client, Instance};

const ROLE: &str = "arn:aws:iam::000000000000:role/deploy";
const SESSION: &str = "arn:aws:sts::000000000000:assumed-role/deploy/gitlab-job-400";
const HOUR: i64 = 3600;

/// The role `deploy`, which trusts jobs on the branch `main` of `team/app`.
fn deploy() -> Identity {
    let trust = json!({
        "Version": "2012-10-17",
        "Statement": {
            "Effect": "Allow",
            "Principal": { "Federated": "arn:aws:iam::000000000000:oidc-provider/gitlab.example.com" },
            "Action": "sts:AssumeRoleWithWebIdentity",
            "Condition": { "StringEquals": {
                "gitlab.example.com:aud": "sts.amazonaws.com",
                "gitlab.example.com:sub": "project_path:team/app:ref_type:branch:ref:main",
            } },
        },
    });
    let pull = json!({
        "Version": "2012-10-17",
        "Statement": { "Effect": "Allow", "Action": ["ecr:Get*", "ecr:Describe*"], "Resource": "*" },
    });
    Identity {
        name: "deploy".into(),
        policies: vec![pull.to_string()],
        trust_policy: Some(trust.to_string()),
        ..Identity::default()
    }
}

async fn emulator_with(clock: Clock) -> Emulator {
    let gitlab =
        GitLabIssuer { issuer: Some("https://gitlab.example.com".into()), ..GitLabIssuer::default() };
    Emulator::start(Options { gitlab, clock, roles: vec![deploy()], ..Options::default() }).await.unwrap()
}

fn job_of(emulator: &Emulator, claims: &GitLabClaims) -> Client {
    let variables = emulator.web_identity_environment(ROLE, claims).unwrap();
    Client::of(emulator, Instance::Hidden, variables)
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs boto3 and the AWS CLI of version 1 (cargo xtask test installs them)"]
async fn a_job_has_the_role_that_trusts_it() {
    let emulator = emulator_with(Clock::system()).await;
    for algorithm in [SigningAlgorithm::Rs256, SigningAlgorithm::Es256] {
        let claims = GitLabClaims { algorithm, ..GitLabClaims::default() };
        let job = job_of(&emulator, &claims);
        assert_eq!(job.aws_json("sts get-caller-identity")["Arn"], SESSION);
        assert!(job.aws("ecr get-login-password").unwrap().starts_with("ecru-emulator."));
        assert!(job.aws("ecr describe-repositories --query repositories").unwrap().starts_with("[]"));
        let denied = job.aws("ecr create-repository --repository-name team/app").unwrap_err();
        let reason = "is not authorized to perform: ecr:CreateRepository on resource: \
                      arn:aws:ecr:us-east-1:000000000000:repository/team/app because no identity-based policy \
                      allows the ecr:CreateRepository action";
        assert!(
            denied.contains(&format!(
                "(AccessDeniedException) when calling the CreateRepository operation: \
            User: {SESSION} {reason}"
            )),
            "{denied}"
        );
        let seen = job
            .boto3(
                r#"
print(json.dumps({
    "caller": boto3.client("sts").get_caller_identity()["Arn"],
    "endpoint": boto3.client("ecr").get_authorization_token()["authorizationData"][0]["proxyEndpoint"],
}))
"#,
            )
            .unwrap();
        assert_eq!(seen["caller"], SESSION);
        assert_eq!(seen["endpoint"], "https://000000000000.dkr.ecr.us-east-1.amazonaws.com");
    }
    emulator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs boto3 and the AWS CLI of version 1 (cargo xtask test installs them)"]
async fn a_token_is_exchanged_by_a_call_that_nobody_signs() {
    let emulator = emulator_with(Clock::system()).await;
    let token = emulator.gitlab_id_token(&GitLabClaims::default()).unwrap();
    let nobody = Client::of(&emulator, Instance::Hidden, Vec::new());
    let answer = nobody.aws_json(&format!(
        "sts assume-role-with-web-identity --role-arn {ROLE} --role-session-name job --web-identity-token {}",
        token.expose_secret()
    ));
    assert_eq!(answer["SubjectFromWebIdentityToken"], GitLabClaims::default().subject());
    assert_eq!(answer["Audience"], "sts.amazonaws.com");
    assert_eq!(answer["AssumedRoleUser"]["Arn"], "arn:aws:sts::000000000000:assumed-role/deploy/job");
    emulator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs boto3 and the AWS CLI of version 1 (cargo xtask test installs them)"]
async fn other_jobs_are_refused_in_the_words_of_aws() {
    let emulator = emulator_with(Clock::system()).await;
    let denied = "(AccessDenied) when calling the AssumeRoleWithWebIdentity operation: \
                  Not authorized to perform sts:AssumeRoleWithWebIdentity";
    for claims in [
        GitLabClaims { project_path: "fork/app".into(), ..GitLabClaims::default() },
        GitLabClaims { git_ref: "feature".into(), ..GitLabClaims::default() },
        GitLabClaims { audience: "https://other.example".into(), ..GitLabClaims::default() },
    ] {
        let job = job_of(&emulator, &claims);
        let said = job.aws("ecr get-login-password").unwrap_err();
        assert!(said.contains(denied), "{said}");
        let said = job.boto3("boto3.client('ecr').get_authorization_token()").unwrap_err();
        assert!(said.contains(denied), "{said}");
    }
    emulator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs boto3 and the AWS CLI of version 1 (cargo xtask test installs them)"]
async fn an_expired_token_is_refused_in_the_words_of_aws() {
    let ahead = Arc::new(AtomicI64::new(0));
    let shown = ahead.clone();
    #[expect(clippy::disallowed_methods, reason = "a clock that is moved is moved from the real time")]
    let clock = Clock::from_fn(move || {
        SystemTime::now() + Duration::from_secs(shown.load(Ordering::Relaxed).unsigned_abs())
    });
    let emulator = emulator_with(clock).await;
    let variables = emulator.web_identity_environment(ROLE, &GitLabClaims::default()).unwrap();
    let job = Client::of(&emulator, Instance::Hidden, variables.clone());
    assert_eq!(job.aws_json("sts get-caller-identity")["Arn"], SESSION);
    ahead.store(HOUR + 1, Ordering::Relaxed);
    // In another home, because the AWS CLI has kept the session in that one.
    let job = Client::of(&emulator, Instance::Hidden, variables);
    let expired = "(ExpiredTokenException) when calling the AssumeRoleWithWebIdentity operation: \
                   Token expired: current date/time";
    let said = job.aws("sts get-caller-identity").unwrap_err();
    assert!(said.contains(expired), "{said}");
    let said = job.boto3("boto3.client('sts').get_caller_identity()").unwrap_err();
    assert!(said.contains(expired), "{said}");
    emulator.stop().await;
}
