//! How many AWS calls the whole demo makes.

use std::path::Path;

use crate::outside;

/// For `timeout`(1), in seconds.
const DEADLINE: &str = "300";

/// How many calls one demo says that it made; none, and the reason is printed, if it fails.
pub(super) fn of(ecru: &Path) -> Option<u64> {
    let mut demo = outside::command("timeout");
    demo.arg(DEADLINE).arg(ecru).args(["demo", "--plain"]);
    let output = match demo.output() {
        Ok(output) => output,
        Err(error) => {
            println!("bench: cannot run `ecru demo`: {error}");
            return None;
        }
    };
    let text = String::from_utf8_lossy(&output.stdout);
    let last = text.lines().last().unwrap_or_default();
    if !output.status.success() {
        println!("bench: `ecru demo` failed: {last}");
        return None;
    }
    let calls = calls_in(&text);
    if calls.is_none() {
        println!("bench: `ecru demo` does not say how many AWS calls it made");
    }
    calls
}

fn calls_in(demo: &str) -> Option<u64> {
    demo.lines().find_map(|line| line.strip_prefix("aws calls: ")?.split(' ').next()?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_calls_of_a_demo_are_on_a_line_of_their_own() {
        let demo =
            "  1  runner  pulled\naws calls: 10 (ecr:GetAuthorizationToken 10)\ndemo: 3 of 3 steps passed\n";
        assert_eq!(calls_in(demo), Some(10));
        assert_eq!(calls_in("aws calls: 4\n"), Some(4));
        assert_eq!(calls_in("12 aws calls: many\n"), None);
    }
}
