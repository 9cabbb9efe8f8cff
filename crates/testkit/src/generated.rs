//! Parts of pages that are generated from what the program really has, each between two marks.
//!
//! A test hands the part in, and so is what keeps the page true; `cargo xtask gen` runs these tests to write the pages.

use std::path::Path;
use std::sync::Mutex;

/// The variable by which `cargo xtask gen` asks for writing.
const WRITE: &str = "ECRU_WRITE_DOCS";

/// Tests of one program run side by side, and one page may have parts of several.
static WRITING: Mutex<()> = Mutex::new(());

/// Makes sure that the part `name` of the page `page`, such as `docs/HELPER.md`, is `content`; puts it there if
/// `cargo xtask gen` asks for it.
///
/// The part stands between the lines `<!-- NAME: begin -->` and `<!-- NAME: end -->`.
///
/// # Panics
/// If the page lacks the marks, or has another part.
pub fn assert_generated(page: &str, name: &str, content: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(page);
    let _guard = WRITING.lock();
    let text = std::fs::read_to_string(&path).expect(page);
    let expected =
        with_part(&text, name, content).expect("the page has the marks of this part, once and in order");
    if text != expected && is_writing() {
        std::fs::write(&path, &expected).expect(page);
        return;
    }
    assert!(text == expected, "the part `{name}` of {page} is stale: run `cargo xtask gen`");
}

/// A table in Markdown.
#[must_use]
pub fn table<const N: usize>(head: [&str; N], rows: impl IntoIterator<Item = [String; N]>) -> String {
    let line = |cells: [String; N]| format!("| {} |\n", cells.join(" | "));
    let rows = rows.into_iter().map(|row| line(row.map(|cell| cell_of(&cell))));
    let rule = format!("|{}\n", "---|".repeat(N));
    [line(head.map(str::to_owned)), rule].into_iter().chain(rows).collect()
}

/// A text that can stand in a cell of a table.
fn cell_of(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}

/// `page` with `content` in place of the part `name`; `None` if it does not have both marks once, in their order.
fn with_part(page: &str, name: &str, content: &str) -> Option<String> {
    let (begin, end) = (format!("<!-- {name}: begin -->\n"), format!("<!-- {name}: end -->"));
    let (before, rest) = page.split_once(&begin)?;
    let (_, after) = rest.split_once(&end)?;
    let is_once = page.matches(&begin).count() == 1 && page.matches(&end).count() == 1;
    is_once.then(|| format!("{before}{begin}\n{}\n\n{end}{after}", content.trim()))
}

#[expect(clippy::disallowed_methods, reason = "a test that writes pages is told so by its environment")]
fn is_writing() -> bool {
    std::env::var_os(WRITE).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_part_changes() {
        let page = "# a\n<!-- x: begin -->\nold\n<!-- x: end -->\nb\n<!-- y: begin -->\n<!-- y: end -->\n";
        let new = with_part(page, "x", "new\n").unwrap();
        let expected =
            "# a\n<!-- x: begin -->\n\nnew\n\n<!-- x: end -->\nb\n<!-- y: begin -->\n<!-- y: end -->\n";
        assert_eq!(new, expected);
        assert_eq!(with_part(&new, "x", "new").unwrap(), new);
    }

    #[test]
    fn a_page_without_both_marks_in_order_is_refused() {
        let (begin, end) = ("<!-- x: begin -->\n", "<!-- x: end -->\n");
        for page in ["", begin, end, &format!("{end}{begin}"), &format!("{begin}{end}{begin}{end}")] {
            assert_eq!(with_part(page, "x", "new"), None, "{page}");
        }
    }

    #[test]
    fn cells_of_a_table_stay_cells() {
        let rows = [["a|b".to_owned(), "c\nd".to_owned()]];
        assert_eq!(table(["x", "y"], rows), "| x | y |\n|---|---|\n| a\\|b | c d |\n");
    }
}
