//! A file as the body of an answer.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::ops::Range;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use axum::body::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use rustix::buffer::spare_capacity;
use tokio::task::JoinHandle;

/// How much is read at once. A download costs twice as much memory: one chunk is read while the last one is sent.
const CHUNK: u64 = 256 * 1024;

/// A part of a file, read ahead of what the client takes.
pub(super) struct FileBody {
    file: Arc<File>,
    /// What nobody has begun to read.
    rest: Range<u64>,
    reading: Option<JoinHandle<io::Result<Bytes>>>,
    /// How many bytes have not been sent.
    left: u64,
}

impl FileBody {
    pub(super) fn of(file: File, part: Range<u64>) -> Self {
        let left = part.end.saturating_sub(part.start);
        let mut body = Self { file: Arc::new(file), rest: part, reading: None, left };
        body.read_ahead();
        body
    }

    fn read_ahead(&mut self) {
        self.reading = None;
        if !self.rest.is_empty() {
            let end = self.rest.end.min(self.rest.start + CHUNK);
            let (file, part) = (self.file.clone(), self.rest.start..end);
            self.rest.start = end;
            self.reading = Some(tokio::task::spawn_blocking(move || read(&file, part)));
        }
    }
}

impl Body for FileBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let Some(reading) = &mut self.reading else { return Poll::Ready(None) };
        let chunk = ready!(Pin::new(reading).poll(context));
        self.read_ahead();
        let chunk = chunk.map_err(io::Error::from).flatten();
        self.left -= chunk.as_ref().map_or(0, |chunk| chunk.len() as u64);
        Poll::Ready(Some(chunk.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        self.reading.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

fn read(file: &File, part: Range<u64>) -> io::Result<Bytes> {
    let length = usize::try_from(part.end - part.start).map_err(io::Error::other)?;
    let mut chunk = Vec::with_capacity(length);
    while chunk.len() < length {
        let position = part.start + chunk.len() as u64;
        if rustix::io::pread(file, spare_capacity(&mut chunk), position)? == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
    }
    // The buffer may be larger than was asked for.
    chunk.truncate(length);
    Ok(chunk.into())
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use http_body_util::BodyExt as _;

    use super::*;

    async fn body_of(content: &[u8], part: Range<u64>) -> io::Result<Vec<u8>> {
        let mut file = tempfile::tempfile()?;
        file.write_all(content)?;
        Ok(FileBody::of(file, part).collect().await?.to_bytes().to_vec())
    }

    #[tokio::test]
    async fn every_part_arrives_as_it_is_in_the_file() {
        let content: Vec<u8> = (0..3 * CHUNK + 7).map(|index| (index % 251) as u8).collect();
        let end = content.len() as u64;
        for part in [0..end, 0..0, 0..1, 0..CHUNK, 5..CHUNK + 6, CHUNK..3 * CHUNK, end - 1..end] {
            let expected = &content[part.start as usize..part.end as usize];
            assert_eq!(body_of(&content, part).await.unwrap(), expected);
        }
    }

    #[tokio::test]
    async fn a_file_that_ends_early_breaks_the_body_off() {
        assert_eq!(body_of(b"short", 0..6).await.unwrap_err().kind(), ErrorKind::UnexpectedEof);
    }
}
