//! The three contexts, and the way of a credential through them.

use maud::{Markup, html};

use super::standing::{Standing, tally};
use super::words::{self, CONTEXTS, STATIONS};
use super::{Entry, visible};
use crate::report::{Context, Report, Station};

pub(super) fn picture(report: &Report, entries: &[Entry<'_>]) -> Markup {
    let lanes = CONTEXTS.map(|context| Lane::of(context, report, entries));
    let [runner, job_host, job] = &lanes;
    html! {
        section.way aria-labelledby="way-name" {
            h2 #way-name { "The way of the credential" }
            div.picture {
                (runner.drawn())
                (handover("to-job-host", "X-Registry-Auth", "user and password, with the pull", runner))
                (job_host.drawn())
                (handover("to-job", "starts", "a job has only what it is given", job_host))
                (job.drawn())
            }
        }
    }
}

/// A context with its stations.
struct Lane<'a> {
    context: Context,
    /// Whether it was looked at.
    looked_at: bool,
    entries: Vec<Entry<'a>>,
    /// Where the credential stops: its first error.
    stop: Option<Entry<'a>>,
}

impl<'a> Lane<'a> {
    fn of(context: Context, report: &Report, entries: &[Entry<'a>]) -> Self {
        let entries: Vec<_> = entries.iter().filter(|entry| entry.context == context).copied().collect();
        Self {
            context,
            looked_at: report.sections.iter().any(|section| section.context == context),
            stop: entries.iter().find(|entry| entry.check.is_error()).copied(),
            entries,
        }
    }

    fn class(&self) -> &'static str {
        match self.context {
            Context::Runner => "runner",
            Context::JobHost => "job-host",
            Context::Job => "job",
        }
    }

    fn drawn(&self) -> Markup {
        let name = format!("lane-{}", self.class());
        html! {
            section.lane.(self.class()).dim[!self.looked_at] aria-labelledby=(name) {
                div.head {
                    h3 id=(name) { (words::name(self.context)) }
                    p.who { (words::who(self.context)) }
                    @if !self.looked_at { (self.how_to_look()) }
                }
                ol.stations role="list" { @for station in STATIONS { (self.station(station)) } }
            }
        }
    }

    fn how_to_look(&self) -> Markup {
        html! {
            div.look {
                p { strong { "Not looked at." } " " (words::where_to_look(self.context)) }
                pre.command { code { (words::command(self.context)) } }
            }
        }
    }

    fn station(&self, station: Station) -> Markup {
        let here: Vec<_> = self.entries.iter().filter(|entry| entry.station() == station).copied().collect();
        if here.is_empty()
            && let Some(why) = words::not_needed(self.context, station)
        {
            return self.bypass(station, why);
        }
        let standing = Standing::worst(here.iter().map(|entry| entry.check));
        let stop = self.stop.filter(|stop| stop.station() == station);
        html! {
            li.station.(standing.class()).stop[stop.is_some()].beyond[self.is_beyond_stop(station)] {
                (standing.mark())
                div {
                    p.name { (self.name(station, standing, &here)) }
                    p.what { (words::what(self.context, station)) }
                    @if here.len() > 1 { p.counts { (tally(here.iter().map(|entry| entry.check))) } }
                    @if let Some(stop) = stop { (stop_mark(&stop)) }
                }
            }
        }
    }

    /// The name, as a link to the worst check of the station.
    fn name(&self, station: Station, standing: Standing, here: &[Entry<'_>]) -> Markup {
        let name = words::station(self.context, station);
        let worst = here.iter().find(|entry| Standing::of(entry.check) == standing);
        html! {
            @match worst {
                Some(entry) => a href={ "#" (entry.anchor()) } { (name) },
                None => (name),
            }
            @if self.looked_at { " " span.word { (standing.word()) } }
        }
    }

    fn bypass(&self, station: Station, why: &str) -> Markup {
        html! {
            li.station.bypass.beyond[self.is_beyond_stop(station)] {
                div {
                    p.name { (words::station(self.context, station)) }
                    p.what { (why) }
                }
            }
        }
    }

    /// Whether a credential that stops at the stop does not come to this station.
    fn is_beyond_stop(&self, station: Station) -> bool {
        let place = |wanted: Station| STATIONS.iter().position(|station| *station == wanted);
        self.stop.is_some_and(|stop| place(station) > place(stop.station()))
    }
}

fn stop_mark(stop: &Entry<'_>) -> Markup {
    html! {
        p.stop-mark {
            strong { "Stops here: " }
            @if let Some(reason) = stop.check.outcome.reason() { span.reason { (visible(reason)) } }
        }
    }
}

/// What goes from one context to the next.
fn handover(place: &'static str, what: &str, how: &str, from: &Lane<'_>) -> Markup {
    html! {
        div.handover.(place).dim[!from.looked_at].beyond[from.stop.is_some()] {
            p.what { (what) }
            svg.arrow viewBox="0 0 64 12" preserveAspectRatio="none" aria-hidden="true" focusable="false" {
                path.line d="M0 6h62M56 1l6 5-6 5" {}
            }
            p.how { (how) }
        }
    }
}
