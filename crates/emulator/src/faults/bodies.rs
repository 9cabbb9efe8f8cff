//! Bodies of answers that break off, crawl or swell, without ever being held in memory.

use std::num::NonZeroU32;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::HeaderValue;
use axum::http::header::CONTENT_LENGTH;
use axum::response::Response;
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use tokio::time::Sleep;
use tokio_util::sync::CancellationToken;

/// How long a connection gets to write out what it has before it is cut: an error of a body throws that away.
const BEFORE_THE_CUT: Duration = Duration::from_millis(50);
static SPACES: [u8; 64 * 1024] = [b' '; 64 * 1024];

/// The answer with all its headers, cut off after so many bytes of its body. A shorter one is left alone.
pub(super) fn truncated(response: Response, bytes: u64) -> Response {
    let length = response.body().size_hint().exact();
    if length.is_some_and(|length| length <= bytes) {
        return response;
    }
    remade(response, length, |body| Cut { body, left: bytes, last: None })
}

/// The answer, so many bytes a second.
pub(super) fn trickled(response: Response, rate: NonZeroU32, ending: CancellationToken) -> Response {
    let length = response.body().size_hint().exact();
    let wait = Box::pin(async move { ending.cancelled_owned().await });
    let rate = usize::try_from(rate.get()).unwrap_or(usize::MAX);
    remade(response, length, |body| Drops { body, rate, held: Bytes::new(), next: None, ending: wait })
}

/// The answer, followed by spaces up to so many bytes.
pub(super) fn padded(response: Response, bytes: u64) -> Response {
    let length = response.body().size_hint().exact();
    let Some(missing) = length.and_then(|length| bytes.checked_sub(length)) else { return response };
    remade(response, Some(bytes), |body| Padded { body, missing })
}

/// The response with another body, which has this length if it is known.
fn remade<B>(response: Response, length: Option<u64>, make: impl FnOnce(Body) -> B) -> Response
where
    B: HttpBody<Data = Bytes, Error = axum::Error> + Send + 'static,
{
    let (mut parts, body) = response.into_parts();
    if let Some(length) = length {
        parts.headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    }
    Response::from_parts(parts, Body::new(make(body)))
}

fn cut_off() -> axum::Error {
    axum::Error::new(std::io::Error::from(std::io::ErrorKind::ConnectionAborted))
}

struct Cut {
    body: Body,
    left: u64,
    last: Option<Pin<Box<Sleep>>>,
}

impl HttpBody for Cut {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        if self.left == 0 {
            let last = self.last.get_or_insert_with(|| Box::pin(tokio::time::sleep(BEFORE_THE_CUT)));
            ready!(last.as_mut().poll(context));
            return Poll::Ready(Some(Err(cut_off())));
        }
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        let Some(Ok(data)) = frame.map(|frame| frame.map(Frame::into_data)) else {
            return Poll::Ready(Some(Err(cut_off())));
        };
        let mut data = data.unwrap_or_default();
        data.truncate(usize::try_from(self.left).unwrap_or(usize::MAX));
        self.left -= data.len() as u64;
        Poll::Ready(Some(Ok(Frame::data(data))))
    }
}

struct Drops {
    body: Body,
    rate: usize,
    held: Bytes,
    next: Option<Pin<Box<Sleep>>>,
    ending: Pin<Box<dyn Future<Output = ()> + Send>>,
}

impl HttpBody for Drops {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        if self.ending.as_mut().poll(context).is_ready() {
            return Poll::Ready(Some(Err(cut_off())));
        }
        while self.held.is_empty() {
            match ready!(Pin::new(&mut self.body).poll_frame(context)) {
                None => return Poll::Ready(None),
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                Some(Ok(frame)) => self.held = frame.into_data().unwrap_or_default(),
            }
        }
        if let Some(next) = &mut self.next {
            ready!(next.as_mut().poll(context));
        }
        self.next = Some(Box::pin(tokio::time::sleep(Duration::from_secs(1))));
        let size = self.rate.min(self.held.len());
        Poll::Ready(Some(Ok(Frame::data(self.held.split_to(size)))))
    }
}

struct Padded {
    body: Body,
    missing: u64,
}

impl HttpBody for Padded {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        if frame.is_some() || self.missing == 0 {
            return Poll::Ready(frame);
        }
        let size = usize::try_from(self.missing).unwrap_or(usize::MAX).min(SPACES.len());
        self.missing -= size as u64;
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(&SPACES[..size])))))
    }

    fn size_hint(&self) -> SizeHint {
        self.body
            .size_hint()
            .exact()
            .map_or_else(SizeHint::default, |left| SizeHint::with_exact(left + self.missing))
    }
}
