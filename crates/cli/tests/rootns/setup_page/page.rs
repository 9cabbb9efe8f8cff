//! What `docs/SETUP.md` tells people to type and to write.

use std::collections::VecDeque;
use std::path::Path;

/// The prompt of root. What has another one is done elsewhere.
const PROMPT: &str = "# ";

/// The registry of the page's examples.
const REGISTRY: &str = "111122223333.dkr.ecr.eu-west-1.amazonaws.com";

/// The page, with another registry in it.
pub(crate) struct Page {
    commands: VecDeque<String>,
    /// Its only pipeline.
    pub(crate) pipeline: String,
}

impl Page {
    /// Reads it; what its examples call a registry becomes `registry`.
    pub(crate) fn read(registry: &str) -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/SETUP.md");
        let text = std::fs::read_to_string(path).unwrap().replace(REGISTRY, registry);
        let commands = blocks(&text, "console").flat_map(str::lines);
        let commands = commands.filter_map(|line| line.strip_prefix(PROMPT)).map(without_remark);
        let pipelines: Vec<&str> = blocks(&text, "yaml").collect();
        let [pipeline] = pipelines.as_slice() else { panic!("the page has {} pipelines", pipelines.len()) };
        Self { commands: commands.map(str::to_owned).collect(), pipeline: (*pipeline).to_owned() }
    }

    /// The next command of the page, which is known to begin so: what is told to be typed there is what is typed here.
    pub(crate) fn next(&mut self, beginning: &str) -> String {
        let command = self.commands.pop_front().unwrap_or_default();
        assert!(command.starts_with(beginning), "the page says `{command}`, and not `{beginning} …`");
        command
    }

    /// Fails if there is more to type.
    pub(crate) fn ends(&self) {
        assert!(self.commands.is_empty(), "the page goes on: {:?}", self.commands);
    }
}

/// The contents of the page's blocks in the language `language`.
fn blocks<'p>(page: &'p str, language: &str) -> impl Iterator<Item = &'p str> {
    let begin = format!("```{language}\n");
    let mut rest = page;
    std::iter::from_fn(move || {
        let (_, behind) = rest.split_once(&begin)?;
        let (block, behind) = behind.split_once("```")?;
        rest = behind;
        Some(block)
    })
}

/// The command without what is said about it.
fn without_remark(line: &str) -> &str {
    line.split_once("  #").map_or(line, |(command, _)| command).trim_end()
}
