//! What hostile files cost before they are refused. A target of its own: the allocator counts for the whole process.
#![expect(clippy::expect_used, reason = "a test stops where its own premises fail")]

use std::fmt::Write as _;

use ecru_gitlab::ci::Pipeline;
use ecru_gitlab::image_uses::{UsesRequest, image_uses};
use ecru_gitlab::predefined::Predefined;
use ecru_gitlab::yaml::MAX_INPUT_BYTES;
// Counts what is allocated. Peak resident memory of a child process would also count the allocator's own moods.
use peak_alloc::PeakAlloc;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// Room for the rest of a program remains below 64 MiB.
const MOST: usize = 56 * 1024 * 1024;

fn filled(start: &str, piece: &str, end: &str) -> String {
    let count = (MAX_INPUT_BYTES - start.len() - end.len()) / piece.len();
    format!("{start}{}{end}", piece.repeat(count))
}

fn billion_laughs() -> String {
    let mut text = "a0: &a0 [lol]\n".to_owned();
    for level in 1..12 {
        let aliases = vec![format!("*a{}", level - 1); 10].join(",");
        writeln!(text, "a{level}: &a{level} [{aliases}]").expect("a string takes everything");
    }
    text
}

fn numbered(line: impl Fn(usize) -> String) -> String {
    let mut text = String::new();
    for number in 0.. {
        let line = line(number);
        if text.len() + line.len() > MAX_INPUT_BYTES {
            break;
        }
        text.push_str(&line);
    }
    text
}

/// Something that all jobs share, and many jobs: few enough for the tree, and far too many for what they use.
fn many_jobs(start: &str, shared: &str, count: usize, end: &str, job: &str) -> String {
    let shared: String = (0..count).map(|number| shared.replace('#', &number.to_string())).collect();
    let mut text = format!("{start}{shared}{end}\n");
    for number in 0.. {
        let job = format!("j{number}: {{{job}}}\n");
        if text.len() + job.len() > MAX_INPUT_BYTES / 8 {
            break;
        }
        text.push_str(&job);
    }
    text
}

fn predefined() -> Predefined {
    Predefined {
        project_path: String::new(),
        project_dir: String::new(),
        builds_dir: String::new(),
        commit: None,
        default_branch: None,
        server_url: None,
        project_id: 0,
        pipeline_id: 0,
        job_id: 0,
        runner_description: String::new(),
        runner_version: String::new(),
        runner_platform: String::new(),
    }
}

#[test]
fn hostile_files_end_in_an_error_or_a_pipeline_within_bounds() {
    let quadratic = {
        let keys: String = (0..1000).map(|key| format!("  k{key}: v\n")).collect();
        let merges: String = (0..1000).map(|mapping| format!("m{mapping}: {{<<: *x}}\n")).collect();
        format!("x: &x\n{keys}{merges}")
    };
    let cases = [
        ("a file in brackets", filled("[", "a,", "]")),
        ("a file in brackets that never close", filled("[", "a,", "")),
        ("a file in braces", numbered(|key| if key == 0 { "{".into() } else { format!("k{key}: v, ") })),
        ("a file of small lists", filled("[", "[],", "]")),
        ("a file of anchors", filled("[", "&a ", "]")),
        ("a file of long keys", filled("{", "? [a,a,a,a,a,a] : ", "}")),
        ("a list in brackets", filled("x: [", "a,", "]")),
        (
            "a mapping in braces",
            numbered(|key| if key == 0 { "x: {".into() } else { format!("k{key}: v, ") }),
        ),
        ("brackets in brackets", filled("x: ", "[", "")),
        ("small lists", filled("x: [", "[],", "]")),
        ("anchors", filled("x: [", "&a ", "]")),
        ("anchors on one line", filled("x: ", "&a ", "")),
        ("tags", filled("x: [", "!a ", "]")),
        ("quotes", filled("x: [", "'',", "]")),
        ("questions", filled("x: {", "? ", "}")),
        ("dashes on one line", filled("x:\n  ", "- ", "")),
        ("a list with dashes", filled("x:\n", "- a\n", "")),
        ("indentation without end", numbered(|depth| format!("{}a:\n", " ".repeat(depth)))),
        ("keys", numbered(|key| format!("k{key}: v\n"))),
        ("the same key", filled("", "k: v\n", "")),
        ("documents", filled("", "--- a\n", "")),
        ("one long text", filled("x: '", "a", "'")),
        ("one long comment", filled("# ", "[,]{:}", "\nx: {script: y}\n")),
        ("aliases", filled("x: &x [a]\ny:\n", "- *x\n", "")),
        ("many anchors", numbered(|key| format!("- &a{key} b\n"))),
        ("billion laughs", billion_laughs()),
        ("merged copies", quadratic),
        ("many jobs with many variables", many_jobs("variables: {", "V#: x, ", 2000, "}", "script: x")),
        ("many jobs with many services", many_jobs(".s: &s [", "s#, ", 20, "]", "script: x, services: *s")),
        ("large matrices", many_jobs("", "", 0, "", "script: x, image: $A, parallel: 200")),
        ("many unknown images", many_jobs("", "", 0, "", "script: x, image: $V, services: [$W/x, $X/y]")),
    ];
    let mut failures = Vec::new();
    for (name, text) in cases {
        let before = MEMORY.current_usage();
        MEMORY.reset_peak_usage();
        let result = Pipeline::parse(&text).map(|pipeline| {
            image_uses(&UsesRequest {
                pipeline: &pipeline,
                runner: None,
                predefined: &predefined(),
                extra_variables: &[],
            })
        });
        let used = MEMORY.peak_usage().saturating_sub(before) + text.len();
        let said = match &result {
            Ok(uses) => format!("{} jobs, {:?}", uses.jobs.len(), uses.failed.last()),
            Err(error) => error.to_string(),
        };
        println!("{name}: {} KiB, {said}", used / 1024);
        if used > MOST {
            failures.push(format!("{name}: {} KiB", used / 1024));
        }
    }
    assert!(failures.is_empty(), "{failures:#?}");
}
