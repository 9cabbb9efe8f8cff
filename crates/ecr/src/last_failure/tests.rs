use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use proptest::prelude::*;

use super::*;
use crate::clock::system_time;
use crate::config::PolicyError;
use crate::token::{AwsFailure, Fixed};

const HOST: &str = "000000000001.dkr.ecr.eu-central-1.amazonaws.com";

fn registry(account: usize) -> Registry {
    Partitions::default().parse(&format!("{account:012}.dkr.ecr.eu-central-1.amazonaws.com")).unwrap()
}

fn records_in(folder: &Path) -> LastFailures {
    let environment = Environment::from_map([("AWS_ECR_CACHE_DIR", folder)]);
    LastFailures::new(&environment, system_time).unwrap()
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder.join("ecru/failures")).unwrap();
    entries.map(|entry| entry.unwrap().path()).collect()
}

fn denied() -> TokenError {
    TokenError::AccessDenied {
        failure: AwsFailure {
            operation: "GetAuthorizationToken",
            status: Some(400),
            code: Some("AccessDeniedException".to_owned()),
            message: Some("User: u is not authorized".to_owned()),
            request_id: Some("request-1".to_owned()),
        },
    }
}

fn unidentified() -> TokenError {
    let attempt = |source: &str, timed_out| Attempt {
        source: source.to_owned(),
        reason: "it did not answer".to_owned(),
        timed_out,
    };
    TokenError::NoIdentity {
        only: None,
        attempts: vec![attempt("Profile", false), attempt("Ec2InstanceMetadata", true)],
    }
}

fn source(folder: &Path, answers: Vec<Result<Token, TokenError>>) -> Recorded<Fixed> {
    let by = Some(ChosenBy::Rule("*".to_owned()));
    Recorded::new(Fixed::new(answers), Some(records_in(folder)), by, system_time)
}

fn token() -> Token {
    let now = system_time();
    Token {
        username: "AWS".to_owned(),
        secret: "ecru-emulator".into(),
        issued_at: now,
        expires_at: now + Duration::from_hours(12),
        own_registry: None,
    }
}

#[test]
fn a_failure_is_kept_until_a_token_is_had() {
    let folder = tempfile::tempdir().unwrap();
    let records = records_in(folder.path());
    assert_eq!(records.of(&registry(1)).unwrap(), None);
    let source = source(folder.path(), vec![Err(denied()), Err(unidentified()), Ok(token())]);

    source.token(&registry(1)).unwrap_err();
    let record = records.of(&registry(1)).unwrap().unwrap();
    assert_eq!(record.kind, FailureKind::AccessDenied);
    assert_eq!(record.message, denied().to_string());
    assert_eq!(record.hint, denied().hint());
    assert_eq!(record.chosen_by.as_deref(), Some("the rule `*`"));
    let call = record.call.unwrap();
    assert_eq!((call.operation.as_str(), call.status), ("GetAuthorizationToken", Some(400)));
    assert_eq!(call.request_id.as_deref(), Some("request-1"));
    assert_eq!(records.of(&registry(2)).unwrap(), None);

    source.token(&registry(1)).unwrap_err();
    let record = records.of(&registry(1)).unwrap().unwrap();
    assert_eq!(record.kind, FailureKind::HopLimit);
    assert_eq!(record.attempts, unidentified().attempts());
    assert_eq!(files(folder.path()).len(), 1);

    source.token(&registry(1)).unwrap();
    assert_eq!(records.of(&registry(1)).unwrap(), None);
    assert_eq!(files(folder.path()).len(), 0);
}

#[test]
fn what_the_policy_forbids_is_a_kind_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let records = records_in(folder.path());
    let forbidden = PolicyError::Region { region: "eu-central-1".to_owned() };
    records
        .keep(&LastFailure::without_call(
            &registry(1),
            FailureKind::Policy,
            forbidden.to_string(),
            forbidden.hint(),
            system_time(),
        ))
        .unwrap();
    let record = records.of(&registry(1)).unwrap().unwrap();
    assert_eq!(record.kind, FailureKind::Policy);
    assert_eq!(record.message, "the policy of this machine does not allow the region eu-central-1");
    assert!(record.hint.unwrap().contains("[policy]"));
}

#[test]
fn only_the_owner_can_read_a_record() {
    let folder = tempfile::tempdir().unwrap();
    source(folder.path(), vec![Err(denied())]).token(&registry(1)).unwrap_err();
    let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&folder.path().join("ecru/failures")), 0o700);
    let file = files(folder.path()).remove(0);
    assert_eq!(mode(&file), 0o600);

    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
    records_in(folder.path()).of(&registry(1)).unwrap_err();
    assert_eq!(records_in(folder.path()).all().unwrap(), []);
}

#[test]
fn they_are_bounded_in_number_size_and_age() {
    let folder = tempfile::tempdir().unwrap();
    let records = records_in(folder.path());
    let now = system_time();
    let long = TokenError::BrokenIdentity { cause: "ä".repeat(1_000_000) };
    for account in 0..MAX_RECORDS + 3 {
        let failure = LastFailure::of_token(&registry(account), &long, None, now);
        records.keep(&failure).unwrap();
    }
    let files = files(folder.path());
    assert_eq!(files.len(), MAX_RECORDS);
    assert!(files.iter().all(|file| file.metadata().unwrap().len() < 64 * 1024));
    assert_eq!(records.all().unwrap().len(), MAX_RECORDS);
    assert_eq!(records.of(&registry(0)).unwrap(), None);
    assert!(records.of(&registry(MAX_RECORDS)).unwrap().is_some());

    let old = now - MAX_AGE - Duration::from_secs(1);
    std::fs::File::open(&files[0]).unwrap().set_modified(old).unwrap();
    records.keep(&LastFailure::of_token(&registry(1000), &denied(), None, old)).unwrap();
    assert!(!files[0].exists());
    assert_eq!(records.of(&registry(1000)).unwrap(), None);
}

#[test]
fn the_newest_come_first() {
    let folder = tempfile::tempdir().unwrap();
    let records = records_in(folder.path());
    let now = system_time();
    for (account, age) in [(1, 20), (2, 10), (3, 30)] {
        let at = now - Duration::from_secs(age);
        records.keep(&LastFailure::of_token(&registry(account), &denied(), None, at)).unwrap();
    }
    let order: Vec<Registry> = records.all().unwrap().into_iter().map(|record| record.registry).collect();
    assert_eq!(order, [registry(2), registry(1), registry(3)]);
}

#[test]
fn what_stands_against_a_record_does_not_stand_against_a_token() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("ecru")).unwrap();
    std::fs::write(folder.path().join("ecru/failures"), "in the way").unwrap();
    let source = source(folder.path(), vec![Err(denied()), Ok(token())]);
    assert!(matches!(source.token(&registry(1)), Err(TokenError::AccessDenied { .. })));
    source.token(&registry(1)).unwrap();
}

#[test]
fn without_a_cache_there_are_no_records() {
    assert!(LastFailures::new(&Environment::default(), system_time).is_none());
    let environment = Environment::from_map([("HOME", "/home/a"), (DISABLE_VARIABLE, "1")]);
    assert!(LastFailures::new(&environment, system_time).is_none());
}

proptest! {
    #[test]
    fn any_file_is_a_record_or_none(content in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = record::read(&content, &Partitions::default());
    }

    #[test]
    fn what_is_written_is_read(message in "\\PC{0,200}", code in prop::option::of("\\PC{0,20}"), status in prop::option::of(0_u16..1000)) {
        let failure = AwsFailure { operation: "AssumeRole", status, code, message: Some(message), request_id: None };
        let at = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
        let registry = Partitions::default().parse(HOST).unwrap();
        let failure = LastFailure::of_token(&registry, &TokenError::Refused { failure }, None, at);
        let json = Written::of(&failure).to_json().unwrap();
        prop_assert_eq!(record::read(&json, &Partitions::default()), Some(failure));
    }
}
