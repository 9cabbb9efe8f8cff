//! What is played inside the namespaces.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use ecru_doctor::checks::job_host::{Input, Probe, checks};
use ecru_doctor::report::{Check, Outcome};
use ecru_testkit::Sandbox;
use tokio::runtime::Runtime;

use crate::engine::Engine;
use crate::metadata::{ADDRESS, Metadata};

const CONTAINER: &str = "job-host.metadata.container";
const TOKEN_REQUIRED: &str = "job-host.metadata.token-required";
const HOP_LIMIT: &str = "job-host.metadata.hop-limit";
const FIREWALL: &str = "job-host.firewall.in-force";

pub(crate) fn play() {
    let host = Host::start();
    let checked = host.fails(&[CONTAINER, HOP_LIMIT, FIREWALL]);
    assert_eq!(checked["job-host.engine.answers"].outcome, Outcome::Pass);
    let taken = &checked[CONTAINER];
    assert!(matches!(&taken.outcome, Outcome::Fail(reason) if reason.contains("the role `")), "{taken:?}");

    host.set_up();
    host.firewall("apply");
    let checked = host.fails(&[]);
    assert!(matches!(checked[HOP_LIMIT].outcome, Outcome::Skipped(_)), "{:?}", checked[HOP_LIMIT]);
    assert!(checked[FIREWALL].evidence.len() >= 2, "both places: {:?}", checked[FIREWALL]);

    println!("each of both is enough by itself");
    host.shell("iptables -F DOCKER-USER");
    host.fails(&[]);
    host.firewall("apply");
    host.shell("nft delete table inet ecru_job_firewall");
    host.fails(&[]);

    println!("somebody flushed all rules, and the unit is started again with Docker");
    host.shell("iptables -F DOCKER-USER");
    host.firewall("apply");
    host.firewall("apply");
    let rules = host.shell("iptables -S DOCKER-USER");
    assert_eq!(rules.matches(ADDRESS).count(), 1, "no rule twice: {rules}");

    println!("the rules are taken away, and the hop limit alone is left");
    host.firewall("remove");
    host.fails(&[CONTAINER, HOP_LIMIT, FIREWALL]);
    host.metadata.limit_hops(&host.sandbox);
    assert_eq!(host.fails(&[FIREWALL])[HOP_LIMIT].outcome, Outcome::Pass);
    assert_eq!(host.shell("docker ps --all --quiet; docker images --quiet"), "", "nothing is left");
}

struct Host {
    metadata: Metadata,
    engine: Engine,
    sandbox: Sandbox,
    runtime: Runtime,
}

impl Host {
    fn start() -> Self {
        let sandbox = Sandbox::new();
        let metadata = Metadata::start(&sandbox);
        let engine = Engine::start(&sandbox);
        std::fs::create_dir(sandbox.root().join("host")).unwrap();
        Self { metadata, engine, sandbox, runtime: Runtime::new().unwrap() }
    }

    fn checked(&self) -> BTreeMap<&'static str, Check> {
        let environment: BTreeMap<_, _> = self.sandbox.environment().into_iter().collect();
        let input = Input {
            root: self.root(),
            asks: true,
            docker_host: Some(self.engine.host.clone()),
            search_path: environment.get("PATH").map(Into::into),
            metadata: Ok(vec![SocketAddr::new(ADDRESS.parse().unwrap(), 80)]),
            metadata_wanted: false,
            probe: Some(Probe {
                program: env!("CARGO_BIN_EXE_ecru").into(),
                arguments: ["demo-guest", "metadata"].map(str::to_owned).into(),
            }),
        };
        let checked = self.runtime.block_on(checks(&input));
        checked.into_iter().map(|check| (check.definition.id, check)).collect()
    }

    /// Of the checks that are about the metadata, exactly these fail; what a container sees is always found out.
    fn fails(&self, expected: &[&str]) -> BTreeMap<&'static str, Check> {
        let checked = self.checked();
        let about = [CONTAINER, TOKEN_REQUIRED, HOP_LIMIT, FIREWALL].map(|id| &checked[id]);
        let failed: Vec<&str> = about
            .iter()
            .filter(|check| matches!(check.outcome, Outcome::Fail(_)))
            .map(|check| check.definition.id)
            .collect();
        about
            .iter()
            .for_each(|check| println!("{}: {:?} {:?}", check.definition.id, check.outcome, check.evidence));
        assert_eq!(failed, expected);
        assert!(!matches!(checked[CONTAINER].outcome, Outcome::Skipped(_)));
        assert_eq!(checked[TOKEN_REQUIRED].outcome, Outcome::Pass);
        checked
    }

    /// The host's files are in a folder, because all else of the machine is that of whoever runs the test.
    fn root(&self) -> PathBuf {
        self.sandbox.root().join("host")
    }

    fn set_up(&self) {
        let mut ecru = self.sandbox.command(env!("CARGO_BIN_EXE_ecru"));
        ecru.args(["setup", "job-host", "--yes", "--metadata-address", ADDRESS, "--root"]).arg(self.root());
        ecru.assert().success();
    }

    fn firewall(&self, verb: &str) {
        let script = self.root().join("usr/local/sbin/ecru-job-firewall");
        self.sandbox.command(script).arg(verb).assert().success();
    }

    fn shell(&self, script: &str) -> String {
        println!("{script}");
        let mut shell = self.sandbox.command("sh");
        let assert = shell.args(["-ec", script]).env("DOCKER_HOST", &self.engine.host).assert().success();
        String::from_utf8(assert.get_output().stdout.clone()).unwrap()
    }
}
