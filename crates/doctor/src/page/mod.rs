//! A diagnosis as one page: the contexts drawn, the way of a credential through them, where it stops, every check.
//!
//! The page is read where things have gone wrong: offline, as an artifact of a job, on paper, by a screen reader. So it
//! is one file that loads nothing and runs nothing, its marks differ in shape and word and not only in colour, and what
//! is folded away on a screen is printed.
//!
//! Nothing of a report is ever put into an attribute, an address, a style or a comment: only into text, which `maud`
//! escapes. What hides in text is made visible first.

mod checks;
mod headline;
mod picture;
mod standing;
mod visible;
mod words;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use sha2::{Digest as _, Sha256};

use self::standing::Standing;
use self::visible::visible;
use crate::report::{Check, Context, Report, Station};

const STYLE: &str = include_str!("page.css");

/// What a page says besides the report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageFacts {
    /// ecru's version.
    pub version: String,
    /// When the report was made, as RFC 3339 has it.
    pub made_at: String,
    /// What the machine is called.
    pub machine: String,
}

/// A check with what the page needs to point at it.
#[derive(Debug, Clone, Copy)]
struct Entry<'a> {
    /// Its place in the report, which names its anchor.
    number: usize,
    /// The context whose section it is in.
    context: Context,
    check: &'a Check,
}

impl Entry<'_> {
    fn anchor(&self) -> String {
        format!("check-{}", self.number)
    }

    fn station(&self) -> Station {
        self.check.definition.station
    }
}

/// What a report says all in all, in one sentence.
#[must_use]
pub fn verdict(report: &Report) -> String {
    headline::sentence(&headline::verdict(&entries(report)))
}

fn entries(report: &Report) -> Vec<Entry<'_>> {
    let checks = report
        .sections
        .iter()
        .flat_map(|section| section.checks.iter().map(move |check| (section.context, check)));
    checks.zip(1..).map(|((context, check), number)| Entry { number, context, check }).collect()
}

/// The page of a report, as an HTML document.
#[must_use]
pub fn html(report: &Report, facts: &PageFacts) -> String {
    let entries = entries(report);
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(content_security_policy());
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="referrer" content="no-referrer";
                title { (headline::title(report, &entries)) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                a.skip href="#checks" { "Skip to the checks" }
                header { (headline::headline(report, &entries, facts)) }
                main {
                    (picture::picture(report, &entries))
                    (checks::checks(report, &entries))
                }
                footer { (legend()) }
            }
        }
    };
    page.into_string()
}

/// Nothing is loaded, nothing runs, no form is sent, and of styles only our own sheet counts: even markup that found a
/// way into the page could do nothing (CSP Level 3, `style-src` by hash).
fn content_security_policy() -> String {
    let digest = STANDARD.encode(Sha256::digest(STYLE));
    format!("default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'")
}

fn legend() -> Markup {
    html! {
        h2 { "Marks" }
        dl.legend {
            @for standing in Standing::OF_CHECKS.into_iter().chain([Standing::Unchecked]) {
                div {
                    dt { (standing.mark()) " " (standing.word()) }
                    dd { (standing.meaning()) }
                }
            }
        }
    }
}
