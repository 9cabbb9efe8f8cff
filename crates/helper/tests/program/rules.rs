//! Identities that rules, variables and the program's name choose, and hosts of others.

use std::os::unix::fs::{PermissionsExt, symlink};

use assert_cmd::Command;

use crate::stage::aws::{self, PASSWORD};
use crate::stage::responder::{Reply, Responder};
use crate::stage::{FRANKFURT, NOT_FOUND, SECRET_KEY, Stage, VIRGINIA, program};

const ROLE: &str = "arn:aws:iam::000000000001:role/a";

/// STS, whose sessions have the name of the role as their access key.
fn sts() -> Responder {
    Responder::start(|request| {
        let action = if request.body.contains("Action=AssumeRoleWithWebIdentity") {
            "AssumeRoleWithWebIdentity"
        } else {
            "AssumeRole"
        };
        let role = request.body.split("role%2F").nth(1).and_then(|rest| rest.split('&').next()).unwrap();
        let body = format!(
            "<{action}Response><{action}Result><Credentials><AccessKeyId>ASIA{role}</AccessKeyId>\
             <SecretAccessKey>{SECRET_KEY}</SecretAccessKey><SessionToken>session-NEVER-SHOWN</SessionToken>\
             <Expiration>2999-01-01T00:00:00Z</Expiration></Credentials></{action}Result></{action}Response>"
        );
        Reply::http(200, &[("content-type", "text/xml")], &body)
    })
}

fn signer(aws: &Responder) -> String {
    let header = aws.requests().last().unwrap().header("authorization").to_owned();
    header.split("Credential=").nth(1).unwrap().split('/').next().unwrap().to_owned()
}

#[test]
fn a_token_in_a_variable_becomes_a_session_without_a_file() {
    let (aws, sts) = (aws::proper(), sts());
    let mut stage = Stage::new();
    stage
        .set("AWS_ENDPOINT_URL_ECR", &aws.url())
        .set("AWS_ENDPOINT_URL_STS", &sts.url())
        .set("ECRU_IDENTITY_TOKEN_ENV", "GITLAB_OIDC_TOKEN")
        .set("ECRU_ROLE_ARN", ROLE);
    let run = stage.get(FRANKFURT);
    assert!(run.not_found().contains("GITLAB_OIDC_TOKEN, which should hold the identity token"), "{run:?}");

    stage.set("GITLAB_OIDC_TOKEN", "oidc-NEVER-SHOWN");
    assert_eq!(stage.get(FRANKFURT).secret(), PASSWORD);
    assert_eq!(signer(&aws), "ASIAa");
    assert!(sts.requests()[0].body.contains("WebIdentityToken=oidc-NEVER-SHOWN"));
    assert_eq!(stage.get(FRANKFURT).secret(), PASSWORD);
    assert_eq!((aws.count(), sts.count()), (1, 1), "the second answer comes from the cache");
    stage.set("GITLAB_OIDC_TOKEN", "another-NEVER-SHOWN");
    stage.get(FRANKFURT).secret();
    assert_eq!(sts.count(), 2, "another token is another identity");
}

#[test]
fn a_refused_role_is_told_with_operation_and_principal() {
    let sts = Responder::start(|_| {
        let body = "<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>User: u is not \
                    authorized to perform: sts:AssumeRole, repeated keys-NEVER-SHOWN</Message></Error>\
                    </ErrorResponse>";
        let headers = [("content-type", "text/xml"), ("x-amzn-requestid", "r-1")];
        Reply::http(403, &headers, &body.replace("keys-NEVER-SHOWN", SECRET_KEY))
    });
    let mut stage = Stage::new();
    stage.set_keys().set("AWS_ENDPOINT_URL", &sts.url()).set("ECRU_ROLE_ARN", ROLE);
    let run = stage.get(FRANKFURT);
    let stderr = run.not_found();
    for part in ["User: u is not", "(AssumeRole, status 403, AccessDenied, request r-1)", "trust policy"] {
        assert!(stderr.contains(part), "{stderr}");
    }
}

#[test]
fn rules_give_each_registry_its_role_and_its_cache() {
    let (aws, sts) = (aws::proper(), sts());
    let mut stage = Stage::with(&aws);
    stage.set("AWS_ENDPOINT_URL_STS", &sts.url());
    stage.write(
        ".config/ecru/config.toml",
        &format!(
            "[[registry]]\nmatch = '*.dkr.ecr.eu-*.amazonaws.com/team/*'\nrole_arn = '{ROLE}'\n\
             external_id = 'external'\nchain = [{{ role_arn = '{ROLE}b' }}]\n"
        ),
    );
    stage.get(FRANKFURT).secret();
    assert_eq!(signer(&aws), "AKIAEXAMPLE");
    stage.get(&format!("{FRANKFURT}/team/app")).secret();
    assert_eq!(signer(&aws), "ASIAab");
    assert!(sts.requests()[0].body.contains("ExternalId=external"));
    assert_eq!((aws.count(), sts.count()), (2, 2));
    stage.get(FRANKFURT).secret();
    assert_eq!(aws.count(), 2);
}

#[test]
fn a_source_that_has_nothing_is_not_replaced_by_another() {
    let aws = aws::proper();
    let mut stage = Stage::with(&aws);
    for source in ["web-identity", "container", "instance", "profile"] {
        stage.set("ECRU_SOURCE", source);
        stage.get(FRANKFURT).not_found();
    }
    stage.unset("ECRU_SOURCE").set("ECRU_PROFILE", "missing");
    stage.get(FRANKFURT).not_found();
    assert_eq!(aws.count(), 0);
    stage.unset("ECRU_PROFILE").set("ECRU_SOURCE", "environment");
    stage.get(FRANKFURT).secret();
    assert_eq!(signer(&aws), "AKIAEXAMPLE");
    stage.write(
        ".aws/credentials",
        &format!("[team]\naws_access_key_id = AKIATEAM\naws_secret_access_key = {SECRET_KEY}\n"),
    );
    stage.unset("ECRU_SOURCE").set("ECRU_PROFILE", "team");
    stage.get(FRANKFURT).secret();
    assert_eq!(signer(&aws), "AKIATEAM");
}

#[test]
fn the_name_of_the_program_chooses_a_profile() {
    let (aws, sts) = (aws::proper(), sts());
    let mut stage = Stage::with(&aws);
    stage.set("AWS_ENDPOINT_URL_STS", &sts.url());
    stage.write(".config/ecru/config.toml", &format!("[profile.team-a]\nrole_arn = '{ROLE}'\n"));
    for (profile, expected) in [("team-a", 0), ("team-b", 1)] {
        let link = stage.path(&format!("docker-credential-ecr-login-{profile}"));
        symlink(program(), &link).unwrap();
        let mut command = Command::new(&link);
        let output =
            command.arg("get").env_clear().envs(stage.variables()).write_stdin(FRANKFURT).output().unwrap();
        assert_eq!(output.status.code(), Some(expected), "{output:?}");
    }
    assert_eq!(signer(&aws), "ASIAa");
    assert_eq!(aws.count(), 1);
}

#[test]
fn registries_of_rules_without_stars_are_listed() {
    let stage = Stage::new();
    stage.write(
        ".config/ecru/config.toml",
        &format!("[[registry]]\nmatch = '{VIRGINIA}/team'\n[[registry]]\nmatch = '*'\nsource = 'instance'\n"),
    );
    assert_eq!(stage.list(), [format!("https://{VIRGINIA}/team")]);
}

#[test]
fn other_hosts_are_asked_of_a_helper_that_never_asks_back() {
    let mut stage = Stage::new();
    let path = format!("{}:/usr/bin:/bin", stage.home().display());
    stage.set("PATH", &path).set("EXAMPLE_HOME", "kept");
    let helper = stage.write(
        "docker-credential-other",
        "#!/bin/sh\ncat > \"$HOME/request-$1\"\ncase $1 in\n\
         get) test \"$EXAMPLE_HOME\" = kept && echo '{\"ServerURL\":\"x\",\"Username\":\"u\",\"Secret\":\"p\"}';;\n\
         list) echo '{\"https://ghcr.io\":\"u\"}';;\nesac\n",
    );
    std::fs::set_permissions(&helper, std::fs::Permissions::from_mode(0o755)).unwrap();
    stage.write(
        ".config/ecru/config.toml",
        &format!("registries = ['{VIRGINIA}']\n[fallback]\nhelper = 'other'\n"),
    );
    let credential = stage.get("https://ghcr.io").credential();
    assert_eq!(
        (credential["ServerURL"].as_str(), credential["Username"].as_str()),
        (Some("https://ghcr.io"), Some("u"))
    );
    assert_eq!(stage.run("erase", "ghcr.io").code, 0);
    assert_eq!(std::fs::read_to_string(stage.path("request-erase")).unwrap(), "ghcr.io");
    let secret = r#"{"ServerURL":"ghcr.io","Username":"a","Secret":"given-NEVER-SHOWN"}"#;
    assert_eq!(stage.run("store", secret).code, 0);
    assert_eq!(std::fs::read_to_string(stage.path("request-store")).unwrap(), secret);
    let run = stage.run("list", "unused");
    assert_eq!(run.stdout, format!("{{\"https://{VIRGINIA}\":\"AWS\",\"https://ghcr.io\":\"u\"}}\n"));

    // A helper that is ecru under another name ends the round.
    std::fs::remove_file(&helper).unwrap();
    symlink(program(), &helper).unwrap();
    assert_eq!(stage.get("ghcr.io").code, 1);
}

#[test]
fn other_hosts_may_stand_in_a_file() {
    let stage = Stage::new();
    let auths = stage.write(
        "auths.json",
        r#"{"auths":{"ghcr.io":{"auth":"YTpi"},"ghcr.io/team":{"auth":"YTpj"},"https://index.docker.io/v1/":{"auth":"YTpk"}}}"#,
    );
    stage.write(".config/ecru/config.toml", &format!("[fallback]\nauths = '{}'\n", auths.display()));
    for (server, secret) in [
        ("https://ghcr.io", "b"),
        ("ghcr.io/team/app", "c"),
        ("ghcr.io/teams", "b"),
        ("https://index.docker.io/v1/", "d"),
    ] {
        assert_eq!(stage.get(server).credential()["Secret"], secret, "{server}");
    }
    stage.get("ghcr.io.evil.com").not_found();
    assert_eq!(stage.run("erase", "ghcr.io").code, 1);
    stage.write("auths.json", "{");
    assert!(stage.get("ghcr.io").not_found().contains("auths.json"));
    assert!(stage.run("list", "unused").stderr.contains("auths.json"));
    std::fs::remove_file(&auths).unwrap();
    assert!(stage.get("ghcr.io").not_found().contains("auths.json`: it does not exist"));
    let run = stage.run("list", "unused");
    assert_eq!((run.code, run.stdout.as_str()), (0, "{}\n"));
    assert!(run.stderr.contains("auths.json`: it does not exist"), "{run:?}");
}

#[test]
fn stores_of_other_hosts_can_be_ignored() {
    let mut stage = Stage::new();
    stage.set("AWS_ECR_IGNORE_CREDS_STORAGE", "true");
    let run = stage.run("store", r#"{"ServerURL":"ghcr.io","Username":"a","Secret":"given-NEVER-SHOWN"}"#);
    assert_eq!((run.code, run.stdout.as_str()), (0, ""));
    assert_eq!(stage.run("erase", "ghcr.io").code, 0);
    assert_eq!(stage.get("ghcr.io").stdout, NOT_FOUND);
}

#[test]
fn a_fallback_that_does_not_keep_a_credential_says_why_unless_that_is_ignored() {
    let mut stage = Stage::new();
    let helper =
        stage.write("docker-credential-locked", "#!/bin/sh\necho cannot: keychain is locked; cat; exit 1\n");
    std::fs::set_permissions(&helper, std::fs::Permissions::from_mode(0o755)).unwrap();
    stage.write(".config/ecru/config.toml", "[fallback]\nhelper = 'locked'\n");
    let path = format!("{}:/usr/bin:/bin", stage.home().display());
    stage.set("PATH", &path);
    let secret = r#"{"ServerURL":"ghcr.io","Username":"a","Secret":"given-NEVER-SHOWN"}"#;
    for (verb, request) in [("store", secret), ("erase", "ghcr.io")] {
        let run = stage.run(verb, request);
        assert_eq!(run.code, 1);
        assert_eq!(run.stdout, format!("the fallback `docker-credential-locked {verb}` failed\n"));
        assert!(run.stderr.contains("cannot: keychain is locked"), "{run:?}");
        assert!(!run.stderr.contains("NEVER-SHOWN"), "{run:?}");
    }
    stage.set("AWS_ECR_IGNORE_CREDS_STORAGE", "true");
    for (verb, request) in [("store", secret), ("erase", "ghcr.io")] {
        let run = stage.run(verb, request);
        assert_eq!((run.code, run.stdout.as_str()), (0, ""), "{verb}");
    }
}

#[test]
fn what_a_fallback_fails_with_shows_no_password() {
    let mut stage = Stage::new();
    let helper = stage.write(
        "docker-credential-broken",
        "#!/bin/sh\ncase $1 in\nget) echo '{\"Username\":\"u\",\"Secret\":\"kept-NEVER-SHOWN\"}';;\n\
         *) printf 'cannot keep '; sed 's/.*Secret...//';;\nesac\nexit 3\n",
    );
    std::fs::set_permissions(&helper, std::fs::Permissions::from_mode(0o755)).unwrap();
    stage.write(".config/ecru/config.toml", "[fallback]\nhelper = 'broken'\n");
    let path = format!("{}:/usr/bin:/bin", stage.home().display());
    stage.set("PATH", &path);
    assert!(stage.get("ghcr.io").not_found().contains("failed (exit code 3): what it said is not repeated"));
    let long = format!("given-NEVER-SHOWN-{}", "0123456789".repeat(120));
    for secret in [long.as_str(), "NEVER-SHOWN\\\"\\\\given"] {
        let request = format!(r#"{{"ServerURL":"ghcr.io","Username":"a","Secret":"{secret}"}}"#);
        let run = stage.run("store", request);
        assert!(run.code == 1 && run.stderr.contains("what it said is not repeated"), "{run:?}");
    }
}

#[test]
fn an_added_partition_has_endpoints_of_its_own() {
    let proxy = Responder::start(|_| Reply::http(403, &[], ""));
    let mut stage = Stage::new();
    stage.set_keys().set("HTTPS_PROXY", &proxy.url());
    stage.write(
        ".config/ecru/config.toml",
        "[[partition]]\nname = 'aws-new'\nsuffix = 'amazonaws.new'\napi_suffix = 'aws.example'\nregions = ['new-*']\n",
    );
    stage.get("000000000001.dkr.ecr.new-west-1.amazonaws.new").not_found();
    assert_eq!(proxy.requests()[0].path, "api.ecr.new-west-1.aws.example:443");
}
