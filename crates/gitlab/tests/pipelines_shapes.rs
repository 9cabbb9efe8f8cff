//! Whole pipelines in the shapes that public projects use, and the images that their jobs use: one folder each in
//! `pipelines_shapes/`, whose `expected.txt` was written by hand from GitLab's documentation.
#![expect(clippy::expect_used, reason = "a test stops where its own premises fail")]

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use ecru_gitlab::ci::{FileProblem, Pipeline, ProjectFiles};
use ecru_gitlab::image_uses::{ImageUse, JobUses, UsesRequest, image_uses};
use ecru_gitlab::predefined::{Commit, CommitReference, Predefined};
use ecru_gitlab::variables::Variable;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/pipelines_shapes");

fn predefined() -> Predefined {
    Predefined {
        project_path: "local/project".into(),
        project_dir: "/builds/local/project".into(),
        builds_dir: "/builds".into(),
        commit: Some(Commit {
            sha: "0123456789abcdef0123456789abcdef01234567".into(),
            reference: CommitReference::Branch("main".into()),
        }),
        default_branch: None,
        server_url: None,
        project_id: 1,
        pipeline_id: 1,
        job_id: 1,
        runner_description: "ecru".into(),
        runner_version: "0".into(),
        runner_platform: "linux/amd64".into(),
    }
}

struct Files(PathBuf);

impl ProjectFiles for Files {
    fn text(&mut self, path: &str) -> Result<String, FileProblem> {
        std::fs::read_to_string(self.0.join(path)).map_err(|_| FileProblem::NotFound)
    }

    fn paths(&mut self) -> Result<Vec<String>, FileProblem> {
        let mut paths = Vec::new();
        collect(&self.0, &self.0, &mut paths);
        paths.sort();
        Ok(paths)
    }
}

fn collect(top: &Path, folder: &Path, paths: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        match path.is_dir() {
            true => collect(top, &path, paths),
            false => paths.push(path.strip_prefix(top).expect("below").display().to_string()),
        }
    }
}

fn shown_image(image: &ImageUse) -> String {
    let differs = match image.may_differ.as_slice() {
        [] => String::new(),
        names => format!(" (rules can change {})", names.join(", ")),
    };
    match &image.name {
        Some(name) => format!("image {name}{differs}"),
        None => format!("unresolved {} needs {}", image.written, image.unresolved.join(", ")),
    }
}

fn show_job(text: &mut String, job: &JobUses) {
    let image = job.image.as_ref().map_or_else(|| "no image".to_owned(), shown_image);
    writeln!(text, "{}: {image}", job.name).expect("room");
    for service in &job.services {
        let image = shown_image(&service.image).replacen("image ", "service ", 1);
        let names = match service.names.names.as_slice() {
            [] => "is never started".to_owned(),
            names => format!("as {}", names.join(", ")),
        };
        writeln!(text, "{}: {image} {names}", job.name).expect("room");
    }
}

/// All that the library tells of a pipeline.
fn told(folder: &Path) -> String {
    let text = std::fs::read_to_string(folder.join(".gitlab-ci.yml")).expect("a pipeline");
    let variables = [Variable::new("FROM_OUTSIDE", "given")];
    let mut files = Files(folder.to_owned());
    let pipeline =
        Pipeline::with_includes(".gitlab-ci.yml", &text, &mut files, &variables).expect("a pipeline");
    let request = UsesRequest {
        pipeline: &pipeline,
        runner: None,
        predefined: &predefined(),
        extra_variables: &variables,
    };
    let uses = image_uses(&request);
    let mut told = String::new();
    for job in &uses.jobs {
        show_job(&mut told, job);
    }
    for failed in &uses.failed {
        writeln!(told, "{}: error {}", failed.name, failed.error).expect("room");
    }
    for warning in pipeline.warnings() {
        let file = pipeline.file_of(warning.position).expect("a file");
        writeln!(told, "warning {file}:{}: {}", warning.position.line, warning.kind).expect("room");
    }
    told
}

#[test]
fn jobs_use_the_images_that_gitlab_would_pull() {
    let mut shapes = 0;
    let mut wrong = Vec::new();
    for entry in std::fs::read_dir(FOLDER).expect("the folder of shapes") {
        let folder = entry.expect("an entry").path();
        let expected = std::fs::read_to_string(folder.join("expected.txt")).expect("what is expected");
        let told = told(&folder);
        if told != expected {
            wrong.push(format!("{}\n--- expected\n{expected}--- told\n{told}", folder.display()));
        }
        shapes += 1;
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(shapes >= 10, "{shapes} shapes");
}

/// Files that a test makes up, by path.
struct MadeUp(fn(&str) -> Option<String>);

impl ProjectFiles for MadeUp {
    fn text(&mut self, path: &str) -> Result<String, FileProblem> {
        (self.0)(path).ok_or(FileProblem::NotFound)
    }

    fn paths(&mut self) -> Result<Vec<String>, FileProblem> {
        Ok((0..200).map(|number| format!("many/{number}.yml")).collect())
    }
}

fn refusal(text: &str, files: fn(&str) -> Option<String>) -> String {
    let error =
        Pipeline::with_includes(".gitlab-ci.yml", text, &mut MadeUp(files), &[]).expect_err("refused");
    let _ = error.hint();
    error.to_string()
}

#[test]
fn includes_that_gitlab_refuses_are_refused() {
    let at = ".gitlab-ci.yml: line 1, column ";
    let with = |text: &str| refusal(text, |_| None);
    assert_eq!(
        with("include: a.yml\n"),
        format!("{at}10: cannot include `a.yml`: there is no such file in the project")
    );
    assert_eq!(
        with("include: a.txt\n"),
        format!("{at}10: cannot include `a.txt`: its name must end in `.yml` or `.yaml`")
    );
    assert!(with("include: {where: x}\n").contains("an entry of `include` must be a path"));
    assert!(with("include: [{local: [a.yml]}]\n").contains("`include:local` must be a text"));
    assert_eq!(
        refusal("include: a.yml\n", |_| Some(String::new())),
        format!("{at}10: cannot include `a.yml`: the file is empty")
    );
}

#[test]
fn circles_and_floods_of_includes_end() {
    let itself = refusal("include: a.yml\n", |_| Some("include: a.yml\n".to_owned()));
    assert_eq!(itself, "a.yml: line 1, column 10: cannot include `a.yml`: the file includes itself");
    let the_first = refusal("include: a.yml\n", |_| Some("include: .gitlab-ci.yml\n".to_owned()));
    assert!(the_first.ends_with("the file includes itself"), "{the_first}");
    let deeper = |path: &str| {
        let depth: usize = path.trim_end_matches(".yml").parse().ok()?;
        Some(format!("include: {}.yml\n", depth + 1))
    };
    let deep = refusal("include: 1.yml\n", deeper);
    assert!(deep.starts_with("100.yml: line 1") && deep.contains("more than 100 levels deep"), "{deep}");
    let many = refusal("include: many/*.yml\n", |_| Some("a: {script: x}\n".to_owned()));
    assert!(many.ends_with("cannot include `many/150.yml`: more than 150 files are included"), "{many}");
    // Twice as many files with every level, read once each.
    let doubled = |path: &str| {
        let level: usize = path.trim_end_matches(".yml").parse().ok()?;
        Some(match level {
            0..40 => format!("include: [{0}.yml, {0}.yml]\n", level + 1),
            _ => "a: {script: x}\n".to_owned(),
        })
    };
    let flood = refusal("include: 1.yml\n", doubled);
    assert!(flood.contains("more than 150 files are included"), "{flood}");
}

#[test]
fn errors_name_the_file_that_they_are_in() {
    let broken = refusal("include: a.yml\n", |_| Some("a: b: c\n".to_owned()));
    assert!(broken.starts_with("a.yml: line 1, column 5: not valid YAML"), "{broken}");
    let pipeline = Pipeline::with_includes(
        ".gitlab-ci.yml",
        "include: a.yml\n",
        &mut MadeUp(|_| Some("\njob: {script: [1]}\n".to_owned())),
        &[],
    )
    .expect("a pipeline");
    let error = pipeline.job("job").expect_err("a number is no command");
    assert_eq!(error.position().and_then(|position| pipeline.file_of(position)), Some("a.yml"));
}

#[test]
fn files_that_are_large_only_together_are_refused() {
    let large = |_: &str| {
        let jobs: String = (0..100_000).map(|job| format!("k{job}: v\n")).collect();
        Some(jobs)
    };
    let message = refusal("include: [a.yml, b.yml]\n", large);
    assert!(message.starts_with("b.yml: line 1, column 1: holds more than"), "{message}");
}
