//! Any text is read or refused, without a panic.

use ecru_gitlab::ci::Pipeline;
use ecru_gitlab::config_toml::ConfigToml;
use ecru_gitlab::plan::{PlanRequest, plan};
use ecru_gitlab::predefined::Predefined;
use ecru_gitlab::service_names::split_name_and_version;
use ecru_gitlab::variables::{Variable, expand, expand_all, expand_between};
use proptest::prelude::*;

/// Reads the text and plans every job of it.
fn read_pipeline(text: &str) {
    let Ok(pipeline) = Pipeline::parse(text) else { return };
    for job in pipeline.job_names() {
        let request = PlanRequest {
            pipeline: &pipeline,
            job,
            runner: None,
            predefined: &Predefined::default(),
            extra_variables: &[],
        };
        if let Err(error) = plan(&request) {
            let _ = (error.to_string(), error.hint());
        }
    }
}

/// Texts put together from pieces that mean something to YAML and to GitLab.
fn almost_pipeline() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "job:",
        "\n",
        "  ",
        " ",
        "- ",
        "image: ",
        "script: ",
        "services: ",
        "name: ",
        "variables: ",
        "extends: ",
        ".a: ",
        "job",
        ".a",
        "&x ",
        "*x",
        "<<: ",
        "!reference ",
        "[",
        "]",
        "{",
        "}",
        ", ",
        "|\n",
        ">-\n",
        "\"",
        "'",
        "$A",
        "${A}",
        "true",
        "1.5",
        "~",
        "# c",
        "---\n",
        "...\n",
        "? ",
        ": ",
        "!!str ",
        "%TAG",
        "\t",
        "\\",
        "\u{e9}",
        "default:\n",
        "inherit: ",
        "include: ",
        "before_script: ",
        "\u{feff}",
        "@",
        "`",
    ]);
    prop::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat())
}

/// A job whose keywords have values that may or may not fit them.
fn odd_job() -> impl Strategy<Value = String> {
    let keyword = prop::sample::select(vec![
        "image",
        "services",
        "script",
        "before_script",
        "after_script",
        "variables",
        "extends",
        "inherit",
        "stage",
        "parallel",
        "rules",
        "trigger",
    ]);
    let value = prop::sample::select(vec![
        "a",
        "$A/b:1",
        "[a, b]",
        "[[a], [[b]]]",
        "{name: a, alias: 'b,c'}",
        "[{name: $A, variables: {A: $B}}, a]",
        "{A: $B, B: {value: $A, expand: false}}",
        "!reference [.t, script]",
        "!reference [.t]",
        "[.t, .u]",
        ".t",
        "{default: false, variables: [A]}",
        "1.50",
        "true",
        "null",
        "*x",
        "{<<: *x}",
        "[*x, *x]",
        "''",
        "'{'",
    ]);
    prop::collection::vec((keyword, value), 1..8).prop_map(|members| {
        let members: String = members.iter().map(|(key, value)| format!("  {key}: {value}\n")).collect();
        format!("x: &x {{script: [x], A: $C}}\n.t: {{extends: .u, script: [t]}}\n.u: {{image: u}}\njob:\n{members}")
    })
}

fn almost_config() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "[[runners]]\n",
        "[runners.docker]\n",
        "[[runners.docker.services]]\n",
        "name = ",
        "environment = ",
        "image = ",
        "pull_policy = ",
        "wait_for_services_timeout = ",
        "privileged = ",
        "\"a\"",
        "'A=b'",
        "[",
        "]",
        ", ",
        "1",
        "-1",
        "0xf",
        "true",
        "\n",
        "#",
        "{",
        "}",
        "\"\"\"",
        "1e9",
        "99999999999999999999",
        "\u{e9}",
    ]);
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn pipelines(text in almost_pipeline()) {
        read_pipeline(&text);
    }

    #[test]
    fn jobs(text in odd_job()) {
        read_pipeline(&text);
    }

    #[test]
    fn texts(text in any::<String>()) {
        read_pipeline(&text);
        let _ = ConfigToml::parse(&text);
        let _ = split_name_and_version(&text);
        let _ = expand(&text, |_| Some("value"));
    }

    #[test]
    fn configs(text in almost_config()) {
        if let Err(error) = ConfigToml::parse(&text) {
            let _ = (error.to_string(), error.hint());
        }
    }

    #[test]
    fn variables(values in prop::collection::vec("[$%{}ABC-]{0,12}", 3)) {
        let variables: Vec<Variable> =
            ["A", "B", "C"].into_iter().zip(values).map(|(key, value)| Variable::new(key, value)).collect();
        let expanded = expand_between(&variables).expect("short texts stay short");
        expand_all(&expanded).expect("short texts stay short");
    }
}
