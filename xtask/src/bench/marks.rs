//! The place of a table in a document: between two marks.

use anyhow::{Context as _, Result, ensure};

use crate::workspace;

const BEGIN: &str = "<!-- bench:begin -->";
const END: &str = "<!-- bench:end -->";

/// Puts `table` into a document of the workspace, in place of the one that is there.
///
/// # Errors
/// Fails when the document does not have each mark once, in their order.
pub(super) fn write_table(document: &str, table: &str) -> Result<()> {
    let path = workspace::root().join(document);
    let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {document}"))?;
    let text = with_table(&text, table).with_context(|| document.to_owned())?;
    std::fs::write(&path, text).with_context(|| format!("cannot write {document}"))
}

/// `document` with `table` in place of what stands between the two marks.
///
/// # Errors
/// Fails when the document does not have each mark once, in their order.
fn with_table(document: &str, table: &str) -> Result<String> {
    let (before, rest) = document.split_once(BEGIN).with_context(|| format!("there is no line `{BEGIN}`"))?;
    let (_, after) = rest.split_once(END).with_context(|| format!("no line `{END}` follows `{BEGIN}`"))?;
    let marks = document.matches(BEGIN).count() + document.matches(END).count();
    ensure!(marks == 2, "the marks of the table are there more than once");
    Ok(format!("{before}{BEGIN}\n{table}{END}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_between_the_marks_changes() {
        let readme = format!("# a\n{BEGIN}\nold\n{END}\nb\n");
        let new = with_table(&readme, "new\n").unwrap();
        assert_eq!(new, format!("# a\n{BEGIN}\nnew\n{END}\nb\n"));
        assert_eq!(with_table(&new, "new\n").unwrap(), new);
    }

    #[test]
    fn a_document_without_its_marks_is_left_alone() {
        for readme in ["", BEGIN, END, &format!("{END}{BEGIN}"), &format!("{BEGIN}{END}{BEGIN}{END}")] {
            assert!(with_table(readme, "new").is_err(), "{readme}");
        }
    }
}
