//! What a person who has one minute reads: whether the credential stops, where, why, and what to type.

use maud::{Markup, html};

use super::checks::fix;
use super::standing::{Standing, tally};
use super::words::{self, CONTEXTS};
use super::{Entry, PageFacts, visible};
use crate::report::{Context, Report};

/// What the checks say all in all.
pub(super) enum Verdict<'a> {
    Stops(Entry<'a>),
    NothingChecked,
    /// Nothing failed, and this is the worst that was met.
    Passes(Standing),
}

pub(super) fn verdict<'a>(entries: &[Entry<'a>]) -> Verdict<'a> {
    if let Some(stop) = entries.iter().find(|entry| entry.check.is_error()) {
        return Verdict::Stops(*stop);
    }
    match Standing::worst(entries.iter().map(|entry| entry.check)) {
        Standing::Unchecked => Verdict::NothingChecked,
        worst => Verdict::Passes(worst),
    }
}

pub(super) fn sentence(verdict: &Verdict<'_>) -> String {
    match verdict {
        Verdict::Stops(stop) => {
            let station = words::station(stop.context, stop.station());
            format!("The credential stops {}: {}", words::within(stop.context), station.to_lowercase())
        }
        Verdict::NothingChecked => "Nothing was checked".to_owned(),
        Verdict::Passes(Standing::Risk) => {
            "Nothing stops the credential here, but there are risks".to_owned()
        }
        Verdict::Passes(Standing::Skipped) => {
            "Nothing failed, but not everything could be found out".to_owned()
        }
        Verdict::Passes(_) => "Nothing stops the credential here".to_owned(),
    }
}

/// The title of the document, as a tab shows it.
pub(super) fn title(report: &Report, entries: &[Entry<'_>]) -> String {
    let sentence = sentence(&verdict(entries));
    let looked_at = contexts(|context| is_looked_at(report, context));
    if looked_at.is_empty() {
        format!("{sentence} – ecru doctor")
    } else {
        format!("{sentence} – ecru doctor, {looked_at}")
    }
}

/// The head of the page.
pub(super) fn headline(report: &Report, entries: &[Entry<'_>], facts: &PageFacts) -> Markup {
    let verdict = verdict(entries);
    let standing = match &verdict {
        Verdict::Stops(_) => Standing::Fail,
        Verdict::NothingChecked => Standing::Unchecked,
        Verdict::Passes(worst) => *worst,
    };
    html! {
        p.program { "ecru doctor" }
        h1.(standing.class()) { (standing.mark()) " " (sentence(&verdict)) }
        @if let Verdict::Stops(stop) = &verdict { (cause(*stop)) }
        (overview(report, entries))
        (origin(facts))
    }
}

fn cause(stop: Entry<'_>) -> Markup {
    html! {
        div.cause {
            @if let Some(reason) = stop.check.outcome.reason() {
                p.reason { (visible(reason)) }
            }
            @if let Some(subject) = &stop.check.subject {
                p { "About " code.subject { (visible(subject)) } }
            }
            @if let Some(best) = stop.check.fixes.first() { (fix(best, "What puts it right:")) }
            p { a href={ "#" (stop.anchor()) } { "Evidence, and why it matters" } }
        }
    }
}

fn overview(report: &Report, entries: &[Entry<'_>]) -> Markup {
    let not_looked_at = contexts(|context| !is_looked_at(report, context));
    let counts = tally(entries.iter().map(|entry| entry.check));
    html! {
        p.overview {
            @if !counts.is_empty() {
                strong { (entries.len()) @if entries.len() == 1 { " check: " } @else { " checks: " } (counts) } ". "
            }
            @if !not_looked_at.is_empty() { "Not looked at: " (not_looked_at) "." }
        }
    }
}

fn origin(facts: &PageFacts) -> Markup {
    html! {
        p.origin {
            time { (visible(&facts.made_at)) } " · on " span { (visible(&facts.machine)) } " · ecru "
            (visible(&facts.version))
        }
    }
}

fn is_looked_at(report: &Report, context: Context) -> bool {
    report.sections.iter().any(|section| section.context == context)
}

fn contexts(wanted: impl Fn(Context) -> bool) -> String {
    let names = CONTEXTS.into_iter().filter(|context| wanted(*context)).map(words::name);
    names.map(str::to_lowercase).collect::<Vec<_>>().join(", ")
}
