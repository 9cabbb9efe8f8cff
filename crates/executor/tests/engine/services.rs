//! Services: names, ports, environment, and those that fail.

use std::time::Duration;

use ecru_executor::{RunError, ServiceSpec};

use crate::workbench::{Workbench, local_job};

/// A web server on port 8080 that serves its greeting; the image also exposes a port that nobody listens on.
const WEB_SERVER: &[&str] = &[
    "EXPOSE 79/tcp 53/udp",
    "EXPOSE 8080",
    r#"CMD ["sh", "-c", "mkdir /www && echo ${GREETING:-web} > /www/index.html && httpd -f -p 8080 -h /www"]"#,
];

#[tokio::test]
#[ignore = "needs a Docker engine (cargo xtask test starts one)"]
async fn the_job_reaches_services_by_their_aliases() {
    let mut bench = Workbench::set_up().await;
    let mut job = bench.job("wget -q -O - http://web:8080/; wget -q -O - http://www.test:8080/").await;
    let mut web = bench.service("web", WEB_SERVER).await;
    web.aliases.push("www.test".to_owned());
    web.env.push(("GREETING".to_owned(), "hello from a service".to_owned()));
    job.services.push(web);

    let (outcome, recording) = bench.run(&job).await;

    assert_eq!(outcome.unwrap().exit_code, 0);
    assert_eq!(recording.stdout(), "hello from a service\nhello from a service\n");
    assert!(recording.has_event("ServiceReady { service: \"web\", port: 8080 }"), "{:?}", recording.events);
    bench.tear_down().await;
}

#[tokio::test]
#[ignore = "needs a Docker engine (cargo xtask test starts one)"]
async fn services_reach_each_other_the_job_and_its_files() {
    let mut bench = Workbench::set_up().await;
    let mut job = bench
        .job(
            "httpd -p 9000 -h /builds && echo from-job > page\n\
             wget -q -O - http://relay:8080/cgi-bin/relay",
        )
        .await;
    job.services.push(bench.service("web", WEB_SERVER).await);
    let relay = bench
        .service(
            "relay",
            &[
                "EXPOSE 8080",
                r##"CMD ["sh", "-c", "mkdir -p /www/cgi-bin && printf '#!/bin/sh\necho; cat /builds/page; wget -q -O - http://build:9000/page; wget -q -O - http://web:8080/' > /www/cgi-bin/relay && chmod +x /www/cgi-bin/relay && httpd -f -p 8080 -h /www"]"##,
            ],
        )
        .await;
    job.services.push(relay);

    let (outcome, recording) = bench.run(&job).await;

    assert_eq!(outcome.unwrap().exit_code, 0, "{recording:?}");
    assert_eq!(recording.stdout(), "from-job\nfrom-job\nweb\n");
    bench.tear_down().await;
}

#[tokio::test]
#[ignore = "needs a Docker engine (cargo xtask test starts one)"]
async fn further_names_have_their_addresses_in_all_containers() {
    let mut bench = Workbench::set_up().await;
    let mut job = bench.job("grep registry.example /etc/hosts; wget -q -O - http://web:8080/hosts").await;
    job.extra_hosts.push("registry.example:192.0.2.1".to_owned());
    let web = &[
        "EXPOSE 8080",
        r#"CMD ["sh", "-c", "grep registry.example /etc/hosts >/tmp/hosts; httpd -f -p 8080 -h /tmp"]"#,
    ];
    job.services.push(bench.service("web", web).await);

    let (outcome, recording) = bench.run(&job).await;

    assert_eq!(outcome.unwrap().exit_code, 0, "{recording:?}");
    assert_eq!(recording.stdout(), "192.0.2.1\tregistry.example\n".repeat(2));
    bench.tear_down().await;
}

#[tokio::test]
#[ignore = "needs a Docker engine (cargo xtask test starts one)"]
async fn command_and_entrypoint_of_a_service_can_be_replaced() {
    let mut bench = Workbench::set_up().await;
    let mut job = bench.job("wget -q -O - http://web:8080/").await;
    let mut web = bench.service("web", &["EXPOSE 8080", r#"ENTRYPOINT ["/bin/false"]"#]).await;
    web.image.entrypoint = Some(vec!["sh".to_owned(), "-c".to_owned()]);
    web.command = Some(vec!["mkdir /w; echo replaced > /w/index.html; httpd -f -p 8080 -h /w".to_owned()]);
    job.services.push(web);

    let (outcome, recording) = bench.run(&job).await;

    assert_eq!(outcome.unwrap().exit_code, 0);
    assert_eq!(recording.stdout(), "replaced\n");
    bench.tear_down().await;
}

#[tokio::test]
#[ignore = "needs a Docker engine (cargo xtask test starts one)"]
async fn a_service_without_a_port_is_reported_and_not_waited_for() {
    let mut bench = Workbench::set_up().await;
    let mut job = bench.job("echo ran").await;
    job.services.push(bench.service("worker", &[r#"CMD ["sleep", "600"]"#]).await);

    let (outcome, recording) = bench.run(&job).await;

    assert_eq!(outcome.unwrap().exit_code, 0);
    assert!(recording.has_event("ServiceWithoutPort { service: \"worker\" }"), "{:?}", recording.events);
    bench.tear_down().await;
}

#[tokio::test]
#[ignore = "needs a Docker engine (cargo xtask test starts one)"]
async fn a_service_that_never_listens_fails_the_run_unless_waiting_is_off() {
    let mut bench = Workbench::set_up().await;
    let mut job = bench.job("echo ran").await;
    let changes = ["EXPOSE 5432", r#"CMD ["sh", "-c", "seq 1 50; echo still starting; sleep 600"]"#];
    job.services.push(bench.service("db", &changes).await);
    job.limits.wait_for_services = Duration::from_secs(2);

    let (outcome, recording) = bench.run(&job).await;

    let error = outcome.unwrap_err();
    let RunError::ServiceNeverListened { service, ports, .. } = &error else { panic!("{error:?}") };
    assert_eq!((service.as_str(), ports.as_slice()), ("db", &[5432][..]));
    assert_eq!(error.service_log().len(), 20);
    assert_eq!(error.service_log().last().unwrap(), "still starting");
    assert!(error.hint().is_some());
    assert_eq!(recording.stdout(), "");

    job.limits.wait_for_services = Duration::ZERO;
    let (outcome, recording) = bench.run(&job).await;
    assert_eq!(outcome.unwrap().exit_code, 0);
    assert!(recording.has_event("ServiceUnchecked"), "{:?}", recording.events);
    bench.tear_down().await;
}

#[tokio::test]
#[ignore = "needs a Docker engine (cargo xtask test starts one)"]
async fn a_service_that_exits_fails_the_run_with_its_log() {
    let mut bench = Workbench::set_up().await;
    let mut job = bench.job("echo ran").await;
    let changes = ["EXPOSE 5432", r#"CMD ["sh", "-c", "echo POSTGRES_PASSWORD is not set >&2; exit 6"]"#];
    job.services.push(bench.service("db", &changes).await);

    let (outcome, recording) = bench.run(&job).await;

    let error = outcome.unwrap_err();
    let RunError::ServiceExited { service, exit_code, .. } = &error else { panic!("{error:?}") };
    assert_eq!((service.as_str(), *exit_code), ("db", 6));
    assert_eq!(error.service_log(), ["POSTGRES_PASSWORD is not set"]);
    assert_eq!(recording.stdout(), "");
    bench.tear_down().await;
}

#[tokio::test]
#[ignore = "needs a Docker engine (cargo xtask test starts one)"]
async fn a_service_whose_program_is_missing_is_named() {
    let mut bench = Workbench::set_up().await;
    let image = bench.busybox_image("job", &[]).await;
    let mut job = local_job(&image, "echo ran");
    let mut service = ServiceSpec::new(image.clone(), ["db"]);
    service.image.pull_policy = job.image.pull_policy.clone();
    service.command = Some(vec!["postgres".to_owned()]);
    job.services.push(service);

    let (outcome, _) = bench.run(&job).await;

    let error = outcome.unwrap_err();
    assert!(matches!(error, RunError::StartFailed { .. }), "{error:?}");
    assert!(error.to_string().contains("service `db`") && error.to_string().contains(&image), "{error}");
    bench.tear_down().await;
}
