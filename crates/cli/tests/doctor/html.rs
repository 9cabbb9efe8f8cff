//! `--html FILE`.

use super::machine::Machine;

#[tokio::test(flavor = "multi_thread")]
async fn the_page_shows_where_the_credential_stops() {
    let machine = Machine::with_unit().await;
    let file = machine.root().with_file_name("doctor.html");
    let said = machine.doctor(&["--no-exec", "--html", &file.display().to_string()]);
    assert_eq!(said.code, Some(1), "{}", said.stderr);
    let page = std::fs::read_to_string(&file).expect("the page");
    assert!(page.starts_with("<!DOCTYPE html>"));
    assert_eq!(page.matches("Stops here").count(), 1);
    let checks = machine.diagnosis(&["--no-exec"]);
    for check in super::machine::checks(&checks) {
        let id = check["id"].as_str().expect("an id");
        assert!(page.contains(&format!("<code>{id}</code>")), "{id}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_cannot_be_written_is_told_after_the_diagnosis() {
    let machine = Machine::with_unit().await;
    let file = machine.root().with_file_name("nowhere").join("doctor.html");
    let said = machine.doctor(&["--no-exec", "--html", &file.display().to_string()]);
    assert_eq!(said.code, Some(80));
    assert!(said.stderr.contains("doctor.html"), "{}", said.stderr);
    assert!(said.stdout.contains("runner.settings.named"), "{}", said.stdout);
}
