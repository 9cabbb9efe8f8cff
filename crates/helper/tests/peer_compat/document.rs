//! The table of differences in `docs/COMPATIBILITY.md`.

use crate::case::Case;

const BEGIN: &str = "<!-- differences: begin -->\n";
const END: &str = "<!-- differences: end -->";

/// `text` with the table of the differences of `cases` between its marks.
pub(crate) fn with_table(text: &str, cases: &[Case]) -> String {
    let (before, rest) = text.split_once(BEGIN).expect("no beginning of the table");
    let (_, after) = rest.split_once(END).expect("no end of the table");
    format!("{before}{BEGIN}{}{END}{after}", table(cases))
}

fn table(cases: &[Case]) -> String {
    let differences = cases.iter().filter_map(|case| Some((case, case.difference.as_ref()?)));
    let rows = differences.map(|(case, difference)| {
        let Case { id, docs, ours, .. } = case;
        let (ours, peer) = (cell(ours), cell(&difference.peer));
        format!("| `{id}` | {} | {peer} | {ours} | {} |\n", cell(docs), cell(&difference.because))
    });
    let rows: String = rows.collect();
    let same = cases.iter().filter(|case| case.difference.is_none()).count();
    format!(
        "\nOf {} cases, {same} come to the same with both programs. The others:\n\n\
         | case | what it shows | 0.12 | ours | because |\n|---|---|---|---|---|\n{rows}\n",
        cases.len()
    )
}

/// A text that can stand in a cell of a table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}
