//! Names of services against cases that were run through GitLab Runner v19.3.0 itself.

use ecru_gitlab::service_names::split_name_and_version;
use serde::Deserialize;

#[derive(Deserialize)]
struct Vectors {
    service_names: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    image: String,
    service: String,
    version: String,
    pulled_image: String,
    implicit_aliases: Vec<String>,
}

#[test]
fn services_are_named_as_the_runner_does() {
    let vectors: Vectors =
        serde_json::from_str(include_str!("vectors/gitlab-auth.json")).expect("the vectors have this form");
    assert!(!vectors.service_names.is_empty());
    for case in vectors.service_names {
        match split_name_and_version(&case.image) {
            Ok(name) => {
                assert_eq!(name.service, case.service, "for {}", case.image);
                assert_eq!(name.version, case.version, "for {}", case.image);
                assert_eq!(name.pulled_image, case.pulled_image, "for {}", case.image);
                assert_eq!(name.implicit_aliases, case.implicit_aliases, "for {}", case.image);
            }
            // The runner goes on without a name, and fails when it creates the container.
            Err(_) => assert_eq!(
                (case.service.as_str(), case.implicit_aliases.len()),
                ("", 0),
                "for {}",
                case.image
            ),
        }
    }
}
