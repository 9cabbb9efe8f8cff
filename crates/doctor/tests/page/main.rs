//! The page of a diagnosis, read as a browser reads it.

#![expect(clippy::expect_used, reason = "functions that help tests fail as tests do")]

mod document;
mod hostile_text;
mod samples;

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ecru_doctor::page::html;
use ecru_doctor::report::{Context, Report, Station};
use sha2::{Digest as _, Sha256};

use self::document::{Document, Element};

fn page_of(report: &Report) -> Document {
    Document::parse(&html(report, &samples::facts()))
}

fn lane(page: &Document, context: Context) -> Element {
    let class = match context {
        Context::Runner => "runner",
        Context::JobHost => "job-host",
        Context::Job => "job",
    };
    page.with_class("lane").into_iter().find(|lane| lane.has_class(class)).expect("a lane for each context")
}

fn heading(page: &Document) -> String {
    page.named("h1").first().expect("a heading").text()
}

#[test]
fn every_page_is_html_without_an_error() {
    for (name, report) in samples::all() {
        assert_eq!(page_of(&report).errors(), Vec::<String>::new(), "{name}");
    }
}

#[test]
fn the_place_where_the_credential_stops_is_marked_once() {
    for context in samples::CONTEXTS {
        for station in samples::STATIONS {
            let page = page_of(&samples::stops_at(context, station));
            let stops = lane(&page, context).with_class("stop");
            let [stop] = stops.as_slice() else {
                panic!("{} marks for {context:?}, {station:?}", stops.len())
            };
            assert!(stop.has_class("fail"));
            assert_eq!(stop.with_class("stop-mark")[0].text(), format!("Stops here: {}", samples::REASON));
            assert_eq!(page.with_class("stop-mark").len(), 1);
            let name = stop.with_class("name")[0].text();
            let place = name.strip_suffix(" fail").expect("the outcome as a word").to_lowercase();
            assert!(heading(&page).ends_with(&place), "{} of {place}", heading(&page));
        }
    }
}

#[test]
fn what_comes_after_the_stop_is_not_reached() {
    let page = page_of(&samples::stops_at(Context::Runner, Station::Identity));
    let beyond = lane(&page, Context::Runner).with_class("beyond");
    let names: Vec<_> = beyond.iter().map(|station| station.with_class("name")[0].text()).collect();
    assert_eq!(names, ["Network pass", "Registry pass", "Engine pass"]);
    assert!(page.with_class("to-job-host")[0].has_class("beyond"));
    assert_eq!(page_of(&samples::healthy()).with_class("beyond").len(), 0);
}

#[test]
fn a_context_that_was_not_looked_at_is_dim_and_names_its_command() {
    let page = page_of(&samples::stops_at(Context::Runner, Station::Helper));
    for (context, command) in
        [(Context::JobHost, "ecru doctor --context job-host"), (Context::Job, "ecru doctor --context job")]
    {
        let lane = lane(&page, context);
        assert!(lane.has_class("dim"));
        assert_eq!(lane.with_class("command")[0].text(), command);
    }
    let runner = lane(&page, Context::Runner);
    assert!(!runner.has_class("dim"));
    assert_eq!(runner.with_class("look").len(), 0);
}

#[test]
fn the_heading_says_how_it_stands() {
    let stops = samples::stops_at(Context::JobHost, Station::Engine);
    for (report, expected) in [
        (samples::healthy(), "Nothing stops the credential here"),
        (stops, "The credential stops on the job host: engine"),
        (samples::nothing(), "Nothing was checked"),
        (samples::without_checks(), "Nothing was checked"),
    ] {
        let page = page_of(&report);
        assert_eq!(heading(&page).trim(), expected);
        assert!(page.named("title")[0].text().starts_with(expected));
    }
}

#[test]
fn the_first_fix_stands_beside_the_cause() {
    let page = page_of(&samples::a_night());
    let cause = page.with_class("cause");
    let command = cause[0].with_class("command");
    assert_eq!(
        command[0].text(),
        "ecru setup runner --registry 000000000000.dkr.ecr.eu-west-1.amazonaws.com"
    );
    assert!(cause[0].with_class("reason")[0].text() == samples::REASON);
}

#[test]
fn a_station_shows_its_worst_check_and_links_to_it() {
    let report = samples::a_night();
    let page = page_of(&report);
    let stations = lane(&page, Context::Runner).with_class("station");
    let configuration = &stations[1];
    assert!(configuration.has_class("risk"));
    assert_eq!(configuration.with_class("counts")[0].text(), "1 risk, 1 pass");
    let links: Vec<_> = page.named("a").into_iter().filter(|link| link.text() == "Configuration").collect();
    let target = links[0].attribute("href").unwrap().trim_start_matches('#');
    let check = page.with_id(target).expect("the link has a target");
    assert!(check.has_class("risk") && check.name == "details");
}

#[test]
fn every_check_is_there_and_those_that_failed_are_unfolded() {
    for (name, report) in samples::all() {
        let page = page_of(&report);
        let checks = page.named("details");
        let count: usize = report.sections.iter().map(|section| section.checks.len()).sum();
        assert_eq!(checks.len(), count, "{name}");
        for check in checks {
            let failed = check.has_class("fail") || check.has_class("risk");
            assert_eq!(check.attribute("open").is_some(), failed, "{name}: {}", check.text());
        }
    }
}

#[test]
fn outcomes_differ_without_colour() {
    let page = page_of(&samples::sixty_checks());
    let mut words = BTreeSet::new();
    let mut shapes = BTreeSet::new();
    for class in ["fail", "risk", "skipped", "pass", "inapplicable"] {
        let checks = page.with_class(class).into_iter().filter(|element| element.name == "details");
        let check = checks.into_iter().next().expect(class);
        words.insert(check.with_class("word")[0].text());
        let shape = check.with_class("mark")[0].with_class("line").into_iter();
        let shape = shape.chain(check.with_class("mark")[0].with_class("cut"));
        shapes.insert(format!("{:?}", shape.map(|part| part.attributes).collect::<Vec<_>>()));
    }
    assert_eq!((words.len(), shapes.len()), (5, 5));
}

#[test]
fn nothing_is_loaded_and_nothing_runs() {
    for (name, report) in samples::all() {
        let page = page_of(&report);
        for element in page.elements() {
            let known =
                ["script", "link", "img", "iframe", "object", "embed", "form", "base", "use", "image"];
            assert!(!known.contains(&element.name.as_str()), "{name}: {}", element.name);
            for (attribute, value) in &element.attributes {
                let is_link = ["href", "src", "action", "data", "xlink:href"].contains(&attribute.as_str());
                let target = value.strip_prefix('#').and_then(|id| page.with_id(id));
                assert!(!is_link || target.is_some(), "{name}: {attribute}={value}");
                assert!(!attribute.starts_with("on") && attribute != "style", "{name}: {attribute}={value}");
            }
        }
    }
}

#[test]
fn the_policy_allows_our_style_sheet_and_nothing_else() {
    let page = page_of(&samples::a_night());
    let meta = page.named("meta");
    let policy = meta.iter().find(|meta| meta.attribute("http-equiv") == Some("Content-Security-Policy"));
    let policy = policy.and_then(|meta| meta.attribute("content")).unwrap();
    let styles = page.named("style");
    let [style] = styles.as_slice() else { panic!("{} style sheets", styles.len()) };
    let digest = STANDARD.encode(Sha256::digest(style.text()));
    let parts: Vec<_> = policy.split("; ").collect();
    let style_source = format!("style-src 'sha256-{digest}'");
    assert_eq!(parts, ["default-src 'none'", style_source.as_str(), "base-uri 'none'", "form-action 'none'"]);
    assert!(!style.text().contains("url(") && !style.text().contains("@import"));
}

#[test]
fn a_screen_reader_finds_its_way() {
    for (name, report) in samples::all() {
        let page = page_of(&report);
        let elements = page.elements();
        let ids: Vec<_> = elements.iter().filter_map(|element| element.attribute("id")).collect();
        assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len(), "{name}: an id is there twice");
        for landmark in ["header", "main", "footer", "h1", "title"] {
            let found = elements.iter().filter(|element| element.name == landmark);
            assert_eq!(found.count(), 1, "{name}: {landmark}");
        }
        for element in &elements {
            if let Some(label) = element.attribute("aria-labelledby") {
                assert!(page.with_id(label).is_some_and(|label| !label.text().is_empty()), "{name}: {label}");
            }
            if element.name == "svg" {
                assert_eq!(element.attribute("aria-hidden"), Some("true"), "{name}");
            }
        }
        let levels: Vec<u8> = elements.iter().filter_map(|element| level(&element.name)).collect();
        let no_leap = levels.windows(2).all(|pair| pair[1] <= pair[0] + 1);
        assert!(no_leap, "{name}: headings leap: {levels:?}");
    }
}

fn level(name: &str) -> Option<u8> {
    name.strip_prefix('h').and_then(|level| level.parse().ok())
}
