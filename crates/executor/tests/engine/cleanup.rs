//! Runs that do not come to their end, and runs beside each other.

use std::time::Duration;

use ecru_executor::{Event, RunError, run_job};
use tokio_util::sync::CancellationToken;

use crate::workbench::{Anonymous, Recorder, Workbench};

#[tokio::test]
#[ignore = "needs a Docker engine (cargo xtask test starts one)"]
async fn a_run_cancelled_in_its_script_leaves_nothing() {
    let mut bench = Workbench::set_up().await;
    let mut job = bench.job("echo started; sleep 600").await;
    job.after_script = Some("echo not run".to_owned());
    // The volume of the image is anonymous: it has no label, and goes with its container.
    job.services.push(bench.service("db", &["VOLUME /data", r#"CMD ["sleep", "600"]"#]).await);
    let cancel = CancellationToken::new();
    let token = cancel.clone();
    let mut recorder = Recorder::when_output_is("started\n", move || token.cancel());

    let outcome = run_job(&bench.engine, &job, &Anonymous, &mut recorder, &cancel).await;

    assert!(matches!(outcome, Err(RunError::Cancelled)), "{outcome:?}");
    assert_eq!(recorder.recording().after_script, b"");
    assert!(!recorder.recording().has_event("NotRemoved"), "{:?}", recorder.recording().events);
    bench.tear_down().await;
}

#[tokio::test]
#[ignore = "needs a Docker engine (cargo xtask test starts one)"]
async fn a_run_cancelled_at_any_event_leaves_nothing() {
    /// Network, image of the service, service started; then the wait for a service that never listens.
    const EVENTS_BEFORE_WAITING: usize = 3;
    /// Not waited for, image of the job, script started, its output.
    const EVENTS_AFTER_WAITING: usize = 4;
    let mut bench = Workbench::set_up().await;
    let mut job = bench.job("echo started; sleep 600").await;
    job.services.push(bench.service("db", &["EXPOSE 5432", r#"CMD ["sleep", "600"]"#]).await);
    for last_event in 1..=EVENTS_BEFORE_WAITING + EVENTS_AFTER_WAITING {
        let is_waiting = last_event <= EVENTS_BEFORE_WAITING;
        job.limits.wait_for_services = Duration::from_secs(if is_waiting { 600 } else { 0 });
        let cancel = CancellationToken::new();
        let token = cancel.clone();
        let mut events = 0;
        let mut observer = move |_: Event<'_>| {
            events += 1;
            if events == last_event {
                token.cancel();
            }
        };

        let outcome = run_job(&bench.engine, &job, &Anonymous, &mut observer, &cancel).await;

        assert!(matches!(outcome, Err(RunError::Cancelled)), "after {last_event} events: {outcome:?}");
    }
    bench.tear_down().await;
}

/// The moments are arbitrary: whichever call is under way, nothing may be left of it.
#[tokio::test]
#[ignore = "needs a Docker engine (cargo xtask test starts one)"]
async fn a_run_cancelled_at_any_moment_leaves_nothing() {
    let mut bench = Workbench::set_up().await;
    let mut job = bench.job("sleep 600").await;
    job.services.push(bench.service("db", &["VOLUME /data", r#"CMD ["sleep", "600"]"#]).await);
    let before = bench.inventory().await;
    for moment in (0..600).step_by(40) {
        let cancel = CancellationToken::new();
        let mut recorder = Recorder::default();
        let run = run_job(&bench.engine, &job, &Anonymous, &mut recorder, &cancel);
        let cancellation = async {
            tokio::time::sleep(Duration::from_millis(moment)).await;
            cancel.cancel();
        };

        let (outcome, ()) = tokio::join!(run, cancellation);

        assert!(matches!(outcome, Err(RunError::Cancelled)), "after {moment} ms: {outcome:?}");
        assert_eq!(bench.inventory().await, before, "after {moment} ms");
    }
    bench.tear_down().await;
}

#[tokio::test]
#[ignore = "needs a Docker engine (cargo xtask test starts one)"]
async fn a_run_cancelled_before_it_starts_makes_nothing() {
    let mut bench = Workbench::set_up().await;
    let job = bench.job("echo started").await;
    let cancel = CancellationToken::new();
    cancel.cancel();
    let mut recorder = Recorder::default();

    let outcome = run_job(&bench.engine, &job, &Anonymous, &mut recorder, &cancel).await;

    assert!(matches!(outcome, Err(RunError::Cancelled)), "{outcome:?}");
    assert!(recorder.recording().events.is_empty());
    bench.tear_down().await;
}

#[tokio::test]
#[ignore = "needs a Docker engine (cargo xtask test starts one)"]
async fn a_run_that_takes_too_long_leaves_nothing() {
    let mut bench = Workbench::set_up().await;
    let mut job = bench.job("sleep 600").await;
    job.services.push(bench.service("db", &["EXPOSE 5432", r#"CMD ["sleep", "600"]"#]).await);
    job.limits.job = Duration::from_secs(1);

    let (outcome, _) = bench.run(&job).await;

    let error = outcome.unwrap_err();
    assert!(matches!(error, RunError::TimedOut { .. }), "{error:?}");
    assert!(error.hint().is_some());
    bench.tear_down().await;
}

#[tokio::test]
#[ignore = "needs a Docker engine (cargo xtask test starts one)"]
async fn a_dropped_run_is_removed_in_the_background() {
    let mut bench = Workbench::set_up().await;
    let job = bench.job("echo started; sleep 600").await;
    let before = bench.inventory().await;
    let started = CancellationToken::new();
    let token = started.clone();
    let mut recorder = Recorder::when_output_is("started\n", move || token.cancel());
    let never = CancellationToken::new();

    tokio::select! {
        outcome = run_job(&bench.engine, &job, &Anonymous, &mut recorder, &never) => panic!("{outcome:?}"),
        () = started.cancelled() => {}
    }

    assert_ne!(bench.inventory().await, before, "the run was removed before it was dropped");
    let removed = async {
        while bench.inventory().await != before {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), removed).await.expect("the run is still there");
    bench.tear_down().await;
}

#[tokio::test]
#[ignore = "needs a Docker engine (cargo xtask test starts one)"]
async fn two_runs_side_by_side_never_meet() {
    let mut bench = Workbench::set_up().await;
    let image = bench.busybox_image("job", &[]).await;
    let greeting = |greeting: &str| {
        let mut job = crate::workbench::local_job(&image, "cat page; wget -q -O - http://web:8080/");
        let mut web = ecru_executor::ServiceSpec::new(image.clone(), ["web"]);
        web.image.pull_policy = job.image.pull_policy.clone();
        let serve =
            format!("mkdir /www; echo {greeting} | tee page > /www/index.html; httpd -f -p 8080 -h /www");
        web.command = Some(vec!["sh".to_owned(), "-c".to_owned(), format!("cd /builds; {serve}")]);
        job.services.push(web);
        // The image exposes no port, so the job itself waits for its service.
        job.script = format!("until wget -q -O /dev/null http://web:8080/; do :; done; {}", job.script);
        job
    };
    let (one, two) = (greeting("one"), greeting("two"));

    let ((first, first_recording), (second, second_recording)) =
        tokio::join!(bench.run(&one), bench.run(&two));

    assert_eq!((first.unwrap().exit_code, second.unwrap().exit_code), (0, 0));
    assert_eq!(first_recording.stdout(), "one\none\n");
    assert_eq!(second_recording.stdout(), "two\ntwo\n");
    bench.tear_down().await;
}
