//! Whatever stands in a report is text on the page, to the character.

use std::collections::BTreeSet;

use ecru_doctor::page::{PageFacts, html};
use ecru_doctor::report::Context;
use proptest::prelude::*;

use super::document::Document;
use super::samples::report_saying;

/// What ends, begins or hides something in HTML.
const HOSTILE: [&str; 22] = [
    "<script>alert(1)</script>",
    "</script>",
    "</style>",
    "</title>",
    "</pre></code></details>",
    "<details open>",
    "<!--",
    "-->",
    "--!>",
    "<![CDATA[",
    "]]>",
    "<?xml",
    "<svg><style>*{}</style>",
    "<math><mi>",
    "<plaintext>",
    "<textarea>",
    "\" onload=\"x",
    "' onload='x",
    "&lt;",
    "&#60;",
    "&amp",
    "\n",
];

/// Text in which nothing hides, so that the page shows it as it is.
fn shown_text() -> impl Strategy<Value = String> {
    let separators = ['\u{2028}', '\u{2029}'];
    let part = prop_oneof![
        prop::sample::select(HOSTILE.as_slice()).prop_map(str::to_owned),
        "[<>&\"'`=/! \n\t]{0,6}",
        // Everything but Unicode's category Other: controls, formats, what is not assigned.
        "\\PC{0,12}".prop_map(move |text| text.replace(separators, "")),
    ];
    prop::collection::vec(part, 0..4).prop_map(|parts| parts.concat())
}

fn facts(text: &str) -> PageFacts {
    PageFacts { version: text.to_owned(), made_at: text.to_owned(), machine: text.to_owned() }
}

fn page(texts: &[String]) -> Document {
    let text = |number: usize| texts[number % texts.len()].clone();
    Document::parse(&html(&report_saying(Context::Runner, text), &facts(&texts[0])))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn text_is_shown_as_it_is(texts in prop::collection::vec(shown_text(), 1..12)) {
        let page = page(&texts);
        let shown: BTreeSet<_> = page.elements().iter().map(super::document::Element::text).collect();
        for text in &texts {
            prop_assert!(shown.contains(text), "{:?} is not shown as such", text);
        }
    }

    #[test]
    fn no_text_makes_or_breaks_an_element(texts in prop::collection::vec(any::<String>(), 1..12)) {
        prop_assert_eq!(page(&texts).skeleton(), page(&["x".to_owned()]).skeleton());
    }

    #[test]
    fn hostile_text_makes_no_element(texts in prop::collection::vec(shown_text(), 1..12)) {
        prop_assert_eq!(page(&texts).skeleton(), page(&["x".to_owned()]).skeleton());
    }

    #[test]
    fn nothing_hides_on_the_page(texts in prop::collection::vec(any::<String>(), 1..12)) {
        let text = page(&texts).text();
        let hidden = text.chars().find(|character| {
            let is_space = matches!(character, '\n' | '\t');
            let reorders = matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
            reorders || character.is_control() && !is_space
        });
        prop_assert_eq!(hidden, None);
    }
}
