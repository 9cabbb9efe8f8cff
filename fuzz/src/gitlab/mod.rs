//! The targets for what GitLab says.

pub mod docker_auth_config;
pub mod gitlab_ci;
pub mod gitlab_ci_includes;
pub mod runner_config;

/// Panics unless all that is promised holds for the input.
type CheckInput = fn(&[u8]);

/// Each target with what it does with an input.
pub const TARGETS: [(&str, CheckInput); 4] = [
    ("docker_auth_config", docker_auth_config::check_input),
    ("gitlab_ci", gitlab_ci::check_input),
    ("gitlab_ci_includes", gitlab_ci_includes::check_input),
    ("runner_config", runner_config::check_input),
];

/// Makes sure that a place lies in the text, or right behind it. YAML ends lines by carriage returns too.
fn check_place(line: usize, column: usize, text: &str) {
    assert!(line >= 1 && line <= text.matches(['\n', '\r']).count() + 2, "line {line} of {text:?}");
    let longest = text.split('\n').map(|line| line.chars().count()).max().unwrap_or_default();
    assert!(column >= 1 && column <= longest + 2, "column {column} of {text:?}");
}
