//! The tables of `docs/DOCTOR.md`: the catalogue, and which check fails first for which set-up.

use std::fmt::Write as _;

use ecru_doctor::checks;
use ecru_doctor::report::{Context, Weight};
use ecru_testkit::{assert_generated, table};

use super::fixture::{Fix, all};

const PAGE: &str = "docs/DOCTOR.md";

#[test]
fn the_page_has_every_check() {
    assert_generated(PAGE, "checks", &catalogue());
}

#[test]
fn the_page_has_every_set_up_that_does_not_work() {
    assert_generated(PAGE, "fixtures", &matrix());
}

fn catalogue() -> String {
    let mut text = String::new();
    for (context, title) in
        [(Context::Runner, "Runner"), (Context::JobHost, "Job host"), (Context::Job, "Job container")]
    {
        let rows = checks::of(context).into_iter().map(|definition| {
            let weight = match definition.weight {
                Weight::Error => "error",
                Weight::Risk => "risk",
            };
            let id = format!("`{}`", definition.id);
            [id, definition.title.to_owned(), weight.to_owned(), definition.why.to_owned()]
        });
        let rows = table(["check", "true where it passes", "weight", "why"], rows);
        let _ = writeln!(text, "### {title}\n\n{rows}");
    }
    text
}

fn matrix() -> String {
    let rows = all().into_iter().map(|fixture| {
        let fix = match fixture.fix {
            Fix::Doctor => "`ecru doctor --fix`",
            Fix::Lines => "the lines that it prints",
            Fix::Command => "the command that it prints",
            Fix::Aws => "the policy that it prints",
        };
        let link = format!("[{0}](../examples/broken/{0}/README.md)", fixture.name);
        [link, fixture.title, format!("`{}`", fixture.first_failure), fix.to_owned()]
    });
    table(["set-up", "what is wrong", "first check that fails", "put right by"], rows)
}
