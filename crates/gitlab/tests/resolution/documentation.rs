//! The page on the rules names every case, and no other.

use std::collections::BTreeSet;

use serde_json::Value;

#[test]
fn the_page_on_the_rules_names_every_case() {
    let vectors: Value =
        serde_json::from_str(include_str!("../vectors/gitlab-auth.json")).expect("the vectors are JSON");
    let page = include_str!("../../../../docs/RESOLUTION.md");
    let named: BTreeSet<&str> = page.split('`').skip(1).step_by(2).collect();
    for group in ["resolve", "resolve_all", "home_lookup"] {
        for case in vectors[group].as_array().expect("a list of cases") {
            let id = case["id"].as_str().expect("an id");
            assert!(named.contains(id), "`{id}` is not in docs/RESOLUTION.md");
        }
    }
    for group in ["image_path", "registry_path"] {
        assert!(named.contains(group) && vectors[group].is_array());
    }
}
