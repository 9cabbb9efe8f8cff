//! The forms of a report.

mod codequality;
mod json;
mod junit;
mod text;

use super::report::{Credentials, Report};
use crate::args::CheckFormat;
use crate::terminal::{printable_json, printable_xml};

/// The report as it is printed, on a terminal of so many columns if it is one.
pub(super) fn rendered(report: &Report, format: CheckFormat, columns: Option<usize>) -> String {
    match format {
        CheckFormat::Text => text::text(report, columns),
        CheckFormat::Json => printable_json(&json::json(report)),
        CheckFormat::Junit => printable_xml(&junit::junit(report)),
        CheckFormat::Codequality => printable_json(&format!("{:#}", codequality::codequality(report))),
    }
}

/// Where the credentials of an image come from, in a few words.
fn credentials(credentials: &Credentials) -> String {
    match credentials {
        Credentials::NotChosen => String::new(),
        Credentials::None { .. } => "none".to_owned(),
        Credentials::Aborted { .. } => "the runner aborts".to_owned(),
        Credentials::Chosen(chosen) => match &chosen.identity {
            Some(identity) => format!("{}, {}: {identity}", chosen.source, chosen.origin),
            None => format!("{}, {}: user {}", chosen.source, chosen.origin, chosen.username),
        },
    }
}

/// The causes that a person acts on differently have names that do not change; see docs/CHECK.md.
#[cfg(test)]
pub(super) mod tests {
    use ecru_registry::{ImageFacts, LookupError};

    use super::super::report::{
        CheckedImage, Chosen, Credentials, Finding, Outcome, Place, Report, Role, UnresolvedImage, User,
    };
    use super::*;

    const PASSWORD: &str = "hunter2-hunter2";

    fn place(line: usize) -> Place {
        Place { file: "ci/build.yml".to_owned(), line }
    }

    fn user(job: &str, role: Role) -> User {
        User { job: job.to_owned(), role, place: place(3) }
    }

    fn service() -> Role {
        Role::Service { names: vec!["localhost-team-app".to_owned(), "db".to_owned()] }
    }

    fn chosen() -> Credentials {
        Credentials::Chosen(Chosen {
            source: "$DOCKER_AUTH_CONFIG".to_owned(),
            origin: "credsStore `ecr-login`".to_owned(),
            server_address: "https://localhost:5000".to_owned(),
            username: "AWS".to_owned(),
            password: PASSWORD.into(),
            registry_token: PASSWORD.into(),
            is_identity_token: false,
            identity: Some("the profile `ci`, chosen by the ECRU_ variables".to_owned()),
        })
    }

    fn image(name: &str, outcome: Outcome) -> CheckedImage {
        CheckedImage {
            name: name.to_owned(),
            used_by: vec![user("build: [<a>]", Role::Image), user("test", service())],
            docker_auth_config: Some(format!("{{\"{PASSWORD}\":1}}").into()),
            unknown_in_config: Vec::new(),
            is_of_commit: false,
            platform: None,
            lacking_platform: None,
            registry: ecru_ecr::registry::Registry::parse("000000000000.dkr.ecr.us-east-1.amazonaws.com")
                .ok(),
            credentials: chosen(),
            outcome,
        }
    }

    pub(super) fn report() -> Report {
        let facts = ImageFacts {
            digest: Some(format!("sha256:{}", "0".repeat(64))),
            media_type: Some("application/vnd.oci.image.index.v1+json".to_owned()),
            platforms: vec!["linux/amd64".to_owned(), "linux/arm64".to_owned()],
            size: Some(12_345_678),
        };
        let none = Credentials::None {
            obstacles: vec!["the helper is missing".to_owned()],
            hints: vec!["install it".to_owned()],
        };
        Report {
            images: vec![
                image("localhost:5000/team/app:1", Outcome::Exists(facts)),
                image(
                    "localhost:5000/team/missing:1",
                    Outcome::Failed(LookupError::NoRepository {
                        message: "no `team/missing` & \u{1b}x".into(),
                    }),
                ),
                CheckedImage {
                    credentials: none,
                    ..image("localhost:5000/team/db:1", Outcome::Failed(LookupError::LoginMissing))
                },
                image("localhost:5000/team/later:1", Outcome::NotAsked),
                CheckedImage {
                    used_by: vec![user("other", Role::Image)],
                    credentials: Credentials::None { obstacles: Vec::new(), hints: Vec::new() },
                    ..image(
                        "localhost:5000/team/app:1",
                        Outcome::LeftOpen { reason: "nobody knows".into(), hint: "--ask somebody".into() },
                    )
                },
            ],
            unresolved: vec![UnresolvedImage {
                written: "$CI_REGISTRY_IMAGE/app".to_owned(),
                variables: vec!["CI_REGISTRY_IMAGE".to_owned()],
                used_by: vec![user("deploy", Role::Image)],
            }],
            failed_jobs: vec![Finding {
                place: place(9),
                job: Some("broken".to_owned()),
                kind: "job",
                message: "line 9, column 3: no `script`".to_owned(),
                hint: None,
            }],
            warnings: vec![Finding {
                place: place(1),
                job: None,
                kind: "pipeline",
                message: "`include:project` `a` is not read".to_owned(),
                hint: None,
            }],
            notes: vec!["note: something".to_owned()],
            jobs: 4,
        }
    }

    #[test]
    fn no_form_shows_a_password() {
        for format in [CheckFormat::Text, CheckFormat::Json, CheckFormat::Junit, CheckFormat::Codequality] {
            assert!(!rendered(&report(), format, None).contains(PASSWORD), "{format:?}");
        }
    }

    #[test]
    fn every_form_names_what_is_wrong() {
        for format in [CheckFormat::Text, CheckFormat::Json, CheckFormat::Junit, CheckFormat::Codequality] {
            let text = rendered(&report(), format, None);
            for part in
                ["team/missing:1", "team/db:1", "the repository does not exist", "the helper is missing"]
            {
                assert!(text.contains(part), "{format:?} without {part}: {text}");
            }
        }
    }

    #[test]
    fn a_table_that_is_too_wide_for_its_terminal_is_stacked() {
        let text = |columns| rendered(&report(), CheckFormat::Text, columns);
        let table = text(None);
        let width = table.lines().next().unwrap_or_default().len();
        assert_eq!(text(Some(1000)), table);
        assert!(width > 80 && table.trim_start().starts_with("IMAGE "), "{table}");
        let stacked = text(Some(80));
        assert!(
            stacked
                .starts_with("localhost:5000/team/app:1\n  used by      build: [<a>], test (service db)\n"),
            "{stacked}"
        );
        assert_eq!(stacked.matches("\n  result       ").count(), report().images.len());
    }

    #[test]
    fn gitlab_takes_no_two_cases_or_findings_for_one() {
        let junit = rendered(&report(), CheckFormat::Junit, None);
        for name in ["localhost:5000/team/app:1 (build: [&lt;a&gt;])", "localhost:5000/team/app:1 (other)"] {
            assert_eq!(junit.matches(&format!("name=\"{name}\"")).count(), 1, "{junit}");
        }
        let twice = Report {
            images: ["a", "b"]
                .map(|job| CheckedImage {
                    used_by: vec![user(job, Role::Image)],
                    ..image("localhost:5000/team/none:1", Outcome::Failed(LookupError::LoginMissing))
                })
                .into(),
            ..Report::default()
        };
        let findings: Vec<serde_json::Value> =
            serde_json::from_str(&rendered(&twice, CheckFormat::Codequality, None)).unwrap();
        assert_ne!(findings[0]["fingerprint"], findings[1]["fingerprint"]);
    }

    #[test]
    fn a_name_has_no_lines_of_its_own() {
        let image = CheckedImage {
            used_by: vec![user("a\n1 job, 1 image: 1 ok", Role::Image)],
            ..image("x\ny", Outcome::Failed(LookupError::LoginMissing))
        };
        let text = rendered(&Report { images: vec![image], ..Report::default() }, CheckFormat::Text, None);
        assert!(text.contains(r"a\n1 job, 1 image: 1 ok") && !text.contains("x\n"), "{text}");
    }

    #[test]
    fn forms_stay_as_they_are() {
        insta::assert_snapshot!(
            "text",
            crate::terminal::printable(&rendered(&report(), CheckFormat::Text, None))
        );
        insta::assert_snapshot!("json", rendered(&report(), CheckFormat::Json, None));
        insta::assert_snapshot!("junit", rendered(&report(), CheckFormat::Junit, None));
        insta::assert_snapshot!("codequality", rendered(&report(), CheckFormat::Codequality, None));
    }
}
