//! The reference of the configuration in docs/HELPER.md, from the types that the files are read into.

use std::fmt::Write as _;

use ecru_testkit::{assert_generated, table};
use schemars::schema_for;
use serde_json::{Map, Value};

use super::Config;
use super::file::Written;

/// A table of the file: how its head is written, what it is for, and its keys.
struct Block {
    head: String,
    meaning: String,
    keys: Vec<Key>,
    /// The tables in it.
    tables: Vec<Block>,
}

/// A key of a table.
#[derive(Clone)]
struct Key {
    name: String,
    kind: String,
    default: String,
    meaning: String,
}

/// The schema, with its definitions at hand.
struct Schema(Value);

impl Schema {
    fn of_a_file() -> Self {
        Self(schema_for!(Written).to_value())
    }

    /// The schema without the ways in which an optional or shared one is wrapped.
    fn plain<'a>(&'a self, schema: &'a Value) -> &'a Value {
        if let Some(reference) = schema["$ref"].as_str() {
            let name = reference.trim_start_matches("#/$defs/");
            return self.plain(&self.0["$defs"][name]);
        }
        let is_null = |schema: &&Value| schema["type"] != "null";
        match schema["anyOf"].as_array().and_then(|ways| ways.iter().find(is_null)) {
            Some(way) => self.plain(way),
            None => schema,
        }
    }

    /// The table that `schema` describes, below `path` of the file.
    fn block(&self, path: &str, head: String, meaning: &str, schema: &Value) -> Block {
        let mut block = Block { head, meaning: meaning.to_owned(), keys: Vec::new(), tables: Vec::new() };
        let no_keys = Map::new();
        let path = if path.is_empty() { String::new() } else { format!("{path}.") };
        let keys = schema["properties"].as_object().unwrap_or(&no_keys);
        for (name, key) in keys {
            let (plain, meaning) = (self.plain(key), text_of(&key["description"]));
            let items = self.plain(&plain["items"]);
            let members = self.plain(&plain["additionalProperties"]);
            let path = format!("{path}{name}");
            if is_table(plain) {
                block.tables.push(self.block(&path, format!("`[{path}]`"), &meaning, plain));
            } else if is_table(items) {
                block.tables.push(self.block(&path, format!("`[[{path}]]`"), &meaning, items));
            } else if is_table(members) {
                let path = format!("{path}.NAME");
                block.tables.push(self.block(&path, format!("`[{path}]`"), &meaning, members));
            } else {
                let is_required =
                    schema["required"].as_array().is_some_and(|all| all.contains(&name.as_str().into()));
                block.keys.push(self.key(name, key, &meaning, is_required));
            }
        }
        block
    }

    fn key(&self, name: &str, key: &Value, meaning: &str, is_required: bool) -> Key {
        let default = match &key["default"] {
            _ if is_required => "required".to_owned(),
            Value::Null => "none".to_owned(),
            Value::Array(list) if list.is_empty() => "empty".to_owned(),
            Value::Object(members) if members.is_empty() => "empty".to_owned(),
            Value::String(word) => format!("`{word}`"),
            other => format!("`{other}`"),
        };
        let (kind, values) = self.kind(key);
        let meaning = format!("{meaning}{values}").trim().to_owned();
        Key { name: name.to_owned(), kind, default, meaning }
    }

    /// What a value looks like, and what each value means where they are words.
    fn kind(&self, schema: &Value) -> (String, String) {
        let plain = self.plain(schema);
        if let Some(words) = plain["oneOf"].as_array() {
            let word = |word: &Value| format!("`{}`", word["const"].as_str().unwrap());
            let kind = words.iter().map(word).collect::<Vec<_>>().join(", ");
            let values = words.iter().map(|it| format!(" {}: {}", word(it), text_of(&it["description"])));
            return (kind, values.collect());
        }
        let type_of = |schema: &Value| match &schema["type"] {
            Value::Array(types) => types[0].as_str().unwrap().to_owned(),
            name => name.as_str().unwrap_or_default().to_owned(),
        };
        let kind = match type_of(plain).as_str() {
            "string" => "text",
            "boolean" => "`true` or `false`",
            "array" if type_of(self.plain(&plain["items"])) == "string" => "list of texts",
            "object" if type_of(self.plain(&plain["additionalProperties"])) == "string" => "table of texts",
            other => panic!("a value of type `{other}` has no words yet: {plain}"),
        };
        (kind.to_owned(), String::new())
    }
}

fn is_table(schema: &Value) -> bool {
    schema["properties"].is_object()
}

fn text_of(description: &Value) -> String {
    description.as_str().unwrap_or_default().replace('\n', " ")
}

/// The tables one after the other. Where a table only has keys of one before it, they are not repeated.
fn write(page: &mut String, block: &Block, told: &mut Vec<Key>) {
    let is_told = |key: &Key| told.iter().any(|other| (&other.name, &other.kind) == (&key.name, &key.kind));
    if !block.meaning.is_empty() {
        writeln!(page, "{}: {}\n", block.head, block.meaning).unwrap();
    }
    if !block.keys.iter().all(is_told) {
        let rows = block.keys.iter().cloned();
        let rows = rows.map(|key| [format!("`{}`", key.name), key.kind, key.default, key.meaning]);
        writeln!(page, "{}", table(["key", "value", "default", "meaning"], rows)).unwrap();
    }
    told.extend(block.keys.iter().cloned());
    for table in &block.tables {
        write(page, table, told);
    }
}

/// The table whose keys are those of a rule.
const PROFILES: &str = "`[profile.NAME]`";

/// The blocks of a file, its rules before what only repeats their keys.
fn file() -> Block {
    let schema = Schema::of_a_file();
    let mut file = schema.block("", String::new(), "", &schema.0);
    let first = ["`[[registry]]`", PROFILES];
    file.tables.sort_by_key(|block| first.iter().position(|head| *head == block.head).unwrap_or(first.len()));
    file
}

#[test]
fn the_reference_of_the_configuration_is_up_to_date() {
    let mut page = String::new();
    write(&mut page, &file(), &mut Vec::new());
    assert_generated("docs/HELPER.md", "configuration", &page);
}

#[test]
fn every_key_is_explained() {
    fn check(block: &Block) {
        assert!(block.head.is_empty() || block.meaning.ends_with('.'), "{}", block.head);
        if block.head == PROFILES {
            return;
        }
        for key in &block.keys {
            assert!(key.meaning.ends_with('.'), "{} {}: {}", block.head, key.name, key.meaning);
        }
        block.tables.iter().for_each(check);
    }
    check(&file());
}

#[test]
fn the_defaults_of_the_reference_are_those_of_the_program() {
    let config = |text: &str| {
        let mut config = Config::default();
        config.add_text(text.as_bytes(), true).map(|()| config).expect(text)
    };
    let file = file();
    let mut compared = 0;
    for block in std::iter::once(&file).chain(&file.tables) {
        let head = block.head.trim_matches('`');
        for key in &block.keys {
            let value = match key.default.as_str() {
                "`true`" | "`false`" => key.default.trim_matches('`').to_owned(),
                default if default.starts_with('`') => format!("\"{}\"", default.trim_matches('`')),
                _ => continue,
            };
            let with_default = format!("{head}\n{} = {value}\n", key.name);
            assert_eq!(config(&with_default), config(head), "{with_default}");
            compared += 1;
        }
    }
    assert_eq!(compared, 2, "`on_error` and `public` have defaults");
}
