//! From the parser's events to the tree.

use std::collections::{HashMap, HashSet};
use std::mem;
use std::sync::Arc;

use granit_parser::{ErrorKind, Event, Marker, Options, Parser, ScalarStyle, ScanError, Tag, options};

use super::{
    Content, MAX_DEPTH, MAX_INPUT_BYTES, MAX_WEIGHT, Mapping, Member, NODE_WEIGHT, Node, Position, Scalar,
    YamlError, YamlProblem,
};
use crate::position::FileNumber;

/// The documents of a stream.
#[derive(Debug, Default)]
pub(crate) struct Documents {
    pub(crate) roots: Vec<Arc<Node>>,
    /// Keys that stand twice in one mapping; the last one counts.
    pub(crate) repeated_keys: Vec<(Position, String)>,
    /// The weight of everything made.
    pub(crate) weight: usize,
}

/// Reads all documents of `text`, which is the file of that number.
pub(crate) fn parse(text: &str, file: FileNumber) -> Result<Documents, YamlError> {
    let start = Position { file, ..Position::START };
    if text.len() > MAX_INPUT_BYTES {
        return Err(YamlError::new(start, YamlProblem::TooLong { length: text.len() }));
    }
    let mut builder = Builder::default();
    let mut parser = Parser::new_from_str_with_options(text, parser_options());
    let mut next = || parser.next_event().transpose().map_err(|error| syntax_error(file, &error));
    while let Some((event, span)) = next()? {
        let mut start = span.tag_start().unwrap_or(span.start);
        if event.anchor_id().is_some() {
            // An anchor is told after its node, though it may stand on a line above.
            if let Some((_, anchor)) = next()? {
                start = if anchor.start.index() < start.index() { anchor.start } else { start };
            }
        }
        let event = match event {
            // What is not written is `~` to the parser, and nothing to libyaml.
            Event::Scalar(_, style, anchor, tag) if span.start == span.end => {
                Event::Scalar("".into(), style, anchor, tag)
            }
            event => event,
        };
        builder.take(event, position(file, &start))?;
    }
    Ok(Documents { weight: builder.spent, ..builder.documents })
}

/// Where an option lets the parser read as libyaml does, it is set. The limits of depth, one for brackets and one for
/// indentation, end what is too deep before it takes memory; the builder counts both together.
fn parser_options() -> Options {
    options! {
        block_scalar_eof_without_line_feed: true,
        emit_anchor_events: true,
        flow_nesting_limit: MAX_DEPTH,
        block_nesting_limit: MAX_DEPTH,
    }
}

fn syntax_error(file: FileNumber, error: &ScanError) -> YamlError {
    let problem = match error.kind() {
        ErrorKind::RecursionLimitExceeded => YamlProblem::TooDeep,
        _ => YamlProblem::Syntax(error.info()),
    };
    YamlError::new(position(file, error.marker()), problem)
}

/// The parser counts lines from 1 and columns from 0.
fn position(file: FileNumber, marker: &Marker) -> Position {
    Position { file, line: marker.line(), column: marker.col() + 1 }
}

#[derive(Default)]
struct Builder {
    documents: Documents,
    /// The collections that are open, the innermost last.
    open: Vec<Open>,
    anchors: HashMap<usize, Arc<Node>>,
    /// The weight of everything made so far, entries copied by merge keys included.
    spent: usize,
}

struct Open {
    position: Position,
    tag: Option<Box<str>>,
    anchor: usize,
    collection: Collection,
}

enum Collection {
    Sequence(Vec<Arc<Node>>),
    Mapping(OpenMapping),
}

#[derive(Default)]
struct OpenMapping {
    mapping: Mapping,
    /// The keys that stand in this mapping itself, not in one that was merged into it.
    own_keys: HashSet<Arc<str>>,
    repeated_keys: Vec<(Position, String)>,
    /// The key whose value comes next.
    key: Option<(Arc<str>, Position)>,
}

impl OpenMapping {
    /// Takes a key and a value in turn, and returns how many entries were copied from elsewhere.
    fn take(&mut self, node: Arc<Node>, position: Position) -> Result<usize, YamlError> {
        match mem::take(&mut self.key) {
            None => {
                self.key = Some((key_text(&node, position)?, position));
                Ok(0)
            }
            Some((name, _)) if &*name == "<<" => self.merge(&node, position),
            Some((name, key_position)) => {
                if !self.own_keys.insert(Arc::clone(&name)) {
                    self.repeated_keys.push((key_position, name.to_string()));
                }
                self.mapping.insert(name, Member { key_position, value: node });
                Ok(0)
            }
        }
    }

    /// Psych (`visitors/to_ruby.rb`, `revive_hash`) merges where the `<<` stands: what comes later wins, also over
    /// keys written above it. In a list of mappings the first one wins.
    fn merge(&mut self, node: &Arc<Node>, position: Position) -> Result<usize, YamlError> {
        let not_mapping = || YamlError::new(position, YamlProblem::MergeNotMapping);
        let sources: Vec<&Arc<Node>> = match &node.content {
            Content::Mapping(_) => vec![node],
            Content::Sequence(items) => items.iter().rev().collect(),
            Content::Scalar(_) => return Err(not_mapping()),
        };
        let mut merged = 0;
        for source in sources {
            let members = source.as_mapping().ok_or_else(not_mapping)?;
            self.mapping.extend(members.iter().map(|(name, member)| (Arc::clone(name), member.clone())));
            merged += members.len();
        }
        Ok(merged)
    }
}

impl Builder {
    fn take(&mut self, event: Event<'_>, start: Position) -> Result<(), YamlError> {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let is_plain = style == ScalarStyle::Plain && tag.is_none();
                let scalar = Scalar { text: text.into_owned().into_boxed_str(), is_plain };
                if scalar.text.contains('\0') {
                    return Err(YamlError::new(start, YamlProblem::Nul));
                }
                self.spend(start, NODE_WEIGHT + scalar.text.len())?;
                self.finish(start, local_tag(tag.as_deref()), Content::Scalar(scalar), anchor)
            }
            Event::SequenceStart(_, anchor, tag) => {
                self.begin(start, anchor, tag.as_deref(), Collection::Sequence(Vec::new()))
            }
            Event::MappingStart(_, anchor, tag) => {
                self.begin(start, anchor, tag.as_deref(), Collection::Mapping(OpenMapping::default()))
            }
            Event::SequenceEnd | Event::MappingEnd => self.end(),
            Event::Alias(anchor) => match self.anchors.get(&anchor) {
                Some(node) => self.place(Arc::clone(node), start),
                None => Err(YamlError::new(start, YamlProblem::RecursiveAlias)),
            },
            Event::DocumentEnd => {
                self.anchors.clear();
                Ok(())
            }
            // Where a stream or a document begins and ends; the rest is not asked for.
            _ => Ok(()),
        }
    }

    fn spend(&mut self, position: Position, weight: usize) -> Result<(), YamlError> {
        self.spent = self.spent.saturating_add(weight);
        if self.spent > MAX_WEIGHT {
            return Err(YamlError::new(position, YamlProblem::TooLarge));
        }
        Ok(())
    }

    fn begin(
        &mut self,
        position: Position,
        anchor: usize,
        tag: Option<&Tag>,
        collection: Collection,
    ) -> Result<(), YamlError> {
        self.spend(position, NODE_WEIGHT)?;
        if self.open.len() == MAX_DEPTH {
            return Err(YamlError::new(position, YamlProblem::TooDeep));
        }
        self.open.push(Open { position, tag: local_tag(tag), anchor, collection });
        Ok(())
    }

    fn end(&mut self) -> Result<(), YamlError> {
        let Some(Open { position, tag, anchor, collection }) = self.open.pop() else { return Ok(()) };
        let content = match collection {
            Collection::Sequence(items) => Content::Sequence(items),
            Collection::Mapping(open) => {
                self.documents.repeated_keys.extend(open.repeated_keys);
                Content::Mapping(Box::new(open.mapping))
            }
        };
        self.finish(position, tag, content, anchor)
    }

    fn finish(
        &mut self,
        position: Position,
        tag: Option<Box<str>>,
        content: Content,
        anchor: usize,
    ) -> Result<(), YamlError> {
        let node = Node::new(position, tag, content).map_err(|problem| YamlError::new(position, problem))?;
        if anchor != 0 {
            // The parser and this builder keep its name for as long as the document lasts.
            self.spend(position, NODE_WEIGHT)?;
            self.anchors.insert(anchor, Arc::clone(&node));
        }
        self.place(node, position)
    }

    /// Puts a finished node where the innermost open collection wants one. An alias stands elsewhere than its node.
    fn place(&mut self, node: Arc<Node>, position: Position) -> Result<(), YamlError> {
        let Some(open) = self.open.last_mut() else {
            self.documents.roots.push(node);
            return Ok(());
        };
        let copied = match &mut open.collection {
            Collection::Sequence(items) => {
                items.push(node);
                0
            }
            Collection::Mapping(mapping) => mapping.take(node, position)?,
        };
        self.spend(position, copied.saturating_mul(NODE_WEIGHT))
    }
}

fn key_text(node: &Node, position: Position) -> Result<Arc<str>, YamlError> {
    match &node.content {
        Content::Scalar(scalar) => Ok((&*scalar.text).into()),
        _ => Err(YamlError::new(position, YamlProblem::KeyNotScalar)),
    }
}

/// Tags of YAML itself say what is known anyway; a plain scalar with one counts as a text.
fn local_tag(tag: Option<&Tag>) -> Option<Box<str>> {
    tag.filter(|tag| tag.handle() == "!").map(|tag| tag.suffix().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Documents, YamlError> {
        parse(text, FileNumber::default())
    }

    fn text_at<'a>(node: &'a Node, path: &[&str]) -> Option<&'a str> {
        match path {
            [] => node.as_text(),
            [first, rest @ ..] => text_at(node.member(first)?, rest),
        }
    }

    fn root(text: &str) -> Arc<Node> {
        parse(text, FileNumber::default()).unwrap().roots.remove(0)
    }

    fn problem(text: &str) -> YamlError {
        parse(text, FileNumber::default()).unwrap_err()
    }

    #[test]
    fn merge_keys_follow_psych_where_they_stand() {
        let base = "x: &x {image: base, stage: base}\n";
        let after = root(&format!("{base}job: {{image: own, <<: *x}}"));
        assert_eq!(text_at(&after, &["job", "image"]), Some("base"));
        let before = root(&format!("{base}job: {{<<: *x, image: own}}"));
        assert_eq!(text_at(&before, &["job", "image"]), Some("own"));
        assert_eq!(text_at(&before, &["job", "stage"]), Some("base"));
    }

    #[test]
    fn of_several_merged_mappings_the_first_wins() {
        let tree = root("a: &a {k: a}\nb: &b {k: b, l: b}\nc: {<<: [*a, *b]}");
        assert_eq!(text_at(&tree, &["c", "k"]), Some("a"));
        assert_eq!(text_at(&tree, &["c", "l"]), Some("b"));
    }

    #[test]
    fn tags_and_positions_are_kept() {
        let tree = root("script:\n  - !reference [.a, b]\n  - !!str 12\n");
        let items = tree.member("script").unwrap().as_sequence().unwrap();
        assert_eq!(items[0].tag.as_deref(), Some("reference"));
        assert_eq!(items[0].position, Position { line: 2, column: 5, ..Position::START });
        assert_eq!(items[1].as_text(), Some("12"));
    }

    #[test]
    fn repeated_keys_are_noted_and_the_last_wins() {
        let documents = read("a: x\nb: y\na: z\n").unwrap();
        assert_eq!(text_at(&documents.roots[0], &["a"]), Some("z"));
        assert_eq!(
            documents.repeated_keys,
            [(Position { line: 3, column: 1, ..Position::START }, "a".to_owned())]
        );
        let overridden = read("a: &a {k: 1}\nb: {<<: *a, k: 2}").unwrap();
        assert!(overridden.repeated_keys.is_empty());
    }

    #[test]
    fn documents_are_separate() {
        assert_eq!(read("---\na: 1\n---\nb: 2\n").unwrap().roots.len(), 2);
        assert_eq!(read("# nothing\n").unwrap().roots.len(), 0);
    }

    #[test]
    fn errors_carry_line_and_column() {
        let cases = [
            ("a: b: c", "line 1, column 5: not valid YAML: mapping values are not allowed in this context"),
            ("a:\n  b: *c", "line 2, column 6: not valid YAML: while parsing node, found unknown anchor"),
            ("a: &a [*a]", "line 1, column 8: the alias stands inside the node that it refers to"),
            ("? [a]\n: b", "line 1, column 3: a key must be a single word or text"),
            ("a:\n  <<: b", "line 2, column 7: `<<` must be followed by a mapping"),
            ("a: \"\\0\"", "line 1, column 4: the text holds a NUL character"),
            ("a: 'b\u{1b}'", "line 1, column 6: not valid YAML: unexpected character: `\\u{1b}'"),
            ("a: [b", "line 1, column 4: not valid YAML: unclosed bracket '['"),
        ];
        for (text, expected) in cases {
            let message = problem(text).to_string();
            assert!(message.starts_with(expected), "for {text:?}: {message}");
        }
        assert!(problem("a:\n\tb: c").hint().unwrap().contains("spaces"));
        assert!(problem("a: b: c").hint().unwrap().contains("quotes"));
        assert!(problem("a: *b").hint().unwrap().contains("&name"));
    }

    #[test]
    fn billion_laughs_end_in_an_error() {
        let mut text = "a0: &a0 [lol]\n".to_owned();
        for level in 1..12 {
            let aliases = vec![format!("*a{}", level - 1); 10].join(",");
            text.push_str(&format!("a{level}: &a{level} [{aliases}]\n"));
        }
        assert_eq!(problem(&text).problem, YamlProblem::TooLarge);
    }

    #[test]
    fn merged_copies_are_counted() {
        let keys: String = (0..1000).map(|key| format!("  k{key}: v\n")).collect();
        let merges: String = (0..1000).map(|mapping| format!("m{mapping}: {{<<: *x}}\n")).collect();
        assert_eq!(problem(&format!("x: &x\n{keys}{merges}")).problem, YamlProblem::TooLarge);
    }

    #[test]
    fn repeated_long_texts_are_counted() {
        let long = "x".repeat(100_000);
        let text = format!("a: &a {long}\nb: [{}]", vec!["*a"; 1000].join(","));
        assert_eq!(problem(&text).problem, YamlProblem::TooLarge);
    }

    #[test]
    fn depth_is_limited_also_through_aliases() {
        assert_eq!(problem(&"[".repeat(MAX_DEPTH + 1)).problem, YamlProblem::TooDeep);
        let mut text = "a0: &a0 x\n".to_owned();
        for level in 1..=MAX_DEPTH {
            text.push_str(&format!("a{level}: &a{level} [*a{}]\n", level - 1));
        }
        assert_eq!(problem(&text).problem, YamlProblem::TooDeep);
    }
}
