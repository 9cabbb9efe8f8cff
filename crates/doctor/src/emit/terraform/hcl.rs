//! HCL as `terraform fmt` writes it: the equals signs of neighbouring attributes of one line are aligned.

use serde_json::Value;

use crate::emit::quoting::hcl_string;

/// Attributes, each a name and an expression, indented by `indent` spaces.
pub(super) fn attributes(attributes: &[(&str, String)], indent: usize) -> String {
    let mut text = String::new();
    for run in attributes.chunk_by(|one, other| !one.1.contains('\n') && is_aligned(&other.1)) {
        let width = run.iter().map(|(name, _)| name.len()).max().unwrap_or_default();
        for (name, expression) in run {
            text.push_str(&format!("{:indent$}{name:width$} = {expression}\n", ""));
        }
    }
    text
}

/// Brackets that stay open keep an expression out of a column; a heredoc has none.
fn is_aligned(expression: &str) -> bool {
    !expression.contains('\n') || expression.starts_with("<<")
}

/// A JSON value as an expression whose first line stands behind `indent` spaces.
pub(super) fn expression(value: &Value, indent: usize) -> String {
    match value {
        Value::String(text) => hcl_string(text),
        Value::Array(elements) => match &elements[..] {
            [] => "[]".to_owned(),
            [Value::String(only)] => format!("[{}]", hcl_string(only)),
            elements => {
                let inner = indent + 2;
                let lines =
                    elements.iter().map(|element| format!("{:inner$}{},\n", "", expression(element, inner)));
                format!("[\n{}{:indent$}]", lines.collect::<String>(), "")
            }
        },
        Value::Object(members) => {
            let members: Vec<(&str, String)> =
                members.iter().map(|(name, value)| (name.as_str(), expression(value, indent + 2))).collect();
            format!("{{\n{}{:indent$}}}", attributes(&members, indent + 2), "")
        }
        other => other.to_string(),
    }
}
