//! The table of differences in `docs/COMPATIBILITY.md`.

use ecru_testkit::table;

use crate::case::Case;

/// The page's part about the differences of `cases`.
pub(crate) fn differences(cases: &[Case]) -> String {
    let differences = cases.iter().filter_map(|case| Some((case, case.difference.as_ref()?)));
    let rows = differences.map(|(case, difference)| {
        let Case { id, docs, ours, .. } = case.clone();
        [format!("`{id}`"), docs, difference.peer.clone(), ours, difference.because.clone()]
    });
    let table = table(["case", "what it shows", "0.12", "ours", "because"], rows);
    let same = cases.iter().filter(|case| case.difference.is_none()).count();
    format!("Of {} cases, {same} come to the same with both programs. The others:\n\n{table}", cases.len())
}
