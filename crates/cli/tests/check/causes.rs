//! What stands between a runner and a registry, each told by its name.

use ecru_emulator::{Emulator, Fault, Options, RegistryAt, TlsOptions};
use serde_json::{Value, json};

use crate::proxy::{Behaviour, Proxy};
use crate::stage::Stage;
use crate::{STORE, image};

const PRIVATE: &str = "000000000000.dkr.ecr.us-east-1.amazonaws.com";

/// The one image of a report with what is wrong with it.
fn problem(report: &Value) -> (&Value, &str) {
    let problem = &image(report, "team/app:1")["problem"];
    (&problem["kind"], problem["message"].as_str().unwrap_or_default())
}

/// A job with an image of `host`, and the password of the default registry for it.
fn write_pipeline(stage: &Stage, host: &str) {
    let auths = json!({ "auths": { host: { "username": "AWS", "password": stage.password() } } }).to_string();
    let job = json!({ "image": format!("{host}/team/app:1"), "script": ["x"] });
    let pipeline = json!({ "variables": { "DOCKER_AUTH_CONFIG": auths }, "job": job });
    stage.write(".gitlab-ci.yml", &pipeline.to_string());
}

fn tls() -> Options {
    Options { tls: Some(TlsOptions::default()), ..Options::default() }
}

/// The emulator's authority, as AWS_CA_BUNDLE names it.
fn authority(emulator: &Emulator) -> String {
    emulator.addresses().tls.as_ref().expect("TLS is on").ca.display().to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registry_behind_a_proxy_is_reached_where_its_authority_is_trusted() {
    let stage = Stage::with(tls()).await;
    let address = stage.emulator.addresses().tls.as_ref().expect("TLS is on").main;
    write_pipeline(&stage, PRIVATE);
    let proxy = Proxy::new(Behaviour::Lead(address)).await;
    let trusted = authority(&stage.emulator);
    let variables = [("HTTPS_PROXY", proxy.url.as_str()), ("AWS_CA_BUNDLE", &trusted)];
    let (code, report) = stage.check_json_with("ecru", &[], &variables);
    assert_eq!(code, Some(0), "{report:#}");
    assert_eq!(image(&report, "team/app:1")["platforms"], json!(["linux/amd64"]));
    assert_eq!(proxy.asked(), [format!("{PRIVATE}:443")]);

    let other = Emulator::start(tls()).await.expect("another emulator");
    let foreign = authority(&other);
    let variables = [("HTTPS_PROXY", proxy.url.as_str()), ("AWS_CA_BUNDLE", &foreign)];
    let (code, report) = stage.check_json_with("ecru", &[], &variables);
    assert_eq!(code, Some(1));
    let (kind, message) = problem(&report);
    assert_eq!(kind, "tls");
    assert!(message.starts_with("TLS with the registry fails: invalid peer certificate"), "{message}");
    let hint = &image(&report, "team/app:1")["problem"]["hints"][0];
    assert_eq!(hint, "name your own certificate authority's file in AWS_CA_BUNDLE");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_that_leads_nowhere_is_told() {
    let stage = Stage::new().await;
    write_pipeline(&stage, PRIVATE);
    for (behaviour, kind, part) in [
        (Behaviour::Refuse("502 Bad Gateway"), "no_route", "the proxy does not connect to it"),
        (Behaviour::Refuse("407 Proxy Authentication Required"), "no_route", "proxy authorization required"),
        (Behaviour::KeepSilent, "timeout", "in time"),
    ] {
        let proxy = Proxy::new(behaviour).await;
        let (code, report) = stage.check_json_with("ecru", &[], &[("HTTPS_PROXY", &proxy.url)]);
        assert_eq!(code, Some(1));
        assert_eq!(problem(&report).0, kind, "{report:#}");
        assert!(problem(&report).1.contains(part), "{report:#}");
        assert_eq!(proxy.asked(), [format!("{PRIVATE}:443")]);
    }
    let nobody = free_port();
    let url = format!("http://127.0.0.1:{nobody}");
    let (_, report) = stage.check_json_with("ecru", &[], &[("HTTPS_PROXY", &url)]);
    assert_eq!(problem(&report).0, "no_route", "{report:#}");
}

/// A port at which nobody listens.
fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("an address").port()
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_at_the_registry_s_address_is_no_route() {
    let stage = Stage::new().await;
    write_pipeline(&stage, &format!("localhost:{}", free_port()));
    let (code, report) = stage.check_json("ecru", &[]);
    assert_eq!(code, Some(1));
    assert_eq!(problem(&report).0, "no_route");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registry_that_never_answers_is_a_timeout() {
    let stage = Stage::new().await;
    write_pipeline(&stage, &stage.registry);
    let silence = Fault::parse("registry:*=silence").expect("a fault");
    stage.emulator.set_faults(vec![silence]).expect("room for a fault");
    let (code, report) = stage.check_json("ecru", &[]);
    assert_eq!(code, Some(1));
    assert_eq!(problem(&report), (&json!("timeout"), "the registry does not answer in time"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_of_another_region_is_told() {
    let region = "eu-west-1".parse().expect("a region");
    let elsewhere = RegistryAt { account: Default::default(), region, port: 0 };
    let stage = Stage::with(Options { registries: vec![elsewhere], ..Options::default() }).await;
    let host = &stage.emulator.addresses().registries["000000000000.dkr.ecr.eu-west-1.amazonaws.com"];
    write_pipeline(&stage, host);
    let (code, report) = stage.check_json("ecru", &[]);
    assert_eq!(code, Some(1));
    let (kind, message) = problem(&report);
    assert_eq!(kind, "expired");
    assert!(message.starts_with("the password has expired or is for another region"), "{message}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kept_token_that_is_refused_can_be_forgotten() {
    let stage = Stage::new().await;
    let app = format!("{}/team/app:1", stage.registry);
    stage.write(".gitlab-ci.yml", &format!("{STORE}\na: {{image: '{app}', script: [x]}}\n"));
    for (fault, kind) in [("token:foreign", "login_refused"), ("token:expired", "expired")] {
        stage.clear_cache();
        let once = Fault::parse(&format!("ecr:GetAuthorizationToken={fault},count:1")).expect("a fault");
        stage.emulator.set_faults(vec![once]).expect("room for a fault");
        let (code, report) = stage.check_json("ecru", &[]);
        assert_eq!(code, Some(1));
        assert_eq!(problem(&report).0, kind, "{report:#}");
        let hint = format!("`ecru cache clear {}` forgets the token that the helper keeps", stage.registry);
        assert_eq!(image(&report, "team/app:1")["problem"]["hints"], json!([hint]));
        stage.clear_cache();
        let (code, report) = stage.check_json("ecru", &[]);
        assert_eq!(code, Some(0), "{report:#}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_static_password_that_is_refused_is_no_matter_of_the_cache() {
    let stage = Stage::new().await;
    let auths = json!({ "auths": { &stage.registry: { "username": "AWS", "password": "x" } } }).to_string();
    let job = json!({ "image": format!("{}/team/app:1", stage.registry), "script": ["x"] });
    let pipeline = json!({ "variables": { "DOCKER_AUTH_CONFIG": auths }, "job": job });
    stage.write(".gitlab-ci.yml", &pipeline.to_string());
    let (code, report) = stage.check_json("ecru", &[]);
    assert_eq!(code, Some(1));
    assert_eq!(problem(&report).0, "login_refused", "{report:#}");
    assert_eq!(image(&report, "team/app:1")["problem"]["hints"], json!([]));
}
