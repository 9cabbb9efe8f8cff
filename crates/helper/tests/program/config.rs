//! ecru's own configuration files, as the program reads them.

use crate::stage::aws::{self, PASSWORD};
use crate::stage::{FRANKFURT, Stage, VIRGINIA};

#[test]
fn an_alias_stands_for_a_registry() {
    let aws = aws::proper();
    let stage = Stage::with(&aws);
    stage.write(".config/ecru/config.toml", &format!("[alias]\n'localhost:5000' = '{FRANKFURT}'\n"));
    for server in ["localhost:5000", "http://localhost:5000/v1/", "LOCALHOST:5000/team/app"] {
        let run = stage.get(server);
        assert_eq!(run.secret(), PASSWORD);
        assert_eq!(run.credential()["ServerURL"], server);
    }
    assert_eq!(aws.requests()[0].scope().0, "eu-central-1");
    assert_eq!(aws.count(), 1);
    assert_eq!(stage.get("localhost:5001").not_found(), "");
    assert_eq!(stage.run("erase", "localhost:5000").code, 0);
}

#[test]
fn the_file_that_the_environment_names_is_read_last() {
    let aws = aws::proper();
    let mut stage = Stage::with(&aws);
    stage.write(".config/ecru/config.toml", &format!("[alias]\n'mirror.example.com' = '{FRANKFURT}'\n"));
    let other = stage.write("other.toml", &format!("[alias]\n'mirror.example.com' = '{VIRGINIA}'\n"));
    stage.set("ECRU_CONFIG", other.to_str().unwrap());
    stage.get("https://mirror.example.com").secret();
    assert_eq!(aws.requests()[0].scope().0, "us-east-1");
}

#[test]
fn a_broken_file_stops_everything_and_is_named() {
    let aws = aws::proper();
    let mut stage = Stage::with(&aws);
    let file = stage.write(".config/ecru/config.toml", "registries = []\nregistrys = []\n");
    let run = stage.get(FRANKFURT);
    let place = format!("`{}` is not valid at line 2, column 1: unknown field `registrys`", file.display());
    assert!(run.not_found().contains(&place), "{run:?}");
    assert!(run.stderr.contains(&format!("hint: mend line 2 of {}", file.display())), "{run:?}");
    let run = stage.run("list", "unused");
    assert_eq!((run.code, run.stdout.as_str()), (0, "{}\n"));
    assert!(run.stderr.contains(&place), "{run:?}");
    assert_eq!(aws.count(), 0);

    std::fs::remove_file(file).unwrap();
    stage.set("ECRU_CONFIG", "/nonexistent.toml");
    assert!(
        stage
            .get(FRANKFURT)
            .not_found()
            .contains("`/nonexistent.toml`, which ECRU_CONFIG names, does not exist")
    );
}
