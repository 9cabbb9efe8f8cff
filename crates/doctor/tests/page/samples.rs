//! Reports as they may come: sound ones, one that stops at each station, large ones, hostile ones, empty ones.

use ecru_doctor::page::PageFacts;
use ecru_doctor::report::{Check, Context, Definition, Fix, Report, Section, Station, Weight};

pub(crate) const CONTEXTS: [Context; 3] = [Context::Runner, Context::JobHost, Context::Job];
pub(crate) const STATIONS: [Station; 7] = [
    Station::Place,
    Station::Configuration,
    Station::Helper,
    Station::Identity,
    Station::Network,
    Station::Engine,
    Station::Registry,
];
/// Where the only error of [`stops_at`] is.
pub(crate) const REASON: &str = "docker-credential-ecr-login is not on the PATH of gitlab-runner.service";
const REGISTRY: &str = "000000000000.dkr.ecr.eu-west-1.amazonaws.com";

pub(crate) fn facts() -> PageFacts {
    PageFacts {
        version: "0.1.0".to_owned(),
        made_at: "2026-11-23T02:10:00Z".to_owned(),
        machine: "ci-manager-1".to_owned(),
    }
}

/// A definition for as long as the program runs, as those of a catalogue are.
pub(crate) fn definition(
    context: Context,
    station: Station,
    weight: Weight,
    title: &str,
    why: &str,
) -> &'static Definition {
    Box::leak(Box::new(Definition {
        id: "runner.helper.found",
        context,
        station,
        weight,
        title: title.to_owned().leak(),
        why: why.to_owned().leak(),
    }))
}

fn sound(context: Context, station: Station) -> Check {
    let title = format!("the {} is as it should be", format!("{station:?}").to_lowercase());
    let definition = definition(
        context,
        station,
        Weight::Error,
        &title,
        "Without it no image of a private registry is pulled.",
    );
    Check::pass(definition).seen("/usr/local/bin/docker-credential-ecr-login: ELF 64-bit, x86-64, 0755")
}

fn section(context: Context, checks: Vec<Check>) -> Section {
    Section { context, known_by: vec!["it was asked for with --context".to_owned()], checks }
}

/// All three contexts, and nothing wrong.
pub(crate) fn healthy() -> Report {
    let sections =
        CONTEXTS.map(|context| section(context, STATIONS.map(|station| sound(context, station)).into()));
    Report { sections: sections.into() }
}

/// One context was looked at, and its only error is at `station`.
pub(crate) fn stops_at(context: Context, station: Station) -> Report {
    let check = |at: Station| {
        let sound = sound(context, at);
        if at != station {
            return sound;
        }
        Check::fail(sound.definition, REASON)
            .fix(Fix::Command { command: format!("ecru setup runner --registry {REGISTRY}"), by_setup: true })
    };
    Report { sections: vec![section(context, STATIONS.map(check).into())] }
}

/// What a person on call may find: an error, what follows from it, a risk, and much that is sound.
pub(crate) fn a_night() -> Report {
    let runner =
        |station, weight, title: &str, why: &str| definition(Context::Runner, station, weight, title, why);
    let helper = runner(
        Station::Helper,
        Weight::Error,
        "the helper is on the service’s PATH",
        "The runner’s process runs the helper by its name; what a login shell finds does not count.",
    );
    let token = runner(
        Station::Registry,
        Weight::Error,
        "the registry hands out a token",
        "Without a token every pull is anonymous, and ECR refuses it.",
    );
    let policy = runner(
        Station::Configuration,
        Weight::Risk,
        "no shared runner pulls if-not-present",
        "With if-not-present a job uses a private image that another project’s job has pulled, without any password.",
    );
    let host =
        runner(Station::Network, Weight::Error, "ECR’s names resolve", "The helper asks api.ecr.REGION.");
    let checks = vec![
        sound(Context::Runner, Station::Place)
            .seen("gitlab-runner 19.4.1, user gitlab-runner, HOME=/home/gitlab-runner"),
        sound(Context::Runner, Station::Configuration),
        Check::fail(policy, "pull_policy is if-not-present, and the runner serves 14 projects")
            .about("/etc/gitlab-runner/config.toml")
            .seen("line 31: pull_policy = [\"if-not-present\"]")
            .fix(Fix::Lines {
                place: "[runners.docker] of /etc/gitlab-runner/config.toml".to_owned(),
                lines: "pull_policy = [\"always\"]\nallowed_pull_policies = [\"always\"]".to_owned(),
            }),
        Check::fail(helper, REASON)
            .about(REGISTRY)
            .seen("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
            .seen("/root/bin/docker-credential-ecr-login is there, but /root/bin is not on that PATH")
            .fix(Fix::Command { command: format!("ecru setup runner --registry {REGISTRY}"), by_setup: true })
            .fix(Fix::Command {
                command: "install -m 0755 /root/bin/docker-credential-ecr-login /usr/local/bin/".to_owned(),
                by_setup: false,
            }),
        sound(Context::Runner, Station::Identity),
        Check::pass(host).about("api.ecr.eu-west-1.amazonaws.com"),
        Check::skipped(token, "the helper was not found, so it was not asked").about(REGISTRY),
        Check::not_applicable(token, "public images need no token").about("public.ecr.aws"),
        sound(Context::Runner, Station::Engine),
    ];
    Report { sections: vec![section(Context::Runner, checks)] }
}

/// Sixty checks in three contexts, of every outcome.
pub(crate) fn sixty_checks() -> Report {
    let check = |context: Context, number: usize| {
        let station = STATIONS[number % STATIONS.len()];
        let weight = if number.is_multiple_of(3) { Weight::Risk } else { Weight::Error };
        let title = format!("check {number} of the {} passes", format!("{station:?}").to_lowercase());
        let definition = definition(context, station, weight, &title, "It matters for a reason of its own.");
        let check = match number % 5 {
            0 => Check::fail(definition, format!("number {number} is not as it should be")),
            1 => Check::skipped(definition, "something before it failed"),
            2 => Check::not_applicable(definition, "there is no such thing here"),
            _ => Check::pass(definition),
        };
        check.about(format!("registry-{number}.example.com")).seen(format!("seen: {number}"))
    };
    let sections =
        CONTEXTS.map(|context| section(context, (0..20).map(|number| check(context, number)).collect()));
    Report { sections: sections.into() }
}

/// Words that fit no screen, wherever words can be.
pub(crate) fn long_words() -> Report {
    long_words_of(&"w".repeat(3_000))
}

fn long_words_of(word: &str) -> Report {
    let of = |context| report_saying(context, |_| word.to_owned()).sections;
    Report { sections: CONTEXTS.into_iter().flat_map(of).collect() }
}

/// Checks of all outcomes, whose every text comes from `text`; it is told how many came before.
pub(crate) fn report_saying(context: Context, mut text: impl FnMut(usize) -> String) -> Report {
    let mut asked = 0;
    let mut next = || {
        asked += 1;
        text(asked - 1)
    };
    let known_by = vec![next(), next()];
    let mut checks = Vec::new();
    for (number, station) in STATIONS.into_iter().enumerate() {
        let weight = if number == 1 { Weight::Risk } else { Weight::Error };
        let definition = definition(context, station, weight, &next(), &next());
        let check = match number {
            0 => Check::pass(definition),
            1 | 2 => Check::fail(definition, next()),
            3 => Check::not_applicable(definition, next()),
            _ => Check::skipped(definition, next()),
        };
        checks.push(
            check
                .about(next())
                .seen(next())
                .seen(next())
                .fix(Fix::Command { command: next(), by_setup: true })
                .fix(Fix::Lines { place: next(), lines: next() }),
        );
    }
    Report { sections: vec![Section { context, known_by, checks }] }
}

/// A context in which no check was made.
pub(crate) fn without_checks() -> Report {
    Report { sections: vec![Section { context: Context::Job, known_by: Vec::new(), checks: Vec::new() }] }
}

/// Nothing was looked at.
pub(crate) fn nothing() -> Report {
    Report { sections: Vec::new() }
}

/// All of them, with the names of their files.
pub(crate) fn all() -> Vec<(String, Report)> {
    let stops = CONTEXTS.into_iter().flat_map(|context| {
        STATIONS.map(|station| {
            let name = format!("stops-at-{context:?}-{station:?}").to_lowercase();
            (name, stops_at(context, station))
        })
    });
    let others = [
        ("healthy", healthy()),
        ("a-night", a_night()),
        ("sixty-checks", sixty_checks()),
        ("long-words", long_words()),
        ("without-checks", without_checks()),
        ("nothing", nothing()),
    ];
    others.into_iter().map(|(name, report)| (name.to_owned(), report)).chain(stops).collect()
}
