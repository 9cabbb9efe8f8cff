//! Files that are made to use up the memory or the time of whoever reads them. They are made one after the other: a
//! process that is started while all of them are held begins with that as its peak (Linux, `fs/exec.c`, `exec_mmap`).

use std::fmt::Write as _;

/// Makes a file of at most so many bytes.
type Maker = fn(usize) -> String;

/// Pipelines of at most `most` bytes, each with a name.
pub fn pipelines(most: usize) -> impl Iterator<Item = (&'static str, String)> {
    made(PIPELINES, most)
}

/// JSON documents of at most `most` bytes for DOCKER_AUTH_CONFIG and `config.json`, each with a name.
pub fn docker_configs(most: usize) -> impl Iterator<Item = (&'static str, String)> {
    made(DOCKER_CONFIGS, most)
}

/// Configurations of a runner of at most `most` bytes, each with a name.
pub fn runner_configs(most: usize) -> impl Iterator<Item = (&'static str, String)> {
    made(RUNNER_CONFIGS, most)
}

fn made(
    table: &'static [(&'static str, Maker)],
    most: usize,
) -> impl Iterator<Item = (&'static str, String)> {
    table.iter().map(move |(name, make)| (*name, make(most)))
}

const PIPELINES: &[(&str, Maker)] = &[
    ("a file in brackets", |most| filled(most, "[", "a,", "]")),
    ("a file in brackets that never close", |most| filled(most, "[", "a,", "")),
    ("a file in braces", |most| {
        numbered(most, |key| if key == 0 { "{".into() } else { format!("k{key}: v, ") })
    }),
    ("a file of small lists", |most| filled(most, "[", "[],", "]")),
    ("a file of anchors", |most| filled(most, "[", "&a ", "]")),
    ("a file of long keys", |most| filled(most, "{", "? [a,a,a,a,a,a] : ", "}")),
    ("a list in brackets", |most| filled(most, "x: [", "a,", "]")),
    ("a mapping in braces", |most| {
        numbered(most, |key| if key == 0 { "x: {".into() } else { format!("k{key}: v, ") })
    }),
    ("brackets in brackets", |most| filled(most, "x: ", "[", "")),
    ("small lists", |most| filled(most, "x: [", "[],", "]")),
    ("anchors", |most| filled(most, "x: [", "&a ", "]")),
    ("anchors on one line", |most| filled(most, "x: ", "&a ", "")),
    ("tags", |most| filled(most, "x: [", "!a ", "]")),
    ("quotes", |most| filled(most, "x: [", "'',", "]")),
    ("questions", |most| filled(most, "x: {", "? ", "}")),
    ("dashes on one line", |most| filled(most, "x:\n  ", "- ", "")),
    ("a list with dashes", |most| filled(most, "x:\n", "- a\n", "")),
    ("indentation without end", |most| numbered(most, |depth| format!("{}a:\n", " ".repeat(depth)))),
    ("keys", |most| numbered(most, |key| format!("k{key}: v\n"))),
    ("the same key", |most| filled(most, "", "k: v\n", "")),
    ("documents", |most| filled(most, "", "--- a\n", "")),
    ("one long text", |most| filled(most, "x: '", "a", "'")),
    ("one long comment", |most| filled(most, "# ", "[,]{:}", "\nx: {script: y}\n")),
    ("aliases", |most| filled(most, "x: &x [a]\ny:\n", "- *x\n", "")),
    ("many anchors", |most| numbered(most, |key| format!("- &a{key} b\n"))),
    ("billion laughs", |_| billion_laughs()),
    ("merged copies", |_| merged_copies()),
    ("many jobs with many variables", |most| {
        many_jobs(most, "variables: {", "V#: x, ", 2000, "}", "script: x")
    }),
    ("many jobs with many services", |most| {
        many_jobs(most, ".s: &s [", "s#, ", 20, "]", "script: x, services: *s")
    }),
    ("large matrices", |most| many_jobs(most, "", "", 0, "", "script: x, image: $A, parallel: 200")),
    ("many unknown images", |most| {
        many_jobs(most, "", "", 0, "", "script: x, image: $V, services: [$W/x, $X/y]")
    }),
];

const DOCKER_CONFIGS: &[(&str, Maker)] = &[
    ("brackets in brackets", |most| filled(most, "", "[", "")),
    ("objects in objects", |most| filled(most, "", "{\"auths\":", "")),
    ("deep below a member that nobody reads", |most| deep_json(most / 16)),
    ("one long text", |most| filled(most, "{\"credsStore\":\"", "a", "\"}")),
    ("escapes", |most| filled(most, "{\"credsStore\":\"", "\\u0061", "\"}")),
    ("the same member", |most| filled(most, "{", "\"auths\":{},", "\"auths\":{}}")),
    // Seventeen thousand registries of a mebibyte; what is told of each takes more room than it does.
    ("many entries", |most| numbered_json(most / 4)),
    ("spaces", |most| filled(most, "", " ", "")),
];

const RUNNER_CONFIGS: &[(&str, Maker)] = &[
    ("brackets in brackets", |most| filled(most, "a = ", "[", "")),
    ("tables in tables", |most| filled(most, "a = ", "{a=", "")),
    ("a long key with dots", |most| filled(most, "", "a.", "a = 1")),
    ("many runners", |most| filled(most, "", "[[runners]]\n", "")),
    ("many keys", |most| numbered(most, |key| format!("k{key} = 1\n"))),
    ("one long text", |most| filled(most, "a = '", "a", "'")),
];

fn deep_json(depth: usize) -> String {
    format!("{{\"x\":{}1{}}}", "[".repeat(depth), "]".repeat(depth))
}

fn numbered_json(most: usize) -> String {
    let entries =
        numbered(most - 32, |key| if key == 0 { "\"k\":{}".into() } else { format!(",\"k{key}\":{{}}") });
    format!("{{\"auths\":{{{entries}}}}}")
}

fn filled(most: usize, start: &str, piece: &str, end: &str) -> String {
    let count = (most - start.len() - end.len()) / piece.len();
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

fn merged_copies() -> String {
    let keys: String = (0..1000).map(|key| format!("  k{key}: v\n")).collect();
    let merges: String = (0..1000).map(|mapping| format!("m{mapping}: {{<<: *x}}\n")).collect();
    format!("x: &x\n{keys}{merges}")
}

fn numbered(most: usize, line: impl Fn(usize) -> String) -> String {
    let mut text = String::new();
    for number in 0.. {
        let line = line(number);
        if text.len() + line.len() > most {
            break;
        }
        text.push_str(&line);
    }
    text
}

/// Something that all jobs share, and many jobs: few enough for the tree, and far too many for what they use.
fn many_jobs(most: usize, start: &str, shared: &str, count: usize, end: &str, job: &str) -> String {
    let shared: String = (0..count).map(|number| shared.replace('#', &number.to_string())).collect();
    let mut text = format!("{start}{shared}{end}\n");
    for number in 0.. {
        let job = format!("j{number}: {{{job}}}\n");
        if text.len() + job.len() > most / 8 {
            break;
        }
        text.push_str(&job);
    }
    text
}
