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
    for group in GROUPS {
        assert!(named.contains(group) && vectors[group].is_array(), "`{group}`");
    }
}

/// Groups whose cases have no names.
const GROUPS: [&str; 3] = ["image_path", "registry_path", "service_names"];

#[test]
fn the_page_on_the_rules_names_no_other_case() {
    let vectors: Value =
        serde_json::from_str(include_str!("../vectors/gitlab-auth.json")).expect("the vectors are JSON");
    let lists =
        ["resolve", "resolve_all", "home_lookup"].into_iter().filter_map(|group| vectors[group].as_array());
    let ids = lists.flatten().filter_map(|case| case["id"].as_str());
    let known: BTreeSet<&str> = ids.chain(GROUPS).collect();
    let page = include_str!("../../../../docs/RESOLUTION.md");
    let mut shown = 0;
    for table in page.split("| rule | shown by |\n").skip(1) {
        for row in table.lines().take_while(|line| line.starts_with('|')) {
            let cell = row.trim_end_matches([' ', '|']).rsplit('|').next().unwrap_or_default();
            for name in cell.split('`').skip(1).step_by(2) {
                assert!(known.contains(name), "docs/RESOLUTION.md names `{name}`, which is no case");
                shown += 1;
            }
        }
    }
    assert!(shown > known.len() / 2, "{shown} names stand beside rules");
}
