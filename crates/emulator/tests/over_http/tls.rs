//! The same over TLS, with a certificate that only clients of this emulator trust.

use std::net::SocketAddr;
use std::sync::Arc;

use ecru_emulator::{Options, StartError, TlsOptions};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::client::{Answer, Call};
use crate::stage::{Stage, account, region};

const SECOND: &str = "000000000001.dkr.ecr.eu-west-1.amazonaws.com";

async fn stage() -> Stage {
    let tls = TlsOptions { port: 0, names: vec!["registry.example".into()] };
    Stage::with_second_registry(Options { tls: Some(tls), ..Options::default() }).await
}

async fn connect(stage: &Stage, address: SocketAddr, name: &str) -> std::io::Result<TlsStream<TcpStream>> {
    let ca = &stage.emulator.addresses().tls.as_ref().unwrap().ca;
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(ca).unwrap()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from(name.to_owned()).unwrap();
    TlsConnector::from(Arc::new(config)).connect(name, TcpStream::connect(address).await.unwrap()).await
}

async fn get(stage: &Stage, host: &str, path: &str, authorization: Option<&str>) -> Answer {
    let address = stage.emulator.addresses().tls.as_ref().unwrap().main;
    let stream = connect(stage, address, host).await.unwrap();
    let mut call = Call::get(address, path).header("host", host);
    if let Some(authorization) = authorization {
        call = call.header("authorization", authorization);
    }
    call.send_over(stream).await
}

#[tokio::test]
async fn every_name_has_the_certificate_and_leads_to_its_service() {
    let stage = stage().await;
    let realm =
        async |host: &str| get(&stage, host, "/v2/", None).await.header("www-authenticate").to_owned();
    assert!(realm(SECOND).await.contains(SECOND));
    for host in ["000000000000.dkr.ecr.us-east-1.amazonaws.com", "localhost", "127.0.0.1", "registry.example"]
    {
        assert!(realm(host).await.contains("000000000000.dkr.ecr.us-east-1.amazonaws.com"));
    }
    for host in ["api.ecr.eu-west-1.amazonaws.com", "sts.amazonaws.com", "sts.eu-west-1.amazonaws.com"] {
        assert_eq!(get(&stage, host, "/v2/", None).await.status, 404, "{host}");
    }
    let address = stage.emulator.addresses().tls.as_ref().unwrap().main;
    for host in ["123456789012.dkr.ecr.us-east-1.amazonaws.com", "example.com"] {
        assert!(connect(&stage, address, host).await.is_err());
    }
}

#[tokio::test]
async fn blobs_stay_on_tls() {
    let stage = stage().await;
    stage.emulator.create_repository(account(0), &region("us-east-1"), "app").unwrap();
    let digest = stage.push_blob("app", b"content").await;
    let basic = stage.own_basic().await;
    let redirect = get(&stage, "localhost", &format!("/v2/app/blobs/{digest}"), Some(&basic)).await;
    assert_eq!(redirect.status, 307);
    let (host, target) =
        redirect.header("location").strip_prefix("https://").unwrap().split_once('/').unwrap();
    let address: SocketAddr = host.parse().unwrap();
    assert_eq!(address, stage.emulator.addresses().tls.as_ref().unwrap().blob);
    let stream = connect(&stage, address, "127.0.0.1").await.unwrap();
    let answer = Call::get(address, &format!("/{target}")).send_over(stream).await;
    assert_eq!(answer.body, b"content");
}

#[tokio::test]
async fn only_the_certificate_of_the_authority_is_written() {
    let stage = stage().await;
    let ca = stage.emulator.addresses().tls.as_ref().unwrap().ca.clone();
    let text = std::fs::read_to_string(&ca).unwrap();
    assert!(text.starts_with("-----BEGIN CERTIFICATE-----"));
    assert!(!text.contains("KEY"));
    drop(stage);
    assert!(!ca.exists());
}

#[tokio::test]
async fn names_that_no_certificate_can_have_are_refused() {
    let tls = Some(TlsOptions { port: 0, names: vec!["é".into()] });
    let error = ecru_emulator::Emulator::start(Options { tls, ..Options::default() }).await.unwrap_err();
    assert!(matches!(error, StartError::Tls(_)));
}
