//! Scripts: output, exit codes, environment, files, the after-script.

use std::time::Duration;

use ecru_executor::Mount;

use crate::workbench::{Layer, Workbench, local_job};

#[tokio::test]
#[ignore = "needs a Docker engine (cargo xtask test starts one)"]
async fn output_streams_and_environment_arrive() {
    let mut bench = Workbench::set_up().await;
    let mut job = bench.job("echo \"$GREETING\"; echo to-stderr >&2").await;
    job.env.push(("GREETING".to_owned(), "hello = wörld\nsecond line".to_owned()));

    let (outcome, recording) = bench.run(&job).await;

    assert_eq!(outcome.unwrap().exit_code, 0);
    assert_eq!(recording.stdout(), "hello = wörld\nsecond line\n");
    assert_eq!(recording.stderr, b"to-stderr\n");
    bench.tear_down().await;
}

#[tokio::test]
#[ignore = "needs a Docker engine (cargo xtask test starts one)"]
async fn exit_codes_are_those_of_the_script() {
    let mut bench = Workbench::set_up().await;
    let image = bench.busybox_image("job", &[]).await;
    for (script, exit_code) in [
        ("exit 3", 3),
        ("set -e\nfalse\necho unreached", 1),
        ("set -e\nno-such-command", 127),
        ("kill -9 $$ || true; sh -c 'kill -9 $$'; exit $?", 137),
    ] {
        let (outcome, recording) = bench.run(&local_job(&image, script)).await;
        assert_eq!(outcome.unwrap().exit_code, exit_code, "{script}");
        assert_eq!(recording.stdout(), "", "{script}");
    }
    bench.tear_down().await;
}

#[tokio::test]
#[ignore = "needs a Docker engine (cargo xtask test starts one)"]
async fn output_that_is_no_text_arrives_as_it_is() {
    let mut bench = Workbench::set_up().await;
    let job = bench.job(r"printf '\377\376\000\001\002\003\r\n\200'").await;

    let (outcome, recording) = bench.run(&job).await;

    assert_eq!(outcome.unwrap().exit_code, 0);
    assert_eq!(recording.stdout, b"\xff\xfe\x00\x01\x02\x03\r\n\x80");
    bench.tear_down().await;
}

#[tokio::test]
#[ignore = "needs a Docker engine (cargo xtask test starts one)"]
async fn much_output_takes_little_memory() {
    const LENGTH: usize = 64 * 1024 * 1024;
    const MEMORY_LIMIT: usize = 16 * 1024 * 1024;
    let mut bench = Workbench::set_up().await;
    let job = bench.job(&format!("head -c {LENGTH} /dev/zero")).await;
    let mut length = 0;
    let mut largest_chunk = 0;
    let mut count = |event: ecru_executor::Event<'_>| {
        if let ecru_executor::Event::Output { bytes, .. } = event {
            length += bytes.len();
            largest_chunk = largest_chunk.max(bytes.len());
        }
    };
    let memory_before = peak_memory_since_reset();

    let outcome = ecru_executor::run_job(
        &bench.engine,
        &job,
        &crate::workbench::Anonymous,
        &mut count,
        &tokio_util::sync::CancellationToken::new(),
    )
    .await;

    let memory_after = peak_memory();
    assert_eq!(outcome.unwrap().exit_code, 0);
    assert_eq!(length, LENGTH);
    assert!(largest_chunk <= 1024 * 1024, "{largest_chunk} bytes in one piece");
    assert!(memory_after < memory_before + MEMORY_LIMIT, "{memory_before} to {memory_after} bytes");
    bench.tear_down().await;
}

/// Resets the kernel's record of this process's peak memory, and returns what is in use (Linux, proc(5): clear_refs).
fn peak_memory_since_reset() -> usize {
    std::fs::write("/proc/self/clear_refs", "5").unwrap();
    peak_memory()
}

fn peak_memory() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() * 1024
}

#[tokio::test]
#[ignore = "needs a Docker engine (cargo xtask test starts one)"]
async fn long_scripts_are_fed_whole_and_may_end_early() {
    let mut bench = Workbench::set_up().await;
    let image = bench.busybox_image("job", &[]).await;
    let filling = "# a line that does nothing but take room\n".repeat(100_000);

    let (outcome, recording) = bench.run(&local_job(&image, &format!("{filling}echo end; exit 4"))).await;
    assert_eq!(outcome.unwrap().exit_code, 4);
    assert_eq!(recording.stdout(), "end\n");

    let (outcome, recording) = bench.run(&local_job(&image, &format!("echo early; exit 5\n{filling}"))).await;
    assert_eq!(outcome.unwrap().exit_code, 5);
    assert_eq!(recording.stdout(), "early\n");
    bench.tear_down().await;
}

#[tokio::test]
#[ignore = "needs a Docker engine (cargo xtask test starts one)"]
async fn the_after_script_sees_files_and_status_but_no_shell_state() {
    let mut bench = Workbench::set_up().await;
    let image = bench.busybox_image("job", &[]).await;
    for (exit, status) in [(0, "success"), (7, "failed")] {
        let mut job = local_job(
            &image,
            &format!("VARIABLE=lost; echo kept > file; echo kept > /tmp/file; exit {exit}"),
        );
        job.after_script = Some("echo $CI_JOB_STATUS $(cat file /tmp/file) [$VARIABLE]; exit 9".to_owned());

        let (outcome, recording) = bench.run(&job).await;

        assert_eq!(outcome.unwrap().exit_code, exit);
        assert_eq!(recording.after_script, format!("{status} kept kept []\n").as_bytes());
        assert!(
            recording.has_event("AfterScriptFinished { outcome: Exited { exit_code: 9 } }"),
            "{:?}",
            recording.events
        );
    }
    bench.tear_down().await;
}

#[tokio::test]
#[ignore = "needs a Docker engine (cargo xtask test starts one)"]
async fn an_after_script_without_end_changes_nothing() {
    let mut bench = Workbench::set_up().await;
    let mut job = bench.job("echo done").await;
    job.after_script = Some("sleep 600".to_owned());
    job.limits.after_script = Duration::from_millis(300);

    let (outcome, recording) = bench.run(&job).await;

    assert_eq!(outcome.unwrap().exit_code, 0);
    assert!(recording.has_event("AfterScriptFinished { outcome: TimedOut"), "{:?}", recording.events);
    bench.tear_down().await;
}

#[tokio::test]
#[ignore = "needs a Docker engine (cargo xtask test starts one)"]
async fn entrypoints_are_kept_replaced_or_dropped() {
    let mut bench = Workbench::set_up().await;
    let image = bench.busybox_image("wrapped", &[r#"ENTRYPOINT ["/bin/env", "WRAPPED=image"]"#]).await;
    for (entrypoint, output) in
        [(None, "image\n"), (Some(vec!["/bin/env", "WRAPPED=job"]), "job\n"), (Some(vec![""]), "none\n")]
    {
        let mut job = local_job(&image, "echo ${WRAPPED:-none}");
        job.image.entrypoint = entrypoint.map(|words| words.into_iter().map(str::to_owned).collect());

        let (outcome, recording) = bench.run(&job).await;

        assert_eq!(outcome.unwrap().exit_code, 0);
        assert_eq!(recording.stdout(), output);
    }
    bench.tear_down().await;
}

#[tokio::test]
#[ignore = "needs a Docker engine (cargo xtask test starts one)"]
async fn sources_lie_in_a_working_directory_that_every_user_may_write() {
    let mut bench = Workbench::set_up().await;
    let mut job = bench.job("pwd; id -un; cat README; sh bin/tool; echo x > new && echo written").await;
    job.working_dir = "/builds/group/project".to_owned();
    job.image.user = Some("guest".to_owned());
    let mut sources = Layer::new();
    sources.file("README", 0o644, b"read me\n").file("bin/tool", 0o755, b"echo tool runs\n");
    job.sources = Some(sources.into_bytes());

    let (outcome, recording) = bench.run(&job).await;

    assert_eq!(outcome.unwrap().exit_code, 0);
    assert_eq!(recording.stdout(), "/builds/group/project\nguest\nread me\ntool runs\nwritten\n");
    bench.tear_down().await;
}

#[tokio::test]
#[ignore = "needs a Docker engine (cargo xtask test starts one)"]
async fn a_read_only_mount_can_be_read_but_not_written() {
    let mut bench = Workbench::set_up().await;
    let mut job = bench.job("cat /mounted; echo changed > /mounted || echo refused").await;
    let folder = std::env::temp_dir().join(format!("ecru-executor-mount-{}", std::process::id()));
    std::fs::write(&folder, "content\n").unwrap();
    job.mounts.push(Mount {
        source: folder.to_str().unwrap().to_owned(),
        target: "/mounted".to_owned(),
        read_only: true,
    });

    let (outcome, recording) = bench.run(&job).await;

    assert_eq!(std::fs::read_to_string(&folder).unwrap(), "content\n");
    std::fs::remove_file(&folder).unwrap();
    assert_eq!(outcome.unwrap().exit_code, 0);
    assert_eq!(recording.stdout(), "content\nrefused\n");
    bench.tear_down().await;
}
