//! The checks that ask AWS and registries, on emulated AWS: what is wrong is named first, and the fix puts it right.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has failed")]

mod stage;

use ecru_doctor::report::{Context, Fix, Outcome};
use ecru_ecr::access::Access;
use ecru_ecr::token::TokenSource as _;
use ecru_emulator::{CrossAccount, Identity, InstanceMetadata, Options};
use secrecy::ExposeSecret as _;

use crate::stage::{Stage, account, advice, assert_nothing_failed, command, first_failure, lines};

const PULL: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Resource":"*","Action":
    ["ecr:GetAuthorizationToken","ecr:BatchGetImage","ecr:GetDownloadUrlForLayer"]}]}"#;
const TOKEN_ONLY: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Resource":"*","Action":
    "ecr:GetAuthorizationToken"}]}"#;

fn user(name: &str, policy: &str) -> Identity {
    Identity { name: name.to_owned(), policies: vec![policy.to_owned()], ..Identity::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_healthy_puller_asks_each_thing_once() {
    let stage = Stage::new(5, Options::default()).await;
    let mut images = Vec::new();
    for (number, registry) in (0_u8..).zip(&stage.registries) {
        stage.add_image(number, "team/app").await;
        images.push(format!("{registry}/team/app:1"));
    }
    let checks = stage.checks(&images).await;
    assert_nothing_failed(&checks);
    let passed = |id: &str| {
        let passes =
            |check: &&ecru_doctor::report::Check| check.definition.id == id && check.outcome == Outcome::Pass;
        checks.iter().filter(passes).count()
    };
    assert_eq!((passed("runner.identity.token"), passed("runner.registry.image")), (5, 5), "{checks:#?}");
    assert_eq!(passed("runner.helper.last-failure"), 1);
    for id in ["configured", "metadata", "found", "clock", "principal"] {
        assert_eq!(passed(&format!("runner.identity.{id}")), 1, "{id}");
    }
    assert_eq!(stage.calls("ecr:GetAuthorizationToken"), 1);
    assert_eq!(stage.calls("sts:GetCallerIdentity"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_access_key_that_wins_over_a_profile_is_named() {
    let users = vec![user("pipeline", PULL), user("leftover", TOKEN_ONLY)];
    let mut stage = Stage::new(1, Options { users, ..Options::default() }).await;
    stage.add_image(0, "team/app").await;
    let images = [format!("{}/team/app:1", stage.registries[0])];
    let keys = stage.keys("pipeline");
    stage.write(
        ".aws/credentials",
        &format!(
            "[ci]\naws_access_key_id = {}\naws_secret_access_key = {}\n",
            keys.access_key_id,
            keys.secret_access_key.expose_secret()
        ),
    );
    stage.set("AWS_PROFILE", "ci");
    assert_nothing_failed(&stage.checks(&images).await);

    stage.use_keys("leftover");
    let checks = stage.checks(&images).await;
    let (id, reason, check) = first_failure(&checks);
    assert_eq!(id, "runner.identity.configured");
    assert!(reason.contains("user/pipeline") && reason.contains("user/leftover"), "{reason}");

    stage.config = lines(check).to_owned();
    assert_nothing_failed(&stage.checks(&images).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_profile_that_is_not_there_hands_the_word_to_the_node() {
    let mut stage = Stage::new(1, Options::default()).await;
    stage.set("AWS_PROFILE", "ci");
    let checks = stage.checks(&[]).await;
    let (id, reason, check) = first_failure(&checks);
    assert_eq!(id, "runner.identity.configured");
    assert!(reason.contains("AWS_PROFILE") && reason.contains("ecru-emulator-instance"), "{reason}");

    stage.write(".aws/config", &lines(check).replace("role/ROLE", "role/pipeline"));
    assert_nothing_failed(&stage.checks(&[]).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn half_a_key_is_passed_over() {
    let mut stage = Stage::new(1, Options::default()).await;
    stage.set("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE");
    let checks = stage.checks(&[]).await;
    let (id, reason, check) = first_failure(&checks);
    assert_eq!(id, "runner.identity.configured");
    assert!(
        reason.contains("AWS_SECRET_ACCESS_KEY") && reason.contains("ecru-emulator-instance"),
        "{reason}"
    );
    assert!(
        matches!(check.fixes.as_slice(), [Fix::Advice { text }] if text.contains("unset AWS_ACCESS_KEY_ID"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hop_limit_of_one_is_named() {
    let options = Options { instance_metadata: InstanceMetadata::HopLimit, ..Options::default() };
    let mut stage = Stage::new(1, options).await;
    let checks = stage.checks(&[]).await;
    let (id, reason, check) = first_failure(&checks);
    assert_eq!(id, "runner.identity.metadata", "{reason}");
    assert!(reason.contains("hop limit"), "{reason}");
    assert!(command(check).contains("--http-put-response-hop-limit 2"));
    let failed = checks.iter().filter(|check| matches!(check.outcome, Outcome::Fail(_))).count();
    assert_eq!(failed, 1, "what follows from it is not told again: {checks:#?}");

    // The emulator's hop limit is set at its start; the fix is to run on an instance with another one.
    stage = Stage::new(1, Options::default()).await;
    assert_nothing_failed(&stage.checks(&[]).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_that_has_expired_is_named_with_its_profile() {
    let mut stage = Stage::new(1, Options::default()).await;
    stage.write(
        ".aws/config",
        "[profile sso]\nsso_session = corp\nsso_account_id = 000000000000\nsso_role_name = ci\nregion = us-east-1\n\
         [sso-session corp]\nsso_region = us-east-1\nsso_start_url = https://corp.awsapps.example/start\n",
    );
    stage.set("AWS_PROFILE", "sso");
    let checks = stage.checks(&[]).await;
    let (id, reason, check) = first_failure(&checks);
    assert_eq!(id, "runner.identity.login", "{reason}");
    let expected = format!("HOME={} aws sso login --profile sso", stage.sandbox.home().display());
    assert_eq!(command(check), expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_account_that_does_not_let_the_principal_in_is_named() {
    let role = Identity { account: account(1), ..user("ecru-pull", PULL) };
    let options = Options { cross_account: CrossAccount::Deny, roles: vec![role], ..Options::default() };
    let mut stage = Stage::new(2, options).await;
    stage.add_image(0, "team/app").await;
    stage.add_image(1, "team/app").await;
    let images: Vec<String> =
        stage.registries.iter().map(|registry| format!("{registry}/team/app:1")).collect();
    let checks = stage.checks(&images).await;
    let (id, reason, check) = first_failure(&checks);
    assert_eq!(id, "runner.registry.account", "{reason}");
    assert_eq!(check.subject.as_deref(), Some("000000000001.dkr.ecr.us-east-1.amazonaws.com"));

    stage.config = lines(check).to_owned();
    assert_nothing_failed(&stage.checks(&images).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_action_is_named_and_the_policy_that_is_printed_suffices() {
    let users = vec![user("narrow", TOKEN_ONLY)];
    let mut stage = Stage::new(1, Options { users, ..Options::default() }).await;
    stage.add_image(0, "team/app").await;
    stage.use_keys("narrow");
    let images = [format!("{}/team/app:1", stage.registries[0])];
    let checks = stage.checks(&images).await;
    let (id, reason, check) = first_failure(&checks);
    assert_eq!(id, "runner.registry.image");
    assert!(reason.contains("ecr:BatchGetImage"), "{reason}");
    let Fix::Lines { place, .. } = &check.fixes[0] else { panic!("{check:#?}") };
    assert_eq!(place, "a policy of the user `narrow` of account 000000000000");
    // In the one round, though another action is missing besides.
    stage.emulator.set_user(&user("narrow", lines(check))).unwrap();
    assert_nothing_failed(&stage.checks(&images).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_comes_with_the_command_that_shows_what_is() {
    let stage = Stage::new(1, Options::default()).await;
    stage.add_image(0, "team/app").await;
    let of_registry = "--registry-id 000000000000 --region us-east-1";
    for (image, reason, shown, hint) in [
        (
            "team/ap:1",
            "the repository does not exist",
            "aws ecr describe-repositories ",
            "check account and region",
        ),
        ("team/app:2", "no such image", "aws ecr list-images --repository-name team/app ", "check the tag"),
    ] {
        let checks = stage.checks(&[format!("{}/{image}", stage.registries[0])]).await;
        let (id, said, check) = first_failure(&checks);
        assert_eq!(id, "runner.registry.image");
        assert!(said.contains(reason), "{said}");
        let command = command(check);
        assert!(command.starts_with(shown) && command.ends_with(of_registry), "{command}");
        assert!(check.evidence.iter().any(|seen| seen.starts_with(&format!("hint: {hint}"))), "{check:#?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_throttled_is_told_to_wait() {
    let mut stage = Stage::new(1, Options::default()).await;
    stage.use_keys("ecru");
    stage.emulator.set_faults(vec!["ecr:GetAuthorizationToken=throttle".parse().unwrap()]).unwrap();
    let checks = stage.checks(&[]).await;
    let (id, _, check) = first_failure(&checks);
    assert_eq!(id, "runner.identity.token");
    assert!(check.evidence.iter().any(|seen| seen.starts_with("hint: wait a minute")), "{check:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repository_that_a_cache_has_not_made_yet_is_told_apart() {
    let stage = Stage::new(1, Options::default()).await;
    let images = [format!("{}/docker-hub/library/alpine:3", stage.registries[0])];
    let checks = stage.checks(&images).await;
    let (id, _, check) = first_failure(&checks);
    assert_eq!(id, "runner.registry.image");
    assert!(lines(check).contains("arn:aws:ecr:us-east-1:000000000000:repository/docker-hub/library/alpine"));
    let seen = check.evidence.join("\n");
    assert!(seen.contains("ecr:BatchImportUpstreamImage") && seen.contains("ecr:CreateRepository"), "{seen}");
    stage.add_image(0, "docker-hub/library/alpine").await;
    let images = [format!("{}/docker-hub/library/alpine:1", stage.registries[0])];
    assert_nothing_failed(&stage.checks(&images).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_token_without_the_action_and_the_policy_that_is_printed_gives_it() {
    let nothing = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"ecr:ListImages","Resource":"*"}]}"#;
    let users = vec![user("nobody", nothing)];
    let mut stage = Stage::new(2, Options { users, ..Options::default() }).await;
    stage.use_keys("nobody");
    let checks = stage.checks(&[]).await;
    let (id, reason, check) = first_failure(&checks);
    assert_eq!(id, "runner.identity.token");
    assert!(reason.contains("ecr:GetAuthorizationToken"), "{reason}");
    stage.emulator.set_user(&user("nobody", lines(check))).unwrap();
    assert_nothing_failed(&stage.checks(&[]).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_clock_is_named() {
    let fault = |rule: &str| rule.parse().unwrap();
    let mut stage = Stage::new(1, Options::default()).await;
    stage.use_keys("ecru");
    stage.emulator.set_faults(vec![fault("ecr:*=clock:-13h"), fault("sts:*=clock:-13h")]).unwrap();
    let checks = stage.checks(&[]).await;
    let (id, reason, check) = first_failure(&checks);
    assert_eq!(id, "runner.identity.clock", "{reason}");
    assert_eq!(command(check), "timedatectl set-ntp true");
    stage.emulator.set_faults(Vec::new()).unwrap();
    assert_nothing_failed(&stage.checks(&[]).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_at_all_is_named_with_what_was_tried() {
    let mut stage = Stage::new(1, Options::default()).await;
    stage.set("AWS_EC2_METADATA_DISABLED", "true");
    let checks = stage.checks(&[]).await;
    let (id, reason, check) = first_failure(&checks);
    assert_eq!(id, "runner.identity.found");
    assert!(check.evidence.iter().any(|line| line.starts_with("Profile: ")), "{check:#?}");
    assert!(reason.contains("Ec2InstanceMetadata: "), "the source that it hangs on: {reason}");
    assert!(advice(check).starts_with("unset AWS_EC2_METADATA_DISABLED"), "{check:#?}");
    let setup = format!("{:?}", check.fixes);
    assert!(setup.contains("--registry 000000000000.dkr.ecr.us-east-1.amazonaws.com"), "{setup}");
    stage.context = Context::Job;
    let checks = stage.checks(&[]).await;
    let (id, _, check) = first_failure(&checks);
    assert_eq!(id, "job.identity.found");
    assert!(lines(check).contains("ECRU_IDENTITY_TOKEN"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_sts_that_cannot_be_reached_does_not_matter_where_passwords_are_given() {
    let mut stage = Stage::new(1, Options::default()).await;
    stage.set("AWS_ENDPOINT_URL_STS", "http://127.0.0.1:9");
    let checks = stage.checks(&[]).await;
    assert_nothing_failed(&checks);
    let principal = checks.iter().find(|check| check.definition.id == "runner.identity.principal").unwrap();
    assert!(matches!(principal.outcome, Outcome::Skipped(_)), "{principal:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recorded_failure_is_old_once_a_password_is_given() {
    let mut stage = Stage::new(1, Options::default()).await;
    stage.set("AWS_EC2_METADATA_DISABLED", "true");
    let ask = |stage: &Stage| {
        let puller = stage.puller();
        let access = Access { config: &puller.config, environment: &puller.environment, clock: puller.clock };
        let request = puller.config.request(&stage.registries[0]).unwrap();
        let choice = puller.config.choice(&request, None, &puller.environment).unwrap();
        access.tokens(&choice, puller.deadlines).token(&request.registry).map(drop)
    };
    assert!(ask(&stage).is_err());
    let record = |checks: Vec<ecru_doctor::report::Check>| {
        checks.into_iter().find(|check| check.definition.id == "runner.helper.last-failure").unwrap()
    };
    let failed = record(stage.checks(&[]).await);
    assert!(
        matches!(&failed.outcome, Outcome::Fail(reason) if reason.contains("no AWS identity")),
        "{failed:#?}"
    );
    let checks = stage.checks_after(|stage| drop(ask(stage))).await;
    assert!(matches!(record(checks).outcome, Outcome::Fail(_)), "what goes wrong meanwhile counts");
    stage.variables.clear();
    let old = record(stage.checks(&[]).await);
    assert_eq!(old.outcome, Outcome::Pass);
    assert!(old.evidence[0].starts_with("old: "), "{old:#?}");
}
