//! How a check, or the worst of several, stands.

use maud::{Markup, html};

use crate::report::{Check, Outcome, Weight};

/// From what says nothing to what says the worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Standing {
    Unchecked,
    NotApplicable,
    Pass,
    Skipped,
    Risk,
    Fail,
}

impl Standing {
    /// Those that a check can have, the worst first.
    pub(super) const OF_CHECKS: [Self; 5] =
        [Self::Fail, Self::Risk, Self::Skipped, Self::Pass, Self::NotApplicable];

    pub(super) fn of(check: &Check) -> Self {
        match (&check.outcome, check.definition.weight) {
            (Outcome::Pass, _) => Self::Pass,
            (Outcome::Fail(_), Weight::Error) => Self::Fail,
            (Outcome::Fail(_), Weight::Risk) => Self::Risk,
            (Outcome::Skipped(_), _) => Self::Skipped,
            (Outcome::NotApplicable(_), _) => Self::NotApplicable,
        }
    }

    pub(super) fn worst<'a>(checks: impl IntoIterator<Item = &'a Check>) -> Self {
        checks.into_iter().map(Self::of).max().unwrap_or(Self::Unchecked)
    }

    /// The word that says it without colour.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Unchecked => "not checked",
            Self::NotApplicable => "n/a",
            Self::Pass => "pass",
            Self::Skipped => "skipped",
            Self::Risk => "risk",
            Self::Fail => "fail",
        }
    }

    /// What the word means, for the legend.
    pub(super) fn meaning(self) -> &'static str {
        match self {
            Self::Unchecked => "no check was made here",
            Self::NotApplicable => "it has no meaning here",
            Self::Pass => "it is as it should be",
            Self::Skipped => "it could not be found out",
            Self::Risk => "it works, but can be misused, or will break with a later version",
            Self::Fail => "it does not work",
        }
    }

    /// The name in the style sheet.
    pub(super) fn class(self) -> &'static str {
        match self {
            Self::Unchecked => "unchecked",
            Self::NotApplicable => "inapplicable",
            Self::Pass => "pass",
            Self::Skipped => "skipped",
            Self::Risk => "risk",
            Self::Fail => "fail",
        }
    }

    /// A shape of its own, so that colour is not needed; a word always stands beside it.
    pub(super) fn mark(self) -> Markup {
        html! {
            svg.mark.(self.class()) viewBox="0 0 16 16" aria-hidden="true" focusable="false" {
                @match self {
                    Self::Unchecked => circle.line cx="8" cy="8" r="5" {},
                    Self::NotApplicable => path.line d="M3 8h10" {},
                    Self::Pass => {
                        circle.line cx="8" cy="8" r="6.5" {}
                        path.line d="M5 8.2l2.2 2.3L11.2 6" {}
                    },
                    Self::Skipped => {
                        circle.line.dashed cx="8" cy="8" r="6.5" {}
                        path.line d="M6 6.4a2 2 0 1 1 2.9 1.8c-.6.3-.9.7-.9 1.3M8 11.6v.3" {}
                    },
                    Self::Risk => {
                        path.line d="M8 1.8L15 14.2H1z" {}
                        path.line d="M8 6.4v3.8M8 12.1v.2" {}
                    },
                    Self::Fail => {
                        path.body d="M5 .8h6L15.2 5v6L11 15.2H5L.8 11V5z" {}
                        path.cut d="M5.2 5.2l5.6 5.6M10.8 5.2l-5.6 5.6" {}
                    },
                }
            }
        }
    }
}

/// How many checks stand how, the worst first: `1 fail, 3 pass`.
pub(super) fn tally<'a>(checks: impl Iterator<Item = &'a Check> + Clone) -> String {
    let counts = Standing::OF_CHECKS.into_iter().filter_map(|standing| {
        let count = checks.clone().filter(|check| Standing::of(check) == standing).count();
        (count > 0).then(|| format!("{count} {}", standing.word()))
    });
    counts.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{Context, Definition, Station};

    const fn definition(weight: Weight) -> Definition {
        Definition {
            id: "runner.helper.found",
            context: Context::Runner,
            station: Station::Helper,
            weight,
            title: "",
            why: "",
        }
    }

    static ERROR: Definition = definition(Weight::Error);
    static RISK: Definition = definition(Weight::Risk);

    #[test]
    fn the_worst_of_several_is_what_a_station_shows() {
        let checks = [Check::pass(&ERROR), Check::not_applicable(&ERROR, ""), Check::pass(&RISK)];
        assert_eq!(Standing::worst(&checks), Standing::Pass);
        let checks = [Check::pass(&ERROR), Check::skipped(&ERROR, "")];
        assert_eq!(Standing::worst(&checks), Standing::Skipped);
        let checks = [Check::skipped(&ERROR, ""), Check::fail(&RISK, "")];
        assert_eq!(Standing::worst(&checks), Standing::Risk);
        let checks = [Check::fail(&ERROR, ""), Check::fail(&RISK, "")];
        assert_eq!(Standing::worst(&checks), Standing::Fail);
        assert_eq!(Standing::worst(&[]), Standing::Unchecked);
    }

    #[test]
    fn checks_are_counted_the_worst_first() {
        let checks = [Check::pass(&ERROR), Check::fail(&ERROR, ""), Check::pass(&RISK)];
        assert_eq!(tally(checks.iter()), "1 fail, 2 pass");
        assert_eq!(tally([].iter()), "");
    }
}
