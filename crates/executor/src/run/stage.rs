//! Running one script in the job container: attach, start, feed, read, wait.

use bollard::container::LogOutput;
use bollard::errors::Error as ClientError;
use bollard::query_parameters::{AttachContainerOptionsBuilder, WaitContainerOptions};
use futures_util::StreamExt;
use tokio::io::AsyncWriteExt;

use super::RunError;
use super::containers::Container;
use crate::engine::{Engine, EngineError};
use crate::observer::{Event, Observer, OutputStream, Stage};

/// How much output is kept to recognise a program that the kernel could not execute.
const OPENING_LIMIT: usize = 512;

/// How a script ended.
#[derive(Debug)]
pub(super) struct StageEnd {
    pub(super) exit_code: i32,
    opening: Opening,
}

impl StageEnd {
    /// Returns the container runtime's words if no program was executed at all.
    pub(super) fn exec_failure(&self) -> Option<&str> {
        if self.exit_code == 0 { None } else { self.opening.exec_failure() }
    }
}

/// The whole of a short output, nothing of a longer one.
#[derive(Debug, Default)]
struct Opening {
    bytes: Vec<u8>,
    is_cut: bool,
}

impl Opening {
    fn push(&mut self, bytes: &[u8]) {
        self.is_cut |= self.bytes.len() + bytes.len() > OPENING_LIMIT;
        if !self.is_cut {
            self.bytes.extend_from_slice(bytes);
        }
    }

    /// runc writes `exec PROGRAM: exec format error` where the program's own output would have been, and nothing else.
    fn exec_failure(&self) -> Option<&str> {
        let text = if self.is_cut { return None } else { std::str::from_utf8(&self.bytes).ok()?.trim_end() };
        let is_runtime_error = text.starts_with("exec ") || text.contains("exec user process caused");
        (is_runtime_error && text.ends_with("exec format error")).then_some(text)
    }
}

/// Starts the container, lets its shell read `script`, and passes its output on until it ends.
///
/// Output is passed on as it comes and never collected: while `observer` is busy, the script waits.
pub(super) async fn run(
    engine: &Engine,
    container: &Container,
    stage: Stage,
    script: String,
    observer: &mut dyn Observer,
) -> Result<StageEnd, RunError> {
    // Attached before it is started, so that no byte of a short script is missed.
    let options =
        AttachContainerOptionsBuilder::default().stream(true).stdin(true).stdout(true).stderr(true).build();
    let attachment = engine.docker().attach_container(&container.id, Some(options));
    let mut attached = engine.call("attach to the job container", attachment).await?;
    container.start(engine).await?;
    observer.event(Event::StageStarted { stage });

    let feeding = async move {
        // A shell that ends early leaves the rest unread. That is not an error; its exit code tells.
        if attached.input.write_all(script.as_bytes()).await.is_ok() {
            let _ = attached.input.shutdown().await;
        }
        attached.input
    };
    tokio::pin!(feeding);
    let mut input = None;
    let mut opening = Opening::default();
    loop {
        let chunk = tokio::select! {
            fed = &mut feeding, if input.is_none() => {
                // Kept until the end: dropping it could end the connection that the output comes from.
                input = Some(fed);
                continue;
            }
            chunk = attached.output.next() => chunk,
        };
        match chunk {
            None => break,
            Some(Ok(output)) => {
                let (stream, bytes) = stream_of(&output);
                opening.push(bytes);
                observer.event(Event::Output { stage, stream, bytes });
            }
            Some(Err(error)) => return Err(EngineError::from_call("read the script's output", &error).into()),
        }
    }
    let exit_code = exit_code(engine, &container.id).await?;
    Ok(StageEnd { exit_code, opening })
}

fn stream_of(output: &LogOutput) -> (OutputStream, &[u8]) {
    match output {
        LogOutput::StdErr { message } => (OutputStream::Stderr, message),
        LogOutput::StdOut { message } | LogOutput::StdIn { message } | LogOutput::Console { message } => {
            (OutputStream::Stdout, message)
        }
    }
}

/// Waits until a container has ended, and returns its exit code.
pub(super) async fn exit_code(engine: &Engine, container: &str) -> Result<i32, EngineError> {
    let ended = WaitContainerOptions { condition: "not-running".to_owned() };
    let mut answers = engine.docker().wait_container(container, Some(ended));
    let code = match answers.next().await {
        Some(Ok(answer)) => answer.status_code,
        // The client gives every exit code but 0 as an error.
        Some(Err(ClientError::DockerContainerWaitError { code, .. })) => code,
        Some(Err(error)) => return Err(EngineError::from_call("wait for the container", &error)),
        None => {
            let reason = "the answer was empty".to_owned();
            return Err(EngineError::ConnectionLost { operation: "wait for the container", reason });
        }
    };
    Ok(i32::try_from(code).unwrap_or(i32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end(exit_code: i32, chunks: &[&[u8]]) -> StageEnd {
        let mut opening = Opening::default();
        for chunk in chunks {
            opening.push(chunk);
        }
        StageEnd { exit_code, opening }
    }

    #[test]
    fn only_the_runtimes_own_words_are_an_exec_failure() {
        assert_eq!(
            end(1, &[b"exec /bin/sh: ", b"exec format error\n"]).exec_failure(),
            Some("exec /bin/sh: exec format error")
        );
        assert!(
            end(1, &[b"standard_init_linux.go:228: exec user process caused: exec format error\n"])
                .exec_failure()
                .is_some()
        );
        assert!(end(0, &[b"exec /bin/sh: exec format error\n"]).exec_failure().is_none());
        assert!(end(1, &[b"building\n", b"exec /bin/sh: exec format error\n"]).exec_failure().is_none());
        assert!(
            end(1, &[b"exec /bin/sh: exec format error\n", &[b'x'; OPENING_LIMIT]]).exec_failure().is_none()
        );
        assert!(end(1, &[b"\xff"]).exec_failure().is_none());
    }
}
