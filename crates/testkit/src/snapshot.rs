//! What differs from run to run, taken out of snapshots.

use std::path::Path;

/// Settings for a snapshot, for use as `snapshot_settings(folder).bind(|| …)`: the text of `folder` becomes
/// `[FOLDER]`, the port of a loopback address `[PORT]`, and a duration in seconds or less `[TIME]`.
#[must_use]
pub fn snapshot_settings(folder: &Path) -> insta::Settings {
    let mut settings = insta::Settings::clone_current();
    settings.add_filter(&regex_literal(&folder.to_string_lossy()), "[FOLDER]");
    settings.add_filter(r"(127\.0\.0\.1|localhost|\[::1\]):\d{2,5}\b", "${1}:[PORT]");
    settings.add_filter(r"\b\d+(\.\d+)?\s?(s|ms|µs|us|ns)\b", "[TIME]");
    settings
}

/// A regular expression that matches exactly `text`.
fn regex_literal(text: &str) -> String {
    let escape =
        |character: char| character.is_ascii_punctuation().then_some('\\').into_iter().chain([character]);
    text.chars().flat_map(escape).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_changes_is_replaced() {
        let text =
            "/tmp/a+b(1)/x: http://127.0.0.1:40123/v2/ and localhost:5000, 12ms, 1.5 s, 3 steps, 10.0.0.1:80";
        snapshot_settings(Path::new("/tmp/a+b(1)")).bind(|| {
            insta::assert_snapshot!(
                text,
                @"[FOLDER]/x: http://127.0.0.1:[PORT]/v2/ and localhost:[PORT], [TIME], [TIME], 3 steps, 10.0.0.1:80"
            );
        });
    }
}
