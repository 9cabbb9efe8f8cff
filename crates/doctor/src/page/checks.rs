//! Every check, in the order of the report.

use maud::{Markup, html};

use super::standing::{Standing, tally};
use super::words;
use super::{Entry, visible};
use crate::report::{Fix, Outcome, Report, Section};

pub(super) fn checks(report: &Report, entries: &[Entry<'_>]) -> Markup {
    let mut rest = entries.iter();
    html! {
        section #checks aria-labelledby="checks-name" tabindex="-1" {
            h2 #checks-name { "Checks" }
            @for section in &report.sections {
                (context(section, rest.by_ref().take(section.checks.len())))
            }
            @if report.sections.is_empty() { p.quiet { "No context was looked at." } }
        }
    }
}

fn context<'a>(section: &Section, entries: impl Iterator<Item = &'a Entry<'a>>) -> Markup {
    let counts = tally(section.checks.iter());
    html! {
        section.context-checks {
            h3 {
                (words::name(section.context))
                @if !counts.is_empty() { span.quiet { " " (counts) } }
            }
            @if !section.known_by.is_empty() {
                p.quiet { "Known by:" }
                ul.known-by { @for reason in &section.known_by { li { (visible(reason)) } } }
            }
            @if section.checks.is_empty() { p.quiet { "No check was made." } }
            @for entry in entries { (check(entry)) }
        }
    }
}

fn check(entry: &Entry<'_>) -> Markup {
    let check = entry.check;
    let standing = Standing::of(check);
    // What failed is what the page is opened for.
    let open = matches!(standing, Standing::Fail | Standing::Risk);
    html! {
        details.check.(standing.class()) #(entry.anchor()) open[open] {
            summary {
                // Spaces for readers that know no grid.
                (standing.mark()) " "
                span.word { (standing.word()) } " "
                span.about {
                    // What is true where a check passes would say the opposite of what is.
                    @match &check.outcome {
                        Outcome::Fail(reason) => h4.reason { (visible(reason)) },
                        _ => h4 { (visible(check.definition.title)) },
                    }
                    @if let Some(subject) = &check.subject { " " code.subject { (visible(subject)) } }
                    @if let Outcome::Skipped(reason) | Outcome::NotApplicable(reason) = &check.outcome {
                        " " span.reason { (visible(reason)) }
                    }
                } " "
                span.station-name { (words::station(entry.context, entry.station())) }
            }
            div.body {
                @if let Outcome::Fail(_) = &check.outcome {
                    p.why { "It passes where " (visible(check.definition.title)) "." }
                }
                p.why { (visible(check.definition.why)) }
                @if !check.evidence.is_empty() {
                    p.label { "Seen:" }
                    pre.evidence { @for line in &check.evidence { code { (visible(line)) } } }
                }
                @for (number, way) in check.fixes.iter().enumerate() {
                    (fix(way, if number == 0 { "What puts it right:" } else { "Or:" }))
                }
                p.id { code { (visible(check.definition.id)) } }
            }
        }
    }
}

/// One way to put a check right; `label` says which.
pub(super) fn fix(fix: &Fix, label: &str) -> Markup {
    html! {
        div.fix {
            @match fix {
                Fix::Command { command, by_setup } => {
                    p.label { (label) @if *by_setup { " type this, or let " code { "ecru doctor --fix" } " do it" } }
                    pre.command { code { (visible(command)) } }
                },
                Fix::Lines { place, lines } => {
                    p.label { (label) " lines in " code.place { (visible(place)) } }
                    pre.lines { code { (visible(lines)) } }
                },
                Fix::Advice { text } => p.label { (label) " " (visible(text)) },
            }
        }
    }
}
