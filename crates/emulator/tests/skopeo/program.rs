//! The program, with an emulator that it finds and a folder that it writes into.

use std::path::Path;
use std::process::{Command, Output};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ecru_emulator::{Options, Seed};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::stage::{Stage, credential_in, digest_of};

const EXAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/emulator/hello");

pub(crate) struct Theatre {
    stage: Stage,
    folder: TempDir,
}

/// What the program printed; it must have succeeded.
pub(crate) fn said(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone()).unwrap()
}

impl Theatre {
    /// Two private repositories and a public one, each with the image of the examples.
    pub(crate) async fn new(options: Options) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let image = |tag: &str| format!("[[repository.image]]\nfrom = '{EXAMPLE}'\ntags = [\"{tag}\"]\n");
        let (private, public) = (image("seeded"), image("latest"));
        let text = format!(
            "[[repository]]\nname = \"app\"\n{private}[[repository]]\nname = \"other\"\n{private}\
             [[repository]]\nname = \"hello\"\npublic = true\n{public}"
        );
        let stage = Stage::with(Options { public_port: Some(0), ..options }).await;
        let theatre = Self { stage, folder };
        theatre.seed(&text).await;
        theatre
    }

    pub(crate) async fn seed(&self, text: &str) {
        let path = self.path("seed.toml");
        std::fs::write(&path, text).unwrap();
        self.stage.emulator.apply(&Seed::read(Path::new(&path)).unwrap()).await.unwrap();
    }

    pub(crate) fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    pub(crate) fn example(&self) -> String {
        format!("oci:{EXAMPLE}:1")
    }

    fn registry(&self) -> String {
        format!("localhost:{}", self.stage.main().port())
    }

    fn public_registry(&self) -> String {
        self.stage.emulator.addresses().registries["public.ecr.aws"].clone()
    }

    pub(crate) fn image(&self, name: &str) -> String {
        format!("docker://{}/{name}", self.registry())
    }

    pub(crate) fn public_image(&self, name: &str) -> String {
        format!("docker://{}/{name}", self.public_registry())
    }

    /// What stands in Docker's configuration for the default user.
    pub(crate) async fn password(&self) -> String {
        credential_in(&self.stage.own_basic().await)
    }

    pub(crate) async fn public_password(&self) -> String {
        let signer = self.stage.signer(0, "us-east-1", "ecr-public");
        let answer = self
            .stage
            .json_call("SpencerFrontendService", "GetAuthorizationToken", &signer, "{}")
            .await
            .json();
        let token = answer["authorizationData"]["authorizationToken"].as_str().unwrap().to_owned();
        credential_in(&format!("Basic {token}"))
    }

    /// Of a session that may pull from one repository only.
    pub(crate) async fn session_password_for_pulls_of(&self, repository: &str) -> String {
        let arn = format!("arn:aws:ecr:us-east-1:000000000000:repository/{repository}");
        let allow = |actions: Value, resource: &str| json!({ "Effect": "Allow", "Action": actions, "Resource": resource });
        let pull =
            json!(["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer", "ecr:BatchCheckLayerAvailability"]);
        let statements = [allow(json!("ecr:GetAuthorizationToken"), "*"), allow(pull, &arn)];
        let policy = json!({ "Version": "2012-10-17", "Statement": statements }).to_string();
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.extend_pairs([("Action", "AssumeRole"), ("RoleSessionName", "job"), ("Policy", &policy)]);
        form.append_pair("RoleArn", "arn:aws:iam::000000000000:role/job");
        let signer = self.stage.signer(0, "us-east-1", "sts");
        let assumed = self.stage.sts(&signer, &form.finish()).await;
        let session = self.stage.session_signer(&assumed, "us-east-1", "ecr");
        credential_in(&self.stage.basic_of(&session).await)
    }

    /// Copies an image, which must succeed.
    pub(crate) fn copies(&self, credential: &str, arguments: &[&str]) {
        said(&self.copy(credential, arguments));
    }

    pub(crate) fn copy(&self, credential: &str, arguments: &[&str]) -> Output {
        let without_tls = ["copy", "--src-tls-verify=false", "--dest-tls-verify=false"];
        self.skopeo(credential, &[&without_tls, arguments].concat())
    }

    pub(crate) fn inspect(&self, credential: &str, arguments: &[&str]) -> Output {
        self.skopeo(credential, &[&["inspect", "--tls-verify=false"], arguments].concat())
    }

    /// skopeo with a user and password for the emulator's registries, or none, and no settings of this machine.
    pub(crate) fn skopeo(&self, credential: &str, arguments: &[&str]) -> Output {
        let auth_file = self.path("auth.json");
        let auth = json!({ "auth": BASE64.encode(credential) });
        let auths = if credential.is_empty() {
            json!({})
        } else {
            json!({ self.registry(): auth, self.public_registry(): auth })
        };
        std::fs::write(&auth_file, json!({ "auths": auths }).to_string()).unwrap();
        Command::new("skopeo")
            .arg("--insecure-policy")
            .args(arguments)
            .env("HOME", self.folder.path())
            .env("TMPDIR", self.folder.path())
            .env("REGISTRY_AUTH_FILE", auth_file)
            .env_remove("XDG_RUNTIME_DIR")
            .env_remove("XDG_CONFIG_HOME")
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("HTTP_PROXY", "http://127.0.0.1:9")
            .env("HTTPS_PROXY", "http://127.0.0.1:9")
            .env("NO_PROXY", "127.0.0.1,localhost")
            .output()
            .expect("`skopeo` runs")
    }

    /// A layout with an image for each of two platforms behind one index; gives the index.
    pub(crate) fn two_platforms(&self, name: &str) -> String {
        let blobs = self.folder.path().join(name).join("blobs/sha256");
        std::fs::create_dir_all(&blobs).unwrap();
        let keep = |media_type: &str, content: &[u8]| {
            let digest = digest_of(content);
            std::fs::write(blobs.join(digest.strip_prefix("sha256:").unwrap()), content).unwrap();
            json!({ "mediaType": media_type, "size": content.len(), "digest": digest })
        };
        let manifests = ["amd64", "arm64"].map(|architecture| {
            let config = json!({
                "architecture": architecture, "os": "linux", "config": {},
                "rootfs": { "type": "layers", "diff_ids": [digest_of(architecture.as_bytes())] },
            });
            let manifest = json!({
                "schemaVersion": 2, "mediaType": crate::stage::IMAGE,
                "config": keep("application/vnd.oci.image.config.v1+json", config.to_string().as_bytes()),
                "layers": [keep("application/vnd.oci.image.layer.v1.tar", architecture.as_bytes())],
            });
            let mut descriptor = keep(crate::stage::IMAGE, manifest.to_string().as_bytes());
            descriptor["platform"] = json!({ "architecture": architecture, "os": "linux" });
            descriptor
        });
        let index = json!({ "schemaVersion": 2, "mediaType": crate::stage::INDEX, "manifests": manifests })
            .to_string();
        let mut whole = keep(crate::stage::INDEX, index.as_bytes());
        whole["annotations"] = json!({ "org.opencontainers.image.ref.name": "all" });
        let layout = self.folder.path().join(name);
        std::fs::write(layout.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).unwrap();
        let of_layout = json!({ "schemaVersion": 2, "manifests": [whole] });
        std::fs::write(layout.join("index.json"), of_layout.to_string()).unwrap();
        index
    }
}
