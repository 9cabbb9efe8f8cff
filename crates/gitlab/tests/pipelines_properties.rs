//! What holds of any pipeline and of any files that it includes.

use std::collections::BTreeMap;

use ecru_gitlab::ci::{FileProblem, Pipeline, ProjectFiles};
use ecru_gitlab::image_uses::{ImageUse, Uses, UsesRequest, image_uses};
use ecru_gitlab::predefined::Predefined;
use ecru_gitlab::variables::Variable;
use proptest::prelude::*;

#[derive(Clone, Default)]
struct Files(BTreeMap<String, String>);

impl ProjectFiles for Files {
    fn text(&mut self, path: &str) -> Result<String, FileProblem> {
        self.0.get(path).cloned().ok_or(FileProblem::NotFound)
    }

    fn paths(&mut self) -> Result<Vec<String>, FileProblem> {
        Ok(self.0.keys().cloned().collect())
    }
}

fn uses(text: &str, files: &Files) -> Option<Uses> {
    let variables = [Variable::new("KNOWN", "known")];
    let pipeline = match Pipeline::with_includes(".gitlab-ci.yml", text, &mut files.clone(), &variables) {
        Ok(pipeline) => pipeline,
        Err(error) => {
            let _ = (error.to_string(), error.hint());
            return None;
        }
    };
    for warning in pipeline.warnings() {
        assert!(pipeline.file_of(warning.position).is_some(), "{warning}");
    }
    let request = UsesRequest {
        pipeline: &pipeline,
        runner: None,
        predefined: &Predefined::default(),
        extra_variables: &variables,
    };
    Some(image_uses(&request))
}

/// What jobs use, without the places.
fn comparable(uses: &Uses) -> Vec<String> {
    let mut jobs: Vec<String> = uses
        .jobs
        .iter()
        .map(|job| format!("{} {:?} {:?}", job.name, job.image, job.services))
        .chain(uses.failed.iter().map(|failed| format!("{} fails", failed.name)))
        .collect();
    jobs.sort_unstable();
    jobs
}

fn check(image: &ImageUse) {
    let has_inputs = image.written.contains("$[[");
    assert_eq!(image.name.is_some(), image.unresolved.is_empty() && !has_inputs, "{image:?}");
}

/// Jobs, templates and keywords, each a top-level entry.
fn entries() -> impl Strategy<Value = Vec<String>> {
    let entry = prop::sample::select(vec![
        ".a: {image: a, variables: {X: 1, Y: $X}}",
        ".b: {extends: .a, services: [b, {name: $KNOWN/c, alias: d}]}",
        ".c: {extends: [.a, .b], image: $MISSING/c}",
        "variables: {V: $W, W: w}",
        "default: {image: $V/default, services: [s]}",
        "one: {extends: .b, script: [x]}",
        "two: {extends: .c, script: [x], inherit: {variables: false}}",
        "three: {script: [!reference [.d, script]], parallel: {matrix: [{M: [1, 2], N: n}]}, image: i:$M}",
        "four: {image: !reference [.b, image], script: [x], rules: [{if: $A, variables: {X: 2}}]}",
        "five: {script: 1}",
        ".d: {script: [y], image: d}",
        "six: {parallel: 3, script: [x], image: i:$CI_NODE_INDEX}",
    ]);
    prop::collection::btree_set(entry, 1..10)
        .prop_map(|entries| entries.into_iter().map(str::to_owned).collect())
}

fn pieces() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "include: ",
        "a.yml",
        "b.yml",
        "c/*.yml",
        "**.yml",
        "[",
        "]",
        ", ",
        "{local: ",
        "}",
        "\n",
        "job: ",
        "image: ",
        "$KNOWN",
        "$X",
        "script: [x]",
        "extends: .a",
        ".a: ",
        "services: ",
        "rules: [{variables: {X: 1}}]",
        "- ",
        "  ",
        "parallel: ",
        "matrix: ",
        "2",
        "inputs: {a: b}",
        "project: p",
        "spec: {}\n---\n",
        "!reference [.a, image]",
        "/",
        "..",
    ]);
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn any_files_are_read_or_refused(main in pieces(), a in pieces(), b in pieces(), c in pieces()) {
        let files = [("a.yml", a), ("b.yml", b), ("c/c.yml", c)];
        let files = Files(files.into_iter().map(|(path, text)| (path.to_owned(), text)).collect());
        if let Some(uses) = uses(&main, &files) {
            for job in &uses.jobs {
                job.image.iter().for_each(check);
                job.services.iter().for_each(|service| check(&service.image));
            }
        }
    }

    /// Which file an entry stands in makes no difference to what jobs use.
    #[test]
    fn files_can_be_divided(entries in entries(), places in prop::collection::vec(0..4_u8, 10)) {
        let whole = uses(&entries.join("\n"), &Files::default()).expect("one file can be read");
        let mut files = Files::default();
        let mut main = "include: [a.yml, 'more/**.yml']\n".to_owned();
        for path in ["a.yml", "more/b.yml", "more/c/c.yml"] {
            files.0.insert(path.to_owned(), format!(".in {path}: {{}}\n"));
        }
        for (entry, place) in entries.iter().zip(places) {
            let text = match place {
                0 => &mut main,
                1 => files.0.entry("a.yml".to_owned()).or_default(),
                2 => files.0.entry("more/b.yml".to_owned()).or_default(),
                _ => files.0.entry("more/c/c.yml".to_owned()).or_default(),
            };
            text.push_str(entry);
            text.push('\n');
        }
        let divided = uses(&main, &files).expect("several files can be read");
        prop_assert_eq!(comparable(&whole), comparable(&divided));
    }

    /// Including a file again changes nothing.
    #[test]
    fn a_second_time_is_no_other(entries in entries()) {
        let files = Files([("a.yml".to_owned(), entries.join("\n"))].into());
        let once = uses("include: a.yml\n", &files).expect("it can be read");
        let twice = uses("include: [a.yml, a.yml]\n", &files).expect("it can be read twice");
        prop_assert_eq!(comparable(&once), comparable(&twice));
    }
}
