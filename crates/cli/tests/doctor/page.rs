//! The tables of `docs/DOCTOR.md`: the catalogue, and which check fails first for which set-up; and the commands of the
//! page of the set-ups.

use std::fmt::Write as _;

use ecru_doctor::checks;
use ecru_doctor::report::{Context, Weight};
use ecru_testkit::{assert_generated, table};

use super::fixture::{CONFIG_FILE, Fix, all};

const PAGE: &str = "docs/DOCTOR.md";

#[test]
fn the_page_has_every_check() {
    assert_generated(PAGE, "checks", &catalogue());
}

#[test]
fn the_page_has_every_set_up_that_does_not_work() {
    assert_generated(PAGE, "fixtures", &matrix());
}

#[test]
fn the_examples_say_what_to_type() {
    assert_generated("examples/broken/README.md", "commands", &commands());
}

/// What to type for each of the set-ups, in a clone.
fn commands() -> String {
    let blocks = all().into_iter().map(|fixture| {
        let folder = format!("examples/broken/{}", fixture.name);
        let mut text = format!("# {}: {}\n", fixture.name, fixture.title);
        let _ = writeln!(text, "rm -rf /tmp/broken && cp -r {folder}/machine /tmp/broken");
        if let Some(helper) = &fixture.helper {
            let _ =
                writeln!(text, "cp \"$(command -v ecru)\" /tmp/broken{helper}/docker-credential-ecr-login");
        }
        let mut emulate = "ecru emulate".to_owned();
        if fixture.seed("seed.toml").is_some() {
            let _ = write!(emulate, " --seed {folder}/seed.toml");
        }
        if fixture.metadata != "v2" {
            let _ = write!(emulate, " --imds {}", fixture.metadata);
        }
        fixture.faults.iter().for_each(|fault| emulate.push_str(&format!(" --fault '{fault}'")));
        let _ = write!(
            text,
            "{emulate} -- ecru doctor --context {} --config /tmp/broken/{CONFIG_FILE}",
            fixture.context
        );
        fixture.arguments.iter().for_each(|argument| text.push_str(&format!(" {argument}")));
        text
    });
    format!("```sh\n{}\n```", blocks.collect::<Vec<_>>().join("\n\n"))
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
