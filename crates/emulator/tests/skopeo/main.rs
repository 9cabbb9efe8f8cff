//! skopeo, a registry client that is independent of the emulator and of ecru, in both directions.

#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    reason = "functions that help tests fail as tests do"
)]

#[path = "../over_http/client.rs"]
#[allow(dead_code, reason = "the tests over HTTP use all of it")]
mod client;
mod program;
#[path = "../over_http/signer.rs"]
#[allow(dead_code, reason = "the tests over HTTP use all of it")]
mod signer;
#[path = "../over_http/stage.rs"]
#[allow(dead_code, reason = "the tests over HTTP use all of it")]
mod stage;

use ecru_emulator::Options;
use serde_json::{Value, json};

use program::{Theatre, said};
use stage::{Hands, digest_of};

const INDEX: &str = "application/vnd.oci.image.index.v1+json";

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs skopeo (cargo xtask test installs Debian's)"]
async fn images_are_copied_in_both_directions_and_inspected() {
    let theatre = Theatre::new(Options::default()).await;
    let password = theatre.password().await;
    let there = theatre.image("app:1");
    theatre.copies(&password, &[&theatre.example(), &there]);
    let (folder, layout) = (theatre.path("folder"), theatre.path("layout"));
    theatre.copies(&password, &[&there, &format!("dir:{folder}")]);
    theatre.copies(&password, &[&there, &format!("oci:{layout}:1")]);
    theatre.copies(&password, &[&format!("dir:{folder}"), &theatre.image("app:2")]);

    let raw = said(&theatre.inspect(&password, &["--raw", &there]));
    let manifest = std::fs::read_to_string(format!("{folder}/manifest.json")).unwrap();
    assert_eq!(raw.trim(), manifest.trim());
    let inspected: Value = serde_json::from_str(&said(&theatre.inspect(&password, &[&there]))).unwrap();
    assert_eq!(inspected["Digest"], digest_of(manifest.as_bytes()));
    assert_eq!(inspected["RepoTags"], json!(["1", "2", "seeded"]));
    assert_eq!(inspected["Layers"].as_array().map(Vec::len), Some(1));
    let listed = theatre.skopeo(&password, &["list-tags", "--tls-verify=false", &theatre.image("app")]);
    let tags: Value = serde_json::from_str(&said(&listed)).unwrap();
    assert_eq!(tags["Tags"], json!(["1", "2", "seeded"]));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs skopeo (cargo xtask test installs Debian's)"]
async fn an_image_is_pushed_in_dockers_format_too() {
    let theatre = Theatre::new(Options::default()).await;
    let password = theatre.password().await;
    let there = theatre.image("app:docker");
    theatre.copies(&password, &["--format", "v2s2", &theatre.example(), &there]);
    let raw: Value = serde_json::from_str(&said(&theatre.inspect(&password, &["--raw", &there]))).unwrap();
    assert_eq!(raw["mediaType"], "application/vnd.docker.distribution.manifest.v2+json");
    theatre.copies(&password, &[&there, &format!("docker-archive:{}:app:1", theatre.path("saved.tar"))]);
    // What skopeo saves as `docker save` does, a seed takes.
    theatre
        .seed(
            "[[repository]]\nname = \"again\"\n[[repository.image]]\nfrom = \"saved.tar\"\ntags = [\"1\"]\n",
        )
        .await;
    theatre.copies(&password, &[&theatre.image("again:1"), &format!("oci:{}:1", theatre.path("again"))]);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs skopeo (cargo xtask test installs Debian's)"]
async fn an_index_is_copied_with_all_its_images() {
    let theatre = Theatre::new(Options::default()).await;
    let password = theatre.password().await;
    let there = theatre.image("app:all");
    let index = theatre.two_platforms("multi");
    // It would compress the layers otherwise, and so make other images of them.
    let whole = ["--all", "--preserve-digests"];
    theatre
        .copies(&password, &[&whole[..], &[&format!("oci:{}:all", theatre.path("multi")), &there]].concat());
    assert_eq!(said(&theatre.inspect(&password, &["--raw", &there])).trim(), index.trim());
    theatre
        .copies(&password, &[&whole[..], &[&there, &format!("oci:{}:all", theatre.path("back"))]].concat());
    for child in serde_json::from_str::<Value>(&index).unwrap()["manifests"].as_array().unwrap() {
        let hex = child["digest"].as_str().unwrap().strip_prefix("sha256:").unwrap().to_owned();
        assert!(std::path::Path::new(&format!("{}/blobs/sha256/{hex}", theatre.path("back"))).exists());
    }
    assert_eq!(serde_json::from_str::<Value>(&index).unwrap()["mediaType"], INDEX);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs skopeo (cargo xtask test installs Debian's)"]
async fn everybody_pulls_from_ecr_public_and_its_owner_pushes() {
    let theatre = Theatre::new(Options::default()).await;
    let there = theatre.public_image("ecru-emulator-00/hello");
    theatre.copies("", &[&format!("{there}:latest"), &format!("oci:{}:1", theatre.path("pulled"))]);
    let denied = theatre.copy("", &[&theatre.example(), &format!("{there}:new")]);
    assert!(!denied.status.success());
    let password = theatre.public_password().await;
    theatre.copies(&password, &[&theatre.example(), &format!("{there}:new")]);
    theatre.copies(&password, &[&format!("{there}:new"), &format!("oci:{}:2", theatre.path("pulled"))]);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs skopeo (cargo xtask test installs Debian's)"]
async fn a_first_pull_goes_through_a_cache() {
    let theatre = Theatre::new(Options::default()).await;
    let rule = "[[registry]]\naccount = \"000000000000\"\nregion = \"us-east-1\"\n\
                [[registry.cache_rule]]\nprefix = \"cache\"\nupstream = \"public.ecr.aws\"\n";
    theatre.seed(rule).await;
    let password = theatre.password().await;
    let index = theatre.two_platforms("multi");
    let whole = ["--all", "--preserve-digests"];
    let layout = |name| format!("oci:{}:all", theatre.path(name));
    let upstream = format!("{}:all", theatre.public_image("ecru-emulator-00/hello"));
    let (made, pulled) = (layout("multi"), layout("back"));
    theatre.copies(&theatre.public_password().await, &[&whole[..], &[&made, &upstream]].concat());

    let cached = theatre.image("cache/ecru-emulator-00/hello:all");
    theatre.copies(&password, &[&whole[..], &[&cached, &pulled]].concat());
    assert_eq!(said(&theatre.inspect(&password, &["--raw", &cached])).trim(), index.trim());
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs skopeo (cargo xtask test installs Debian's)"]
async fn an_image_is_deleted() {
    let theatre = Theatre::new(Options::default()).await;
    let password = theatre.password().await;
    let there = theatre.image("app:seeded");
    said(&theatre.skopeo(&password, &["delete", "--tls-verify=false", &there]));
    let gone = theatre.inspect(&password, &[&there]);
    assert!(String::from_utf8_lossy(&gone.stderr).contains("manifest unknown"), "{gone:?}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs skopeo (cargo xtask test installs Debian's)"]
async fn a_session_for_one_repository_pulls_from_it_and_does_nothing_else() {
    let theatre = Theatre::new(Options::default()).await;
    let password = theatre.session_password_for_pulls_of("app").await;
    theatre.copies(&password, &[&theatre.image("app:seeded"), &format!("oci:{}:1", theatre.path("pulled"))]);
    for (from, to) in [
        (theatre.image("other:seeded"), format!("oci:{}:2", theatre.path("pulled"))),
        (theatre.example(), theatre.image("app:new")),
    ] {
        let denied = theatre.copy(&password, &[&from, &to]);
        let message = String::from_utf8_lossy(&denied.stderr).into_owned();
        assert!(!denied.status.success() && message.contains("denied"), "{message}");
    }
    let denied = theatre.copy(&password, &[&theatre.example(), &theatre.image("app:new")]);
    let message = String::from_utf8_lossy(&denied.stderr).into_owned();
    assert!(message.contains("no session policy allows the ecr:"), "{message}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs skopeo (cargo xtask test installs Debian's)"]
async fn an_expired_password_is_called_so() {
    let hands = Hands::new();
    let theatre = Theatre::new(Options { clock: hands.clock(), ..Options::default() }).await;
    let password = theatre.password().await;
    hands.advance(12);
    let refused = theatre.inspect(&password, &[&theatre.image("app:seeded")]);
    let message = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(message.contains("authorization token has expired"), "{message}");
}
