//! The tables of `docs/DOCTOR.md`: the catalogue, and which check fails first for which set-up.

use std::fmt::Write as _;
use std::path::Path;

use ecru_doctor::checks;
use ecru_doctor::report::{Context, Weight};

use super::fixture::{Fix, all};

/// Whether the tables are to be written instead of compared.
#[expect(clippy::disallowed_methods, reason = "a test has no other edge at which to be told")]
fn is_to_write() -> bool {
    std::env::var_os("ECRU_WRITE_DOCS").is_some()
}

#[test]
fn the_page_says_what_there_is() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/DOCTOR.md");
    let text = std::fs::read_to_string(&path).expect("the page");
    let wanted = between(&between(&text, "checks", &catalogue()), "fixtures", &matrix());
    if is_to_write() {
        std::fs::write(&path, wanted).expect("the page");
        return;
    }
    assert!(
        text == wanted,
        "docs/DOCTOR.md is stale: ECRU_WRITE_DOCS=1 cargo test -p ecru-cli --test doctor page"
    );
}

fn between(text: &str, name: &str, table: &str) -> String {
    let (begin, end) = (format!("<!-- {name}: begin -->\n"), format!("<!-- {name}: end -->"));
    let (before, rest) = text.split_once(&begin).expect("the beginning of a table");
    let (_, after) = rest.split_once(&end).expect("the end of a table");
    format!("{before}{begin}\n{table}\n{end}{after}")
}

fn catalogue() -> String {
    let mut text = String::new();
    for (context, title) in
        [(Context::Runner, "Runner"), (Context::JobHost, "Job host"), (Context::Job, "Job container")]
    {
        let _ = writeln!(
            text,
            "### {title}\n\n| check | true where it passes | weight | why |\n|---|---|---|---|"
        );
        for definition in checks::of(context) {
            let weight = match definition.weight {
                Weight::Error => "error",
                Weight::Risk => "risk",
            };
            let cell = |text: &str| text.replace('|', "\\|");
            let (title, why) = (cell(definition.title), cell(definition.why));
            let _ = writeln!(text, "| `{}` | {title} | {weight} | {why} |", definition.id);
        }
        text.push('\n');
    }
    text.trim_end().to_owned() + "\n"
}

fn matrix() -> String {
    let mut text =
        "| set-up | what is wrong | first check that fails | put right by |\n|---|---|---|---|\n".to_owned();
    for fixture in all() {
        let fix = match fixture.fix {
            Fix::Doctor => "`ecru doctor --fix`",
            Fix::Lines => "the lines that it prints",
            Fix::Command => "the command that it prints",
        };
        let (name, title, first) = (&fixture.name, &fixture.title, &fixture.first_failure);
        let _ =
            writeln!(text, "| [{name}](../examples/broken/{name}/README.md) | {title} | `{first}` | {fix} |");
    }
    text
}
