//! The trust policy of `ecru emit trust-policy`, enforced by emulated STS: jobs of the project and ref that it names get a
//! password by their ID tokens, as in a job of `ecru emit gitlab-ci`; others do not.

#![expect(clippy::expect_used, clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::process::Output;

use ecru_emulator::{Emulator, GitLabClaims, GitLabIssuer, Identity, Options};
use ecru_testkit::Sandbox;
use secrecy::ExposeSecret as _;
use serde_json::Value;

const HOST: &str = "000000000000.dkr.ecr.us-east-1.amazonaws.com";
const ROLE: &str = "arn:aws:iam::000000000000:role/gitlab";
const GITLAB: &str = "https://gitlab.example.com";
const TOKEN_ONLY: &str = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"ecr:GetAuthorizationToken","Resource":"*"}}"#;

/// Emulated AWS with a role that jobs of a GitLab may assume as an emitted policy says.
struct Stage {
    sandbox: Sandbox,
    runtime: tokio::runtime::Runtime,
    emulator: Emulator,
}

impl Drop for Stage {
    fn drop(&mut self) {
        // Its listeners end with the runtime.
        let _guard = self.runtime.enter();
    }
}

impl Stage {
    fn new() -> Self {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let gitlab = GitLabIssuer { issuer: Some(GITLAB.to_owned()), ..GitLabIssuer::default() };
        let options = Options { gitlab, ..Options::default() };
        let emulator = runtime.block_on(Emulator::start(options)).expect("an emulator");
        Self { sandbox: Sandbox::new(), runtime, emulator }
    }

    fn ecru(&self, arguments: &[&str], environment: &[(&str, &str)]) -> Output {
        let endpoints =
            self.emulator.environment().into_iter().filter(|(name, _)| name.contains("ENDPOINT_URL"));
        let mut command = self.sandbox.command(env!("CARGO_BIN_EXE_ecru"));
        command.envs(endpoints).env("AWS_EC2_METADATA_DISABLED", "true").env("AWS_ECR_DISABLE_CACHE", "1");
        command.envs(environment.iter().copied()).args(arguments).output().expect("the program starts")
    }

    /// Trusts whom `ecru emit trust-policy` says with these arguments.
    fn trust(&self, arguments: &[&str]) -> Value {
        let all =
            [&["emit", "trust-policy", "--role-arn", ROLE, "--gitlab-url", GITLAB][..], arguments].concat();
        let output = self.ecru(&all, &[]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let trust_policy = String::from_utf8(output.stdout).expect("text");
        let document = serde_json::from_str(&trust_policy).expect("JSON");
        let role = Identity {
            name: "gitlab".to_owned(),
            policies: vec![TOKEN_ONLY.to_owned()],
            trust_policy: Some(trust_policy),
            ..Identity::default()
        };
        self.emulator.set_role(&role).expect("a policy that is understood");
        document
    }

    /// What a job with such a token gets: a password, or what it says instead.
    fn job(&self, claims: &GitLabClaims) -> Result<(), String> {
        let token = self.emulator.gitlab_id_token(claims).expect("a token");
        let environment = [("ECRU_IDENTITY_TOKEN", token.expose_secret()), ("ECRU_ROLE_ARN", ROLE)];
        let output = self.ecru(&["token", HOST], &environment);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!said.contains(token.expose_secret()), "the token is a secret");
        if !output.status.success() {
            return Err(said);
        }
        assert!(output.stdout.starts_with(b"ecru-emulator"));
        Ok(())
    }

    #[track_caller]
    fn assert_refused(&self, claims: &GitLabClaims) {
        let said = self.job(claims).expect_err("a job that is not trusted");
        assert!(said.contains("Not authorized to perform sts:AssumeRoleWithWebIdentity"), "{said}");
    }
}

fn of(project: &str, ref_type: &str, git_ref: &str) -> GitLabClaims {
    GitLabClaims {
        project_path: project.to_owned(),
        ref_type: ref_type.to_owned(),
        git_ref: git_ref.to_owned(),
        ..GitLabClaims::default()
    }
}

#[test]
fn only_jobs_of_the_project_and_branch_are_let_in() {
    let stage = Stage::new();
    let policy = stage.trust(&["--project", "team/app", "--ref", "main"]);
    assert!(policy["Statement"][0]["Condition"].get("StringLike").is_none(), "{policy}");
    stage.job(&of("team/app", "branch", "main")).expect("a job of the project");
    for claims in [
        of("team/other", "branch", "main"),
        of("team/app/fork", "branch", "main"),
        of("Team/app", "branch", "main"),
        of("team/app", "branch", "feature"),
        of("team/app", "tag", "main"),
        GitLabClaims { audience: "https://gitlab.example.com".to_owned(), ..GitLabClaims::default() },
    ] {
        stage.assert_refused(&claims);
    }
}

#[test]
fn patterns_let_in_what_they_match() {
    let stage = Stage::new();
    stage.trust(&["--project", "team/*", "shared/tool", "--ref", "v*", "--ref-type", "tag"]);
    for project in ["team/app", "team/group/app", "shared/tool"] {
        stage.job(&of(project, "tag", "v1.2")).expect("a job that matches");
    }
    for claims in [
        of("teams/app", "tag", "v1.2"),
        of("shared/tools", "tag", "v1.2"),
        of("team/app", "tag", "1.2"),
        of("team/app", "branch", "v1.2"),
    ] {
        stage.assert_refused(&claims);
    }
}

#[test]
fn the_audience_is_the_one_of_the_job() {
    let stage = Stage::new();
    stage.trust(&["--project", "team/app", "--ref", "*", "--audience", "https://gitlab.example.com"]);
    let main = of("team/app", "branch", "main");
    stage.assert_refused(&main);
    let audience = "https://gitlab.example.com".to_owned();
    stage.job(&GitLabClaims { audience, ..main }).expect("a job for this audience");
}
