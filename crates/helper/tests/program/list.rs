//! `list`: never fails, never needs a region.

use std::os::unix::fs::symlink;
use std::process::Command;

use crate::stage::aws;
use crate::stage::responder::dead_url;
use crate::stage::{FRANKFURT, FRANKFURT_OF_ANOTHER, Stage, VIRGINIA, program};

#[test]
fn configured_registries_are_listed_without_identity_region_or_network() {
    let stage = Stage::new();
    stage.write(
        ".config/ecru/config.toml",
        &format!(
            "registries = ['{VIRGINIA}', '{FRANKFURT}', 'public.ecr.aws']\n[alias]\n'localhost:5000' = '{FRANKFURT}'\n"
        ),
    );
    let run = stage.run("list", "unused");
    let line = format!(
        r#"{{"https://{FRANKFURT}":"AWS","https://{VIRGINIA}":"AWS","https://localhost:5000":"AWS","https://public.ecr.aws":"AWS"}}"#
    );
    assert_eq!((run.code, run.stdout, run.stderr), (0, format!("{line}\n"), String::new()));
}

#[test]
fn registries_in_the_cache_are_listed_for_their_identity_only() {
    let aws = aws::proper();
    let mut stage = Stage::with(&aws);
    stage.get(FRANKFURT_OF_ANOTHER).secret();
    stage.get(VIRGINIA).secret();
    drop(aws);
    // The account of the identity itself is known from the answers.
    let expected = [FRANKFURT, VIRGINIA, FRANKFURT_OF_ANOTHER].map(|host| format!("https://{host}"));
    let mut list = stage.list();
    list.sort_by_key(|server| expected.iter().position(|other| other == server));
    assert_eq!(list, expected);

    stage.set("AWS_ACCESS_KEY_ID", "AKIAOTHER");
    assert!(stage.list().is_empty());
}

#[test]
fn with_nothing_configured_the_identity_s_own_registry_is_listed_and_kept() {
    let aws = aws::proper();
    let mut stage = Stage::with(&aws);
    stage.set("AWS_REGION", "eu-central-1");
    assert_eq!(stage.list(), [format!("https://{FRANKFURT}")]);
    assert_eq!(aws.count(), 1);
    drop(aws);
    stage.get(FRANKFURT).secret();
    assert_eq!(stage.list(), [format!("https://{FRANKFURT}")]);
}

#[test]
fn the_region_of_the_own_registry_may_come_from_profile_or_instance() {
    let aws = aws::proper();
    let stage = Stage::with(&aws);
    stage.write(".aws/config", "[default]\nregion = us-east-1\n");
    assert_eq!(stage.list(), [format!("https://{VIRGINIA}")]);

    let metadata = aws::metadata();
    let mut stage = Stage::with(&aws);
    stage.unset("AWS_EC2_METADATA_DISABLED").set("AWS_EC2_METADATA_SERVICE_ENDPOINT", &metadata.url());
    assert_eq!(stage.list(), [format!("https://{FRANKFURT}")]);
}

#[test]
fn nothing_at_all_is_an_empty_list_with_a_reason() {
    let mut stage = Stage::new();
    let run = stage.run("list", "unused");
    assert_eq!((run.code, run.stdout.as_str()), (0, "{}\n"));
    assert!(run.stderr.contains("no AWS identity was found"), "{run:?}");

    stage.set_keys();
    let run = stage.run("list", "unused");
    assert_eq!((run.code, run.stdout.as_str()), (0, "{}\n"));
    assert!(run.stderr.contains("no AWS region is configured"), "{run:?}");

    stage.set("AWS_REGION", "eu-central-1").set("AWS_ENDPOINT_URL", &dead_url());
    let run = stage.run("list", "unused");
    assert_eq!((run.code, run.stdout.as_str()), (0, "{}\n"));
    assert!(run.stderr.contains("cannot be reached"), "{run:?}");
}

#[test]
fn nobody_is_asked_where_the_identity_that_is_meant_cannot_be_chosen() {
    let aws = aws::proper();
    let mut stage = Stage::with(&aws);
    stage.set("AWS_REGION", "eu-central-1");
    let link = stage.path("docker-credential-ecr-login-nope");
    symlink(program(), &link).unwrap();
    let by_name = Command::new(&link).arg("list").env_clear().envs(stage.variables()).output().unwrap();
    stage.set("ECRU_PROFILE", "x").set("ECRU_SOURCE", "instance");
    let by_variables = stage.command(&["list"]).output().unwrap();
    for (output, words) in [(by_name, "nope"), (by_variables, "ECRU_")] {
        assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(0), b"{}\n".as_slice()));
        let told = String::from_utf8(output.stderr).unwrap();
        assert!(told.contains(words) && !told.contains("no registry is configured"), "{told}");
    }
    assert_eq!((aws.count(), stage.cached_files("json").len()), (0, 0));
}
