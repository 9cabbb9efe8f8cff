//! An engine with test images, and a watcher of runs.

use std::path::Path;
use std::sync::{Arc, Mutex as StdMutex};

use bytes::Bytes;
use ecru_executor::{
    CredentialLookup, Engine, Event, Inventory, JobResult, JobSpec, LookupFuture, Observer, OutputStream,
    PullPolicy, RunError, ServiceSpec, Stage, run_job,
};
use tokio::sync::{Mutex, MutexGuard};
use tokio_util::sync::CancellationToken;

/// The whole engine is compared before and after, so tests take turns.
static TURN: Mutex<()> = Mutex::const_new(());

const BUSYBOX_PLACES: &[&str] = &["/usr/bin/busybox", "/bin/busybox"];

/// One test's hold of the engine.
pub(crate) struct Workbench {
    pub(crate) engine: Engine,
    before: Inventory,
    images: Vec<String>,
    _turn: MutexGuard<'static, ()>,
}

impl Workbench {
    pub(crate) async fn set_up() -> Self {
        let turn = TURN.lock().await;
        #[expect(
            clippy::disallowed_methods,
            reason = "a test is an edge: it is told here which engine to use"
        )]
        let host = std::env::var("DOCKER_HOST").ok();
        let engine = Engine::connect(host.as_deref()).await.unwrap();
        let before = inventory_without_images(&engine).await;
        Self { engine, before, images: Vec::new(), _turn: turn }
    }

    /// Makes an image with busybox and all its applets; `changes` are Dockerfile lines.
    pub(crate) async fn busybox_image(&mut self, name: &str, changes: &[&str]) -> String {
        self.image(name, busybox_layer(), changes).await
    }

    pub(crate) async fn image(&mut self, name: &str, layer: Bytes, changes: &[&str]) -> String {
        let reference = format!("localhost/ecru-executor-test/{name}:1");
        self.engine.import_image(&reference, layer, changes).await.unwrap();
        self.images.push(reference.clone());
        reference
    }

    /// Has `reference` removed at the end, though another than [`Workbench::image`] made it.
    pub(crate) fn remove_at_end(&mut self, reference: &str) {
        self.images.push(reference.to_owned());
    }

    /// Returns a job in the busybox image that is made for it.
    pub(crate) async fn job(&mut self, script: &str) -> JobSpec {
        let image = self.busybox_image("job", &[]).await;
        local_job(&image, script)
    }

    /// Returns a service in a busybox image of its own.
    pub(crate) async fn service(&mut self, alias: &str, changes: &[&str]) -> ServiceSpec {
        let image = self.busybox_image(alias, changes).await;
        let mut service = ServiceSpec::new(image, [alias]);
        service.image.pull_policy = vec![PullPolicy::Never];
        service
    }

    pub(crate) async fn run(&self, spec: &JobSpec) -> (Result<JobResult, RunError>, Recording) {
        let mut recorder = Recorder::default();
        let outcome = run_job(&self.engine, spec, &Anonymous, &mut recorder, &CancellationToken::new()).await;
        (outcome, recorder.recording())
    }

    /// Fails unless the engine holds what it held before the test.
    pub(crate) async fn tear_down(self) {
        for image in &self.images {
            self.engine.remove_image(image).await.unwrap();
        }
        assert_eq!(self.inventory().await, self.before);
    }

    /// Returns what runs make and remove. Images are no part of it: runs leave those that they pull.
    pub(crate) async fn inventory(&self) -> Inventory {
        inventory_without_images(&self.engine).await
    }
}

async fn inventory_without_images(engine: &Engine) -> Inventory {
    Inventory { images: Default::default(), ..engine.inventory().await.unwrap() }
}

pub(crate) fn local_job(image: &str, script: &str) -> JobSpec {
    let mut spec = JobSpec::new("test", image, script);
    spec.image.pull_policy = vec![PullPolicy::Never];
    spec
}

/// Credentials for nothing.
pub(crate) struct Anonymous;

impl CredentialLookup for Anonymous {
    fn credential_for<'a>(&'a self, _image: &'a str) -> LookupFuture<'a> {
        Box::pin(async { Ok(None) })
    }
}

/// What a run reported.
#[derive(Debug, Default, Clone)]
pub(crate) struct Recording {
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: Vec<u8>,
    pub(crate) after_script: Vec<u8>,
    pub(crate) largest_chunk: usize,
    /// Every event but output, in its debug form.
    pub(crate) events: Vec<String>,
}

impl Recording {
    pub(crate) fn stdout(&self) -> &str {
        std::str::from_utf8(&self.stdout).unwrap()
    }

    pub(crate) fn has_event(&self, start: &str) -> bool {
        self.events.iter().any(|event| event.starts_with(start))
    }
}

type Trigger = Box<dyn FnMut(&Event<'_>) + Send>;

/// Keeps what a run reports, and can act on an event.
#[derive(Default, Clone)]
pub(crate) struct Recorder {
    recording: Arc<StdMutex<Recording>>,
    trigger: Option<Arc<StdMutex<Trigger>>>,
}

impl Recorder {
    /// Calls `action` when the script writes `text` in one piece.
    pub(crate) fn when_output_is(text: &'static str, mut action: impl FnMut() + Send + 'static) -> Self {
        let trigger: Trigger = Box::new(move |event| {
            if matches!(event, Event::Output { bytes, .. } if *bytes == text.as_bytes()) {
                action();
            }
        });
        Self { trigger: Some(Arc::new(StdMutex::new(trigger))), ..Self::default() }
    }

    pub(crate) fn recording(&self) -> Recording {
        self.recording.lock().unwrap().clone()
    }
}

impl Observer for Recorder {
    fn event(&mut self, event: Event<'_>) {
        if let Some(trigger) = &self.trigger {
            (*trigger.lock().unwrap())(&event);
        }
        let mut recording = self.recording.lock().unwrap();
        match event {
            Event::Output { stage, stream, bytes } => {
                recording.largest_chunk = recording.largest_chunk.max(bytes.len());
                match (stage, stream) {
                    (Stage::AfterScript, _) => recording.after_script.extend_from_slice(bytes),
                    (Stage::Script, OutputStream::Stdout) => recording.stdout.extend_from_slice(bytes),
                    (Stage::Script, OutputStream::Stderr) => recording.stderr.extend_from_slice(bytes),
                }
            }
            other => recording.events.push(format!("{other:?}")),
        }
    }
}

/// Returns a layer with busybox, a link for each of its applets, and a user beside root.
fn busybox_layer() -> Bytes {
    let path =
        BUSYBOX_PLACES.iter().map(Path::new).find(|path| path.exists()).expect("busybox-static is installed");
    let applets = std::process::Command::new(path).arg("--list").output().unwrap().stdout;
    let mut layer = Layer::new();
    layer.folder("tmp", 0o1777).folder("etc", 0o755).folder("bin", 0o755);
    layer.file("etc/passwd", 0o644, b"root:x:0:0::/:/bin/sh\nguest:x:1000:1000::/tmp:/bin/sh\n");
    layer.file("bin/busybox", 0o755, &std::fs::read(path).unwrap());
    for applet in String::from_utf8(applets).unwrap().lines().filter(|applet| *applet != "busybox") {
        layer.link(&format!("bin/{applet}"), "busybox");
    }
    layer.into_bytes()
}

/// A tar archive under construction.
pub(crate) struct Layer(tar::Builder<Vec<u8>>);

impl Layer {
    pub(crate) fn new() -> Self {
        Self(tar::Builder::new(Vec::new()))
    }

    pub(crate) fn file(&mut self, path: &str, mode: u32, content: &[u8]) -> &mut Self {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(mode);
        self.0.append_data(&mut header, path, content).unwrap();
        self
    }

    fn folder(&mut self, path: &str, mode: u32) -> &mut Self {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(tar::EntryType::Directory);
        header.set_size(0);
        header.set_mode(mode);
        self.0.append_data(&mut header, format!("{path}/"), std::io::empty()).unwrap();
        self
    }

    fn link(&mut self, path: &str, target: &str) {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(tar::EntryType::Symlink);
        header.set_size(0);
        header.set_mode(0o777);
        self.0.append_link(&mut header, path, target).unwrap();
    }

    pub(crate) fn into_bytes(self) -> Bytes {
        self.0.into_inner().unwrap().into()
    }
}
