//! What libyaml reads, which is below Ruby's Psych and so below GitLab, is read the same way. The trees and positions
//! that are expected here are those of libyaml 0.2.5.

use std::fmt::Write as _;

use super::*;
use crate::position::FileNumber;

/// The documents in brackets and quotes, with the tags in front.
fn shown(text: &str) -> String {
    match parse(text, FileNumber::default()) {
        Ok(documents) => {
            let roots: Vec<String> = documents.roots.iter().map(|root| node_shown(root)).collect();
            roots.join(" --- ")
        }
        Err(error) => error.to_string(),
    }
}

fn node_shown(node: &Node) -> String {
    let mut shown = node.tag.as_ref().map(|tag| format!("!{tag} ")).unwrap_or_default();
    match &node.content {
        Content::Scalar(scalar) if scalar.is_plain && scalar.text.is_empty() => shown.push('~'),
        Content::Scalar(scalar) => write!(shown, "{:?}", scalar.text).unwrap(),
        Content::Sequence(items) => {
            let items: Vec<String> = items.iter().map(|item| node_shown(item)).collect();
            write!(shown, "[{}]", items.join(", ")).unwrap();
        }
        Content::Mapping(mapping) => {
            let member = |(name, member): (&std::sync::Arc<str>, &Member)| {
                format!("{name}: {}", node_shown(&member.value))
            };
            let members: Vec<String> = mapping.iter().map(member).collect();
            write!(shown, "{{{}}}", members.join(", ")).unwrap();
        }
    }
    shown
}

#[track_caller]
fn assert_shown(cases: &[(&str, &str)]) {
    let wrong: Vec<String> = cases
        .iter()
        .map(|(text, expected)| (text, expected, shown(text)))
        .filter(|(_, expected, actual)| actual != *expected)
        .map(|(text, expected, actual)| format!("{text:?}\n  want {expected}\n  have {actual}"))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn brackets_close_and_items_stand_at_any_indentation() {
    assert_shown(&[
        (
            "build:\n  image:\n    name: kaniko:debug\n    entrypoint: [\n      \"\"\n    ]\n  script: echo\n",
            r#"{build: {image: {name: "kaniko:debug", entrypoint: [""]}, script: "echo"}}"#,
        ),
        ("a:\n  script: [\n    \"a\",\n    \"b\"\n  ]\n", r#"{a: {script: ["a", "b"]}}"#),
        ("a:\n  only: {\n    \"refs\": [\"a\"]\n  }\n", r#"{a: {only: {refs: ["a"]}}}"#),
        ("a:\n  script: [\n  a\n  ]\n  b: c\n", r#"{a: {script: ["a"], b: "c"}}"#),
        ("a:\n  script: [\n\"a\",\nb,\n]\n  b: c\n", r#"{a: {script: ["a", "b"], b: "c"}}"#),
        ("a: {\nx: 1\n}\nb: c\n", r#"{a: {x: "1"}, b: "c"}"#),
        ("a: {x: [y, z],\ny: w}\n", r#"{a: {x: ["y", "z"], y: "w"}}"#),
        ("a:\n  - !reference [.b,\n  c]\n", r#"{a: [!reference [".b", "c"]]}"#),
        // Outside of them, what stands at the column of a key must be a key.
        ("a:\n[b]\n", "line 2, column 1: not valid YAML: simple key expected ':'"),
        ("a: [\n'x'\n,\n'y'\n]\n", r#"{a: ["x", "y"]}"#),
        ("{\n\"a\": [\n\"b\"\n]\n}\n", r#"{a: ["b"]}"#),
    ]);
}

#[test]
fn quoted_texts_go_on_at_any_indentation() {
    assert_shown(&[
        ("a:\n  script:\n    - 'echo one\n  two'\n    - b\n", r#"{a: {script: ["echo one two", "b"]}}"#),
        ("a:\n  script:\n    - \"echo one\n  two\"\n    - b\n", r#"{a: {script: ["echo one two", "b"]}}"#),
        ("a: 'x\ny'\nb: z\n", r#"{a: "x y", b: "z"}"#),
        ("a: \"x\\\n\n y\"\n", r#"{a: "x\ny"}"#),
        ("a:\n  - \"x\n\n\ty\"\n", r#"{a: ["x\ny"]}"#),
        // A document ends wherever its mark stands.
        (
            "a: 'x\n--- y'\n",
            "line 1, column 4: not valid YAML: while scanning a quoted scalar, found unexpected document indicator",
        ),
    ]);
}

#[test]
fn comments_and_plain_texts_in_brackets_take_several_lines() {
    assert_shown(&[
        ("a: [ # c\n  b, # d\n# e\n  c # f\n]\n", r#"{a: ["b", "c"]}"#),
        ("a: [\n# c\n]\n", "{a: []}"),
        ("a: {b: c # d\n}\n", r#"{a: {b: "c"}}"#),
        ("a: [one\n two\nthree]\n", r#"{a: ["one two three"]}"#),
        ("a: [one\n\ntwo]\n", r#"{a: ["one\ntwo"]}"#),
        ("a: [b#c, http://d:80/e, f: g]\n", r#"{a: ["b#c", "http://d:80/e", {f: "g"}]}"#),
        ("a: {b, \"c\":d}\n", r#"{a: {b: ~, c: "d"}}"#),
    ]);
}

#[test]
fn tabs_separate_but_do_not_indent() {
    assert_shown(&[
        ("a:\tb\t# c\n", r#"{a: "b"}"#),
        ("a: 'b\n\tc'\n", r#"{a: "b c"}"#),
        ("a: |\n  b\n  \tc\n", r#"{a: "b\n\tc\n"}"#),
        ("a: [b,\tc]\n", r#"{a: ["b", "c"]}"#),
    ]);
    for text in ["a:\n\tb: c\n", "a: b\n\tc\n"] {
        assert!(shown(text).contains("tab"), "{}", shown(text));
    }
}

#[test]
fn keys_may_be_marked() {
    assert_shown(&[
        ("? a\n: b\n? c\n", r#"{a: "b", c: ~}"#),
        (": a\n", r#"{: "a"}"#),
        ("{? a : b}\n", r#"{a: "b"}"#),
        ("? |\n  a\n: b\n", "{a\n: \"b\"}"),
        ("? [a]\n: b\n", "line 1, column 3: a key must be a single word or text"),
        ("&k a: b\nc: *k\n", r#"{a: "b", c: "a"}"#),
    ]);
}

#[test]
fn documents_line_ends_and_byte_order_marks_are_told_apart() {
    assert_shown(&[
        ("%YAML 1.1\n---\na: b\n...\n---\nc: d\n", r#"{a: "b"} --- {c: "d"}"#),
        ("--- a\n--- |\n b\n---\n", r#""a" --- "b\n" --- ~"#),
        (
            "a: b\r\nc:\r\n  - |\r\n    d\r\n    e\r\n  - [\r\n  f\r\n  ]\r\n",
            r#"{a: "b", c: ["d\ne\n", ["f"]]}"#,
        ),
        ("\u{feff}a: b\n", r#"{a: "b"}"#),
        ("\u{feff}# c\na: b\n", r#"{a: "b"}"#),
        ("a: |\n  b", r#"{a: "b"}"#),
        ("a: |+\n  b\n\n", r#"{a: "b\n\n"}"#),
        ("a: >\n  b\n  c", r#"{a: "b c"}"#),
    ]);
}

#[test]
fn nodes_stand_where_their_tag_or_anchor_begins() {
    for (text, line, column) in [
        ("a: b", 1, 4),
        ("a: !x b", 1, 4),
        ("a: &x b", 1, 4),
        ("a: !x &y b", 1, 4),
        ("a: &y !x b", 1, 4),
        ("a: &x\n  b: c", 1, 4),
        ("a: !x\n  - b", 1, 4),
        ("a: &x [\nb\n]", 1, 4),
        ("a:\n  &x\n  # c\n  b: c", 2, 3),
        ("a: &x", 1, 4),
        ("\u{feff}a: é", 1, 4),
    ] {
        let documents = parse(text, FileNumber::default()).unwrap();
        let position = documents.roots[0].as_mapping().unwrap()["a"].value.position;
        assert_eq!((position.line, position.column), (line, column), "for {text:?}");
    }
}

#[test]
fn long_collections_in_brackets_are_read() {
    let items: String = (0..50_000).map(|item| format!("\"{item}\",\n")).collect();
    let documents = parse(&format!("a: [\n{items}]\n"), FileNumber::default()).unwrap();
    assert_eq!(documents.roots[0].member("a").unwrap().as_sequence().unwrap().len(), 50_000);
}

/// The parser is stricter than libyaml here, and says what to do.
#[test]
fn what_only_libyaml_reads_is_refused_with_a_hint() {
    for (text, position, hint) in [
        ("a: [\n\tb\n]\n", "line 2, column 2: ", "indent with spaces"),
        ("a: [b]# c\n", "line 1, column 7: ", "put a space in front of the `#`"),
        ("a: 'b'# c\n", "line 1, column 7: ", "put a space in front of the `#`"),
    ] {
        let error = parse(text, FileNumber::default()).unwrap_err();
        assert!(error.to_string().starts_with(position), "for {text:?}: {error}");
        assert!(error.hint().unwrap().starts_with(hint), "for {text:?}: {error}");
    }
}
