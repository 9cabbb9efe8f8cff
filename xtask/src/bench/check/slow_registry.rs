//! A registry that has every image and is some way off: each connection and each answer takes the time of one way
//! there and back.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::Result;

const MANIFEST_TYPE: &str = "application/vnd.oci.image.manifest.v1+json";
/// The SHA-256 of [`CONFIG`] and of [`MANIFEST`], which clients check.
const CONFIG_DIGEST: &str = "sha256:c5b1d63604f273462ef36fadac3182d43ae6a6138731cf594b314835cf1c034f";
const MANIFEST_DIGEST: &str = "sha256:09ade42fe3e69018a3360bb092265af902f9e7d6013146cf152c82ac3a944707";
const CONFIG: &str = r#"{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]}}"#;
const MANIFEST: &str = r#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"sha256:c5b1d63604f273462ef36fadac3182d43ae6a6138731cf594b314835cf1c034f","size":78},"layers":[]}"#;

/// It serves until the process ends.
#[derive(Debug)]
pub(super) struct SlowRegistry {
    pub(super) port: u16,
    heads: Arc<AtomicUsize>,
}

impl SlowRegistry {
    pub(super) fn start(distance: Duration) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let port = listener.local_addr()?.port();
        let heads = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&heads);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let counter = Arc::clone(&counter);
                std::thread::spawn(move || serve(&stream, distance, &counter));
            }
        });
        Ok(Self { port, heads })
    }

    /// How often it was asked by HEAD whether it has an image.
    pub(super) fn heads(&self) -> usize {
        self.heads.load(Ordering::Relaxed)
    }
}

/// Answers requests on one connection until the other side closes it.
fn serve(stream: &TcpStream, distance: Duration, heads: &AtomicUsize) {
    let _ = stream.set_nodelay(true);
    let mut reader = BufReader::new(stream);
    std::thread::sleep(distance);
    loop {
        let mut request = String::new();
        if !matches!(reader.read_line(&mut request), Ok(1..)) {
            return;
        }
        let is_authenticated = match rest_of_head(&mut reader) {
            Some(is_authenticated) => is_authenticated,
            None => return,
        };
        std::thread::sleep(distance);
        let answer = answer(&request, is_authenticated, heads);
        if (&mut &*stream).write_all(answer.as_bytes()).is_err() {
            return;
        }
    }
}

/// Reads to the end of a request's headers; tells whether one of them is `Authorization`.
fn rest_of_head(reader: &mut impl std::io::BufRead) -> Option<bool> {
    let mut is_authenticated = false;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        if line.trim().is_empty() {
            return Some(is_authenticated);
        }
        is_authenticated |= line.to_ascii_lowercase().starts_with("authorization:");
    }
}

fn answer(request: &str, is_authenticated: bool, heads: &AtomicUsize) -> String {
    let mut words = request.split(' ');
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    if !is_authenticated {
        let challenge = "WWW-Authenticate: Basic realm=\"slow\"\r\n";
        return format!("HTTP/1.1 401 Unauthorized\r\n{challenge}Content-Length: 0\r\n\r\n");
    }
    if path.contains("/manifests/") && method == "HEAD" {
        heads.fetch_add(1, Ordering::Relaxed);
    }
    let (kind, digest, body) = match path {
        _ if path.contains("/manifests/") => (MANIFEST_TYPE, MANIFEST_DIGEST, MANIFEST),
        _ if path.contains("/blobs/") => ("application/octet-stream", CONFIG_DIGEST, CONFIG),
        _ => ("application/json", CONFIG_DIGEST, "{}"),
    };
    let shown = if method == "HEAD" { "" } else { body };
    format!(
        "HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nDocker-Content-Digest: {digest}\r\nContent-Length: {}\r\n\r\n{shown}",
        body.len()
    )
}
