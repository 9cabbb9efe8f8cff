//! Rows 6 and 7: many processes at once.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::said::{assert_says, fault, held};
use crate::stage::aws::{self, PASSWORD};
use crate::stage::responder::{Reply, Responder};
use crate::stage::{FRANKFURT, Stage};

/// How many processes live at the same time.
const AT_ONCE: usize = 200;

/// AWS, as far away as another continent.
fn distant_aws() -> Responder {
    Responder::start(|request| {
        std::thread::sleep(Duration::from_millis(200));
        aws::token(request)
    })
}

/// Runs `count` processes, [`AT_ONCE`] of them at a time; each asks for the registry that `server` names for it.
fn ask(stage: &Stage, count: usize, server: impl Fn(usize) -> String + Sync) {
    let next = Arc::new(AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE.min(count) {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::SeqCst);
                    if number >= count {
                        return;
                    }
                    assert_eq!(stage.get(&server(number)).secret(), PASSWORD, "process {number}");
                }
            });
        }
    });
}

#[test]
fn row_06_a_thousand_cold_processes() {
    fault("1,000 processes, 200 at once, and nothing cached");
    let aws = distant_aws();
    let stage = Stage::with(&aws);
    ask(&stage, 1000, |_| FRANKFURT.to_owned());
    assert_eq!(aws.count(), 1);
    held("1,000 answered, none failed, 1 call");
}

#[test]
fn row_06_twenty_accounts_of_a_region_at_once() {
    fault("20 accounts of one region, asked for by 200 processes");
    let aws = distant_aws();
    let stage = Stage::with(&aws);
    ask(&stage, AT_ONCE, |number| format!("{:012}.dkr.ecr.eu-central-1.amazonaws.com", number % 20));
    assert_eq!(aws.count(), 1);
    held("200 answered, 1 call");
}

#[test]
fn row_06_twenty_cold_lists() {
    fault("20 `list` at once, or 10 with 10 `get`, and nothing configured or cached");
    let own = [format!("https://{FRANKFURT}")];
    for (by_profile, gets) in [(false, 0), (true, 0), (false, 10)] {
        let aws = distant_aws();
        let mut stage = Stage::with(&aws);
        if by_profile {
            stage.write(".aws/config", "[default]\nregion = eu-central-1\n");
        } else {
            stage.set("AWS_REGION", "eu-central-1");
        }
        std::thread::scope(|scope| {
            for number in 0..20 {
                let (stage, own) = (&stage, &own);
                scope.spawn(move || match number < gets {
                    true => assert_eq!(stage.get(FRANKFURT).secret(), PASSWORD),
                    false => assert_eq!(stage.list(), own),
                });
            }
        });
        assert_eq!(aws.count(), 1, "{by_profile} {gets}");
        assert_eq!(stage.get(FRANKFURT).secret(), PASSWORD);
        assert_eq!(stage.list(), own);
        assert_eq!(aws.count(), 1, "{by_profile} {gets}");
    }
    held("20 answered, 1 call");
}

#[test]
fn row_12_twenty_cold_lists_that_aws_refuses() {
    fault("20 `list` at once, and AWS denies the token");
    let aws = Responder::start(|_| {
        std::thread::sleep(Duration::from_millis(500));
        aws::refusal(400, "AccessDeniedException", "no")
    });
    let mut stage = Stage::with(&aws);
    stage.set("AWS_REGION", "eu-central-1");
    std::thread::scope(|scope| {
        for _ in 0..20 {
            scope.spawn(|| {
                let run = stage.run("list", "unused");
                assert_eq!((run.code, run.stdout.as_str()), (0, "{}\n"), "{run:?}");
                assert_says(&run.stderr, &["no registry is configured", "access denied by AWS"]);
            });
        }
    });
    // Who starts after the first failure begins anew.
    assert!(aws.count() <= 3, "{} calls", aws.count());
    held("20 empty lists, and the refusal is shared: at most 3 calls");
}

#[test]
fn row_12_a_hundred_processes_while_aws_throttles_or_is_silent() {
    fault("100 processes at once, while AWS throttles, or says nothing");
    for (reply, words) in [
        (aws::refusal(400, "ThrottlingException", "Rate exceeded"), "AWS has throttled the request"),
        (Reply::Silence, "no answer after"),
    ] {
        let aws = Responder::start(move |_| reply.clone());
        let stage = Stage::with(&aws);
        std::thread::scope(|scope| {
            for _ in 0..100 {
                // Some start late on a busy machine; each has a deadline of its own.
                scope.spawn(|| assert_says(stage.get(FRANKFURT).within(20).not_found(), &[words, "hint: "]));
            }
        });
        // Four lines of processes that ask, a few times each; who starts after the first failure begins anew.
        assert!(aws.count() <= 60, "{} calls: {words}", aws.count());
    }
    held("exit 1, and the failure is shared: at most 60 calls");
}

#[test]
fn row_07_many_registries_at_once() {
    fault("200 registries in as many regions, asked for at once");
    let aws = aws::proper();
    let mut stage = Stage::with(&aws);
    // 200 processes that all call AWS need longer on two processors than one may.
    stage.set("ECRU_TIMEOUT", "300");
    let host = |number: usize| format!("000000000001.dkr.ecr.{}.amazonaws.com", region(number));
    let regions: BTreeSet<String> = (0..AT_ONCE).map(region).collect();
    assert_eq!(regions.len(), AT_ONCE);
    ask(&stage, AT_ONCE, host);
    assert_eq!(stage.cached_files("json").len(), AT_ONCE);
    assert_eq!(aws.count(), AT_ONCE);
    ask(&stage, AT_ONCE, host);
    assert_eq!(aws.count(), AT_ONCE, "an entry was lost");
    held("200 of 200 entries kept");
}

/// A name of the shape that regions have.
fn region(number: usize) -> String {
    let letter = char::from(b'a' + u8::try_from(number / 20).unwrap());
    format!("eu-test{letter}-{}", number % 20)
}
