//! The AWS CLI, an independent client, against the emulator.

#![expect(clippy::expect_used, clippy::unwrap_used, reason = "functions that help tests fail as tests do")]

use std::process::{Command, Output};

use ecru_emulator::{AccountId, Emulator, Options};
use secrecy::ExposeSecret as _;

/// Runs `aws` with nothing of this machine's AWS configuration.
fn aws(emulator: &Emulator, secret_access_key: &str, arguments: &[&str]) -> Output {
    let keys = emulator.user_keys(AccountId::default()).unwrap();
    let mut command = Command::new("aws");
    for name in ["AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL", "AWS_REGION"]
    {
        command.env_remove(name);
    }
    // Versions before 2.13 know no variable for an endpoint. Whatever is not meant for it ends at a proxy that is none.
    command
        .args(["--endpoint-url", &format!("http://{}", emulator.addresses().main)])
        .args(arguments)
        .env("HTTPS_PROXY", "http://127.0.0.1:9")
        .env("NO_PROXY", "127.0.0.1")
        .env("AWS_CONFIG_FILE", "/dev/null")
        .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("AWS_MAX_ATTEMPTS", "1")
        .env("AWS_DEFAULT_REGION", "us-east-1")
        .env("AWS_ACCESS_KEY_ID", keys.access_key_id)
        .env("AWS_SECRET_ACCESS_KEY", secret_access_key)
        .output()
        .expect("`aws` runs")
}

/// What `aws` prints, or its message on an error.
fn said(output: &Output) -> String {
    let stream = if output.status.success() { &output.stdout } else { &output.stderr };
    String::from_utf8_lossy(stream).trim().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the AWS CLI (cargo xtask test installs Debian's)"]
async fn the_aws_cli_is_served_and_refused_as_by_aws() {
    let emulator = Emulator::start(Options::default()).await.unwrap();
    let secret = emulator.user_keys(AccountId::default()).unwrap().secret_access_key;
    let run = |arguments: &str| {
        let arguments: Vec<&str> = arguments.split(' ').collect();
        said(&aws(&emulator, secret.expose_secret(), &arguments))
    };
    assert!(run("sts get-caller-identity --query Arn").contains("user/ecru"));
    assert!(run("ecr get-login-password").starts_with("ecru-emulator."));
    assert!(run("ecr-public get-login-password").starts_with("ecru-emulator."));
    assert!(run("ecr create-repository --repository-name team/app").contains("repository/team/app"));
    let policy =
        r#"{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"ecr:List*","Principal":"*"}}"#;
    run(&format!("ecr set-repository-policy --repository-name team/app --policy-text {policy}"));
    let got = run("ecr get-repository-policy --repository-name team/app --query policyText --output text");
    assert_eq!(got, policy);
    let rule = "--ecr-repository-prefix hub";
    let made =
        run(&format!("ecr create-pull-through-cache-rule {rule} --upstream-registry-url public.ecr.aws"));
    assert!(made.contains("\"upstreamRegistryUrl\": \"public.ecr.aws\""), "{made}");
    assert!(run("ecr describe-pull-through-cache-rules").contains("\"ecrRepositoryPrefix\": \"hub\""));
    assert!(run(&format!("ecr delete-pull-through-cache-rule {rule}")).contains("createdAt"));
    let role = "sts assume-role --role-session-name job --role-arn arn:aws:iam::000000000000:role/pull";
    assert!(run(&format!("{role} --policy {policy}")).contains("MalformedPolicyDocument"));
    assert!(run(role).contains("assumed-role/pull/job"));

    let wrong = |arguments: &[&str]| said(&aws(&emulator, "wrong", arguments));
    assert!(wrong(&["sts", "get-caller-identity"]).contains("(SignatureDoesNotMatch)"));
    assert!(wrong(&["ecr", "get-login-password"]).contains("(InvalidSignatureException)"));
    emulator.stop().await;
}
