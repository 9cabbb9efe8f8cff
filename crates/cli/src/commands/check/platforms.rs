//! Whether images are for the platform of their jobs.

use super::report::{Finding, Outcome, Report};

/// The platform of most runners.
pub(super) const USUAL: &str = "linux/amd64";

/// Says which images are for other platforms: a failure where somebody named the platform, in the pipeline or by
/// `--platform` (`is_given`), else a warning, because nobody said what the jobs run on.
pub(super) fn compare(report: &mut Report, is_given: bool, given: &str) {
    for image in &mut report.images {
        let Outcome::Exists(facts) = &image.outcome else { continue };
        let wanted = image.platform.as_deref().unwrap_or(given);
        if facts.platforms.is_empty() || facts.platforms.iter().any(|has| is_for(has, wanted)) {
            continue;
        }
        if is_given || image.platform.is_some() {
            image.lacking_platform = Some(wanted.to_owned());
            continue;
        }
        let Some(user) = image.used_by.first() else { continue };
        report.warnings.push(Finding {
            place: user.place.clone(),
            job: Some(user.job.clone()),
            kind: "platform",
            message: format!(
                "image `{}` is not for {wanted}, but for {}",
                image.name,
                facts.platforms.join(", ")
            ),
            hint: Some("name what the jobs run on with --platform".to_owned()),
        });
    }
}

/// Whether what is for `has`, such as `linux/arm64/v8`, is for `wanted`, such as `linux/arm64`.
fn is_for(has: &str, wanted: &str) -> bool {
    has == wanted || has.strip_prefix(wanted).is_some_and(|rest| rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_platform_covers_its_variants() {
        assert!(is_for("linux/arm64/v8", "linux/arm64") && is_for("linux/arm64", "linux/arm64"));
        assert!(!is_for("linux/arm64", "linux/arm64/v8") && !is_for("linux/arm64", "linux/arm"));
    }
}
