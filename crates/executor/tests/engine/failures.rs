//! Jobs that cannot run: each names its cause, and leaves nothing behind.

use ecru_executor::{ImageError, Mount, PullPolicy, RunError};

use crate::workbench::{Layer, Workbench, local_job};

#[tokio::test]
#[ignore = "needs a Docker engine (cargo xtask test starts one)"]
async fn a_missing_image_that_must_not_be_pulled() {
    let bench = Workbench::set_up().await;
    let job = local_job("localhost/ecru-executor-test/missing:1", "true");

    let (outcome, recording) = bench.run(&job).await;

    let error = outcome.unwrap_err();
    let RunError::Image { source: ImageError::NotPresent { image }, .. } = &error else {
        panic!("{error:?}")
    };
    assert_eq!(image, "localhost/ecru-executor-test/missing:1");
    assert!(error.hint().is_some());
    assert!(!recording.has_event("PullStarted"), "{:?}", recording.events);
    bench.tear_down().await;
}

#[tokio::test]
#[ignore = "needs a Docker engine (cargo xtask test starts one)"]
async fn an_image_without_a_shell() {
    let mut bench = Workbench::set_up().await;
    let mut layer = Layer::new();
    layer.file("program", 0o755, b"x");
    let image = bench.image("bare", layer.into_bytes(), &[]).await;

    let (outcome, _) = bench.run(&local_job(&image, "true")).await;

    let error = outcome.unwrap_err();
    assert!(matches!(&error, RunError::NoShell { image: named } if *named == image), "{error:?}");
    assert!(error.hint().is_some());
    bench.tear_down().await;
}

#[tokio::test]
#[ignore = "needs a Docker engine (cargo xtask test starts one)"]
async fn an_image_for_another_processor() {
    let mut bench = Workbench::set_up().await;
    let mut layer = Layer::new();
    // The head of an ELF file for no machine at all: whatever runs the tests, it cannot run this.
    let mut program = b"\x7fELF\x02\x01\x01".to_vec();
    program.resize(64, 0);
    layer.file("bin/sh", 0o755, &program);
    let image = bench.image("foreign", layer.into_bytes(), &[]).await;

    let (outcome, _) = bench.run(&local_job(&image, "true")).await;

    let error = outcome.unwrap_err();
    let RunError::StartFailed { reason, .. } = &error else { panic!("{error:?}") };
    assert!(reason.contains("exec format error"), "{reason}");
    assert!(error.hint().is_some_and(|hint| hint.contains("platform")));
    bench.tear_down().await;
}

#[tokio::test]
#[ignore = "needs a Docker engine (cargo xtask test starts one)"]
async fn an_entrypoint_a_user_and_a_mount_that_do_not_exist() {
    let mut bench = Workbench::set_up().await;
    let image = bench.busybox_image("job", &[]).await;

    let mut job = local_job(&image, "true");
    job.image.entrypoint = Some(vec!["/no/such/entrypoint".to_owned()]);
    let error = bench.run(&job).await.0.unwrap_err();
    assert!(matches!(error, RunError::StartFailed { .. }), "{error:?}");
    assert!(error.to_string().contains("/no/such/entrypoint"), "{error}");
    assert!(error.hint().is_some_and(|hint| hint.contains("entrypoint")));

    let mut job = local_job(&image, "true");
    job.image.user = Some("nobody-here".to_owned());
    let error = bench.run(&job).await.0.unwrap_err();
    assert!(error.to_string().contains("nobody-here"), "{error}");
    assert!(error.hint().is_some_and(|hint| hint.contains("user")));

    let mut job = local_job(&image, "true");
    job.mounts.push(Mount {
        source: "/no/such/file".to_owned(),
        target: "/mounted".to_owned(),
        read_only: true,
    });
    let error = bench.run(&job).await.0.unwrap_err();
    assert!(error.to_string().contains("/no/such/file"), "{error}");
    assert!(error.hint().is_some_and(|hint| hint.contains("mount")));
    bench.tear_down().await;
}

#[tokio::test]
#[ignore = "needs a Docker engine (cargo xtask test starts one)"]
async fn pull_policies_are_tried_in_turn() {
    let mut bench = Workbench::set_up().await;
    // Nothing listens on port 1: a pull fails at once, and the image is there all the same.
    let image = "127.0.0.1:1/ecru-executor-test/job:1";
    let source = bench.busybox_image("job", &[]).await;
    bench.engine.tag_image(&source, image).await.unwrap();
    bench.remove_at_end(image);

    let mut job = local_job(image, "echo ran");
    job.image.pull_policy = vec![PullPolicy::Always, PullPolicy::IfNotPresent];
    let (outcome, recording) = bench.run(&job).await;
    assert_eq!(outcome.unwrap().exit_code, 0);
    assert!(recording.has_event("PullPolicyFailed"), "{:?}", recording.events);
    assert!(recording.has_event("ImagePresent"), "{:?}", recording.events);

    job.image.pull_policy = Vec::new();
    let error = bench.run(&job).await.0.unwrap_err();
    let RunError::Image { source: ImageError::TransferFailed { .. }, .. } = &error else {
        panic!("{error:?}")
    };
    assert!(error.hint().is_some_and(|hint| hint.contains("reach")));
    bench.tear_down().await;
}
