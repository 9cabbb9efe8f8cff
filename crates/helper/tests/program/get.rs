//! `get`: which request leads to which answer.

use crate::stage::aws::{self, PASSWORD, PRIVATE_TARGET, PUBLIC_TARGET};
use crate::stage::responder::{Reply, Responder};
use crate::stage::{FRANKFURT, FRANKFURT_OF_ANOTHER, PUBLIC, Stage, VIRGINIA};

#[test]
fn a_registry_gets_one_signed_request_in_its_own_region() {
    let aws = aws::proper();
    let mut stage = Stage::with(&aws);
    stage.set("AWS_REGION", "ap-south-1");
    let run = stage.get(FRANKFURT);
    assert_eq!(run.credential()["ServerURL"], FRANKFURT);
    assert_eq!(run.secret(), PASSWORD);
    assert_eq!(run.stderr, "");

    let [request] = aws.requests().try_into().unwrap();
    assert_eq!((request.method.as_str(), request.path.as_str()), ("POST", "/"));
    assert_eq!(request.header("x-amz-target"), PRIVATE_TARGET);
    assert_eq!(request.scope(), ("eu-central-1", "ecr"));
    // Asking for registries by their ids is deprecated, and would need a token for each account.
    assert_eq!(request.body, "{}");
}

#[test]
fn the_server_is_echoed_as_it_was_written() {
    let aws = aws::proper();
    let stage = Stage::with(&aws);
    for server in [
        format!("https://{FRANKFURT}"),
        format!("HTTPS://{}/v1/", FRANKFURT.to_ascii_uppercase()),
        format!("{FRANKFURT}:443/team/app:1.0"),
    ] {
        let run = stage.run("get", format!("{server}\n"));
        assert_eq!(run.credential()["ServerURL"], server);
    }
    assert_eq!(aws.count(), 1);
}

#[test]
fn one_request_serves_all_accounts_of_a_region() {
    let aws = aws::proper();
    let stage = Stage::with(&aws);
    for account in 0..20 {
        assert_eq!(
            stage.get(&format!("{account:012}.dkr.ecr.eu-central-1.amazonaws.com")).secret(),
            PASSWORD
        );
    }
    assert_eq!(aws.count(), 1);
    stage.get(VIRGINIA).secret();
    assert_eq!(aws.count(), 2);
}

#[test]
fn ecr_public_is_asked_in_its_own_way() {
    let aws = aws::proper();
    let stage = Stage::with(&aws);
    assert_eq!(stage.get(PUBLIC).secret(), PASSWORD);
    let [request] = aws.requests().try_into().unwrap();
    assert_eq!(request.header("x-amz-target"), PUBLIC_TARGET);
    assert_eq!(request.scope(), ("us-east-1", "ecr-public"));
}

#[test]
fn fips_and_dual_stack_hosts_work_with_an_endpoint_of_the_user_s() {
    let aws = aws::proper();
    let mut stage = Stage::with(&aws);
    for host in [
        "000000000001.dkr.ecr-fips.us-east-1.amazonaws.com",
        "000000000001.dkr-ecr.us-east-1.on.aws",
        "000000000001.dkr-ecr-fips.us-east-1.on.aws",
        "ecr-public.aws.com",
    ] {
        assert_eq!(stage.get(host).secret(), PASSWORD, "{host}");
    }
    stage.set("AWS_USE_FIPS_ENDPOINT", "true").set("AWS_USE_DUALSTACK_ENDPOINT", "true");
    assert_eq!(stage.get(VIRGINIA).secret(), PASSWORD);
}

/// A proxy sees where the program wants to go, and lets it go nowhere.
#[test]
fn every_kind_of_host_calls_its_own_endpoint() {
    for (host, endpoint) in [
        (FRANKFURT, "api.ecr.eu-central-1.amazonaws.com"),
        ("000000000001.dkr.ecr-fips.us-east-1.amazonaws.com", "api.ecr-fips.us-east-1.amazonaws.com"),
        ("000000000001.dkr-ecr.us-east-1.on.aws", "ecr.us-east-1.api.aws"),
        ("000000000001.dkr-ecr-fips.us-east-2.on.aws", "ecr-fips.us-east-2.api.aws"),
        ("000000000001.dkr.ecr.us-gov-west-1.amazonaws.com", "api.ecr.us-gov-west-1.amazonaws.com"),
        ("000000000001.dkr.ecr.cn-north-1.amazonaws.com.cn", "api.ecr.cn-north-1.amazonaws.com.cn"),
        (
            "000000000001.dkr-ecr.cn-north-1.on.amazonwebservices.com.cn",
            "ecr.cn-north-1.api.amazonwebservices.com.cn",
        ),
        ("000000000001.dkr.ecr.eusc-de-east-1.amazonaws.eu", "api.ecr.eusc-de-east-1.amazonaws.eu"),
        ("000000000001.dkr.ecr.us-iso-east-1.c2s.ic.gov", "api.ecr.us-iso-east-1.c2s.ic.gov"),
        (PUBLIC, "api.ecr-public.us-east-1.amazonaws.com"),
        ("ecr-public.aws.com", "ecr-public.us-east-1.api.aws"),
    ] {
        let proxy = Responder::start(|_| Reply::http(403, &[], ""));
        let mut stage = Stage::new();
        stage.set_keys().set("HTTPS_PROXY", &proxy.url());
        assert!(stage.get(host).not_found().contains(endpoint), "{host}");
        for request in proxy.requests() {
            assert_eq!(
                (request.method.as_str(), request.path),
                ("CONNECT", format!("{endpoint}:443")),
                "{host}"
            );
        }
        assert!(proxy.count() > 0, "{host}");
    }
}

#[test]
fn no_proxy_is_asked_for_this_machine() {
    let proxy = Responder::start(|_| Reply::http(403, &[], ""));
    let aws = aws::proper();
    let mut stage = Stage::with(&aws);
    stage.set("AWS_ECR_DISABLE_CACHE", "1");
    for variable in ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "HTTP_PROXY", "http_proxy"] {
        stage.set(variable, &proxy.url());
    }
    for endpoint in [aws.url(), aws.url().replace("127.0.0.1", "localhost")] {
        stage.set("AWS_ENDPOINT_URL_ECR", &endpoint);
        assert_eq!(stage.get(FRANKFURT).secret(), PASSWORD);
        stage.set("AWS_ENDPOINT_URL_ECR", &endpoint.replace("http:", "https:"));
        stage.get(FRANKFURT).not_found();
    }
    assert_eq!(proxy.count(), 0);
}

#[test]
fn an_exception_for_another_port_does_not_go_past_the_proxy() {
    let proxy = Responder::start(|_| Reply::http(403, &[], ""));
    let mut stage = Stage::new();
    stage.set_keys().set("HTTPS_PROXY", &proxy.url()).set("AWS_ENDPOINT_URL", "https://api.ecr.invalid:8443");
    stage.set("NO_PROXY", "invalid:443, *.example.com");
    stage.get(FRANKFURT).not_found();
    assert_eq!(proxy.requests()[0].path, "api.ecr.invalid:8443");
}

#[test]
fn the_endpoint_may_come_from_the_general_variable_or_the_profile() {
    let aws = aws::proper();
    let mut stage = Stage::new();
    stage.set_keys().set("AWS_ENDPOINT_URL", &aws.url());
    assert_eq!(stage.get(FRANKFURT).secret(), PASSWORD);

    let mut stage = Stage::new();
    let url = aws.url();
    stage.set_keys();
    stage.write(
        ".aws/config",
        &format!("[default]\nservices = local\n[services local]\necr =\n  endpoint_url = {url}\n"),
    );
    assert_eq!(stage.get(FRANKFURT).secret(), PASSWORD);
    assert_eq!(aws.count(), 2);
}

#[test]
fn a_fresh_token_needs_neither_aws_nor_an_identity_that_can_be_reached() {
    let aws = aws::proper();
    let metadata = aws::metadata();
    let mut stage = Stage::new();
    stage.unset("AWS_EC2_METADATA_DISABLED");
    stage.set("AWS_EC2_METADATA_SERVICE_ENDPOINT", &metadata.url());
    stage.set("AWS_ENDPOINT_URL_ECR", &aws.url());
    assert_eq!(stage.get(FRANKFURT).secret(), PASSWORD);
    drop((aws, metadata));
    let run = stage.get(FRANKFURT_OF_ANOTHER);
    assert_eq!(run.secret(), PASSWORD);
    assert_eq!(run.stderr, "");
}

#[test]
fn other_hosts_are_not_found_and_nobody_is_bothered() {
    let aws = aws::proper();
    let stage = Stage::with(&aws);
    for server in ["https://index.docker.io/v1/", "registry.gitlab.com", "localhost:5000", "registry"] {
        assert_eq!(stage.get(server).not_found(), "", "{server}");
    }
    assert_eq!(aws.count(), 0);
}
