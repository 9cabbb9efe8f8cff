//! The page of a diagnosis in a real browser: drawn, wide and narrow, light and dark, printed, and silent.
//!
//! Chromium runs in a network namespace of its own that has no interface up, because it asks for updates of itself
//! whatever it is told. The pages and pictures stay in `target/tmp/page`, to be looked at.

#![expect(clippy::expect_used, reason = "functions that help tests fail as tests do")]

mod browser;
#[path = "../page/document.rs"]
#[allow(dead_code, reason = "the other test program uses the rest of it")]
mod document;
mod picture;
#[path = "../page/samples.rs"]
#[allow(dead_code, reason = "the other test program uses the rest of it")]
mod samples;

use std::path::PathBuf;

use ecru_doctor::page::html;
use ecru_doctor::report::{Context, Report, Station};

use self::browser::Browser;
use self::document::Document;
use self::picture::Picture;

const WIDE: (u32, u32) = (1280, 1400);
const NARROW: (u32, u32) = (360, 2400);
const DARK: &str = "--blink-settings=preferredColorScheme=0";

/// Writes a page to where it can be looked at.
fn written(name: &str, page: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("page");
    std::fs::create_dir_all(&folder).expect("a folder for pages");
    let file = folder.join(format!("{name}.html"));
    std::fs::write(&file, page).expect("the page is written");
    file
}

fn page_of(report: &Report) -> String {
    html(report, &samples::facts())
}

#[test]
#[ignore = "needs chromium"]
fn every_page_is_drawn_wide_and_narrow() {
    let browser = Browser::new();
    for (name, report) in [
        ("healthy", samples::healthy()),
        ("a-night", samples::a_night()),
        ("sixty-checks", samples::sixty_checks()),
        ("stops-in-job", samples::stops_at(Context::Job, Station::Identity)),
        ("nothing", samples::nothing()),
    ] {
        let file = written(name, &page_of(&report));
        for (form, size) in [("wide", WIDE), ("narrow", NARROW)] {
            let picture = Picture::read(&browser.screenshot(&file, form, size, &[]));
            assert_eq!(picture.size(), size, "{name}, {form}");
            assert!(picture.colours() > 50, "{name}, {form}: {} colours", picture.colours());
            assert!(picture.ink() > 0.01, "{name}, {form}: {} is drawn on", picture.ink());
        }
    }
}

#[test]
#[ignore = "needs chromium"]
fn it_is_dark_where_dark_is_preferred() {
    let browser = Browser::new();
    let file = written("a-night", &page_of(&samples::a_night()));
    let light = Picture::read(&browser.screenshot(&file, "light", WIDE, &[]));
    let dark = Picture::read(&browser.screenshot(&file, "dark", WIDE, &[DARK]));
    assert!(light.brightness() > 0.8, "{}", light.brightness());
    assert!(dark.brightness() < 0.25, "{}", dark.brightness());
    assert!(dark.colours() > 50 && dark.ink() > 0.01);
}

#[test]
#[ignore = "needs chromium"]
fn the_browser_sees_every_station_and_the_mark() {
    let browser = Browser::new();
    let report = samples::stops_at(Context::Runner, Station::Helper);
    let page = Document::parse(&browser.dom(&written("stops-in-runner", &page_of(&report)), &[]));
    assert_eq!(page.with_class("lane").len(), 3);
    assert_eq!(page.with_class("station").len(), 21);
    let marks: Vec<_> = page.with_class("stop-mark").iter().map(document::Element::text).collect();
    assert_eq!(marks, [format!("Stops here: {}", samples::REASON)]);
}

#[test]
#[ignore = "needs chromium"]
fn no_page_is_wider_than_the_screen() {
    const FRAMES: [u32; 4] = [320, 600, 993, 1280];
    let browser = Browser::new();
    for (name, report) in [
        ("long-words", samples::long_words()),
        ("a-night", samples::a_night()),
        ("sixty-checks", samples::sixty_checks()),
    ] {
        written(name, &page_of(&report));
        let frames = FRAMES.map(|width| {
            format!(
                "<iframe src='{name}.html' style='border:0;width:{width}px' \
                 onload='this.title=this.contentDocument.documentElement.scrollWidth'></iframe>"
            )
        });
        let file = written(&format!("{name}-in-frames"), &format!("<!DOCTYPE html>{}", frames.concat()));
        let dom = Document::parse(&browser.dom(&file, &["--allow-file-access-from-files"]));
        let widths: Vec<_> =
            dom.named("iframe").iter().map(|frame| frame.attribute("title").map(str::to_owned)).collect();
        assert_eq!(widths, FRAMES.map(|width| Some(width.to_string())), "{name}");
    }
}

#[test]
#[ignore = "needs chromium"]
fn what_is_folded_away_is_printed() {
    let browser = Browser::new();
    let mut report = samples::healthy();
    let bare = browser.pages_printed(&written("print-bare", &page_of(&report)));
    for check in report.sections.iter_mut().flat_map(|section| &mut section.checks) {
        check.evidence = (0..40).map(|line| format!("line {line}")).collect();
    }
    let page = page_of(&report);
    assert!(!page.contains(" open"), "nothing is unfolded on the screen");
    let full = browser.pages_printed(&written("print-full", &page));
    // 21 checks of 40 lines: a sheet has room for about 80.
    assert!(full >= bare + 8, "{bare} pages without evidence, {full} with");
}

#[test]
#[ignore = "needs chromium"]
fn markup_that_found_a_way_in_could_load_nothing() {
    const PROBES: &str = "<img src='http://probe.invalid/1'><iframe src='http://probe.invalid/2'></iframe>\
        <link rel='stylesheet' href='http://probe.invalid/3'><script src='http://probe.invalid/4'></script>\
        <style>body{background:url(http://probe.invalid/5)}</style>";
    let browser = Browser::new();
    let page = page_of(&samples::a_night());
    let planted = page.replace("</main>", &format!("{PROBES}</main>"));
    let without_policy = planted.replace("Content-Security-Policy", "X-None");

    let asked = browser.addresses_asked(&written("planted", &planted), "probe.invalid");
    assert_eq!(asked, Vec::<String>::new());
    let asked = browser.addresses_asked(&written("planted-without-policy", &without_policy), "probe.invalid");
    assert_eq!(asked.len(), 5, "without the policy all five are asked for: {asked:?}");
}
