//! `*` and `**` in `include:local`.

/// Whether `pattern` means `path`, both without a slash in front.
///
/// GitLab turns a single asterisk into "anything but a slash" and a double one into "anything"
/// (`lib/gitlab/git/repository.rb`, `search_files_by_wildcard_path`), so that `ci/**/*.yml` needs a folder below `ci`,
/// and `ci/**.yml` does not. No glob crate has these rules, and nothing else is special in them.
pub(super) fn matches(pattern: &str, path: &str) -> bool {
    let pieces = pieces(pattern);
    // Which ends of `path` the pieces so far can reach; linear in both lengths together.
    let mut reached = vec![false; path.len() + 1];
    if let Some(start) = reached.first_mut() {
        *start = true;
    }
    for piece in pieces {
        reached = match piece {
            Piece::Literal(text) => after_literal(&reached, path, text),
            Piece::Any { slashes } => after_any(&reached, path, slashes),
        };
    }
    reached.last().copied().unwrap_or_default()
}

enum Piece<'a> {
    Literal(&'a str),
    Any { slashes: bool },
}

fn pieces(pattern: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut rest = pattern;
    while let Some((literal, after)) = rest.split_once('*') {
        pieces.push(Piece::Literal(literal));
        let (slashes, after) = match after.strip_prefix('*') {
            Some(after) => (true, after),
            None => (false, after),
        };
        pieces.push(Piece::Any { slashes });
        rest = after;
    }
    pieces.push(Piece::Literal(rest));
    pieces
}

fn after_literal(reached: &[bool], path: &str, text: &str) -> Vec<bool> {
    let mut next = vec![false; reached.len()];
    for (start, _) in reached.iter().enumerate().filter(|(_, reached)| **reached) {
        let follows = path.as_bytes().get(start..).is_some_and(|rest| rest.starts_with(text.as_bytes()));
        if let Some(end) = next.get_mut(start + text.len()).filter(|_| follows) {
            *end = true;
        }
    }
    next
}

fn after_any(reached: &[bool], path: &str, slashes: bool) -> Vec<bool> {
    let mut can_reach = false;
    let mut next = Vec::with_capacity(reached.len());
    for (index, reached) in reached.iter().enumerate() {
        let crosses_slash = index > 0 && path.as_bytes().get(index - 1) == Some(&b'/');
        can_reach = *reached || (can_reach && (slashes || !crosses_slash));
        next.push(can_reach);
    }
    next
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn asterisks_mean_what_gitlab_means() {
        for (pattern, path, expected) in [
            ("ci/*.yml", "ci/a.yml", true),
            ("ci/*.yml", "ci/sub/a.yml", false),
            ("ci/*.yml", "ci/a.yaml", false),
            ("ci/*.yml", "other/ci/a.yml", false),
            ("ci/**.yml", "ci/a.yml", true),
            ("ci/**.yml", "ci/sub/deep/a.yml", true),
            ("ci/**/*.yml", "ci/sub/deep/a.yml", true),
            ("ci/**/*.yml", "ci/a.yml", false),
            ("**/ci.yml", "services/a/ci.yml", true),
            ("services/*/ci.yml", "services/a/ci.yml", true),
            ("services/*/ci.yml", "services/a/b/ci.yml", false),
            ("a.yml", "a.yml", true),
            ("a?yml", "a.yml", false),
            ("*", "", true),
            ("\u{e9}*.yml", "\u{e9}\u{e9}.yml", true),
        ] {
            assert_eq!(matches(pattern, path), expected, "{pattern} {path}");
        }
    }

    #[test]
    fn many_asterisks_cost_no_time() {
        assert!(!matches(&"*a".repeat(200), &"a".repeat(199)));
        assert!(matches(&"**a".repeat(200), &"a".repeat(400)));
    }
}
