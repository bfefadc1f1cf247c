//! The task that owns the socket: connects, reads, writes, and notices silence.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Buf, BytesMut};
use tokio::io::AsyncWrite;
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, timeout};
use tokio_util::io::poll_read_buf;

use super::state::Shared;
use super::stream::{self, Stream};
use super::url::RedisUrl;
use super::{HEARTBEAT, RETRY, SILENCE_MAX, resp};
use crate::carrier::Health;

/// How much is read at once.
const READ_BYTES: usize = 64 * 1024;

pub(super) struct Connection {
    pub(super) url: RedisUrl,
    pub(super) shared: Arc<Shared>,
    pub(super) health: watch::Sender<Health>,
}

/// Bytes on their way through one socket.
struct Pipe {
    stream: Box<dyn Stream>,
    read: BytesMut,
    write: BytesMut,
}

impl Connection {
    /// Connects again and again, for ever.
    pub(super) async fn keep(self) {
        let mut was_up = false;
        loop {
            let why: Arc<str> = match timeout(SILENCE_MAX, stream::open(&self.url.target)).await {
                Err(_elapsed) => format!("{} takes no connection", self.url).into(),
                Ok(Err(error)) => format!("{}: {error}", self.url).into(),
                Ok(Ok(stream)) => self.serve(stream, &mut was_up).await,
            };
            self.shared.close(&why);
            self.down(&why);
            sleep(RETRY).await;
        }
    }

    /// Serves one socket until it fails, and says why it did.
    async fn serve(&self, stream: Box<dyn Stream>, was_up: &mut bool) -> Arc<str> {
        self.shared.greet(self.url.user.as_deref(), self.url.password.as_deref(), self.url.db);
        let mut pipe = Pipe { stream, read: BytesMut::new(), write: BytesMut::new() };
        tokio::select! {
            why = poll_fn(|cx| self.poll(&mut pipe, was_up, cx)) => why,
            why = self.listen_to_own() => why,
        }
    }

    /// Publishes heartbeats and ends when none is heard.
    async fn listen_to_own(&self) -> Arc<str> {
        let mut tick = interval(HEARTBEAT);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // The greeting holds the first one.
        tick.tick().await;
        loop {
            tick.tick().await;
            let silence = Instant::now() - self.shared.heard();
            if silence > SILENCE_MAX {
                let ms = silence.as_millis();
                return format!("{}: the own heartbeat was not heard for {ms} ms", self.url).into();
            }
            self.shared.heartbeat();
        }
    }

    /// Moves bytes both ways until nothing moves; ready only when the socket failed.
    fn poll(&self, pipe: &mut Pipe, was_up: &mut bool, cx: &mut Context<'_>) -> Poll<Arc<str>> {
        self.shared.register(cx.waker());
        loop {
            let read = match pipe.poll_read(cx) {
                Poll::Ready(Err(why)) => return Poll::Ready(self.named(&why)),
                Poll::Ready(Ok(())) => match self.take_values(&mut pipe.read, was_up) {
                    Ok(()) => true,
                    Err(why) => return Poll::Ready(self.named(&why)),
                },
                Poll::Pending => false,
            };
            self.shared.take_out(&mut pipe.write);
            if let Poll::Ready(Err(why)) = pipe.poll_write(cx) {
                return Poll::Ready(self.named(&why));
            }
            if !read {
                return Poll::Pending;
            }
        }
    }

    fn take_values(&self, read: &mut BytesMut, was_up: &mut bool) -> Result<(), Arc<str>> {
        while let Some((value, length)) = resp::read(read).map_err(|e| e.to_string())? {
            let bytes = read.split_to(length).freeze();
            if self.shared.take(value, bytes)? {
                self.up(was_up);
            }
        }
        Ok(())
    }

    fn up(&self, was_up: &mut bool) {
        if *was_up {
            self.shared.stats.reconnects(1);
        }
        *was_up = true;
        tracing::info!(redis = %self.url, "the bus is connected");
        self.health.send_replace(Health::Up);
    }

    fn down(&self, why: &Arc<str>) {
        let is_news = self.health.send_if_modified(|health| {
            let now = Health::Down(Arc::clone(why));
            let is_news = *health != now;
            *health = now;
            is_news
        });
        if is_news {
            tracing::warn!(%why, "the bus is down");
        }
    }

    fn named(&self, why: &dyn std::fmt::Display) -> Arc<str> {
        format!("{}: {why}", self.url).into()
    }
}

// === impl Pipe ===

impl Pipe {
    /// Reads what is there; an ended stream is an error.
    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), String>> {
        // Usually free: the messages cut from the buffer are gone, and it starts over.
        self.read.reserve(READ_BYTES);
        match ready!(poll_read_buf(Pin::new(&mut self.stream), cx, &mut self.read)) {
            Err(error) => Poll::Ready(Err(error.to_string())),
            Ok(0) => Poll::Ready(Err("the server closed the connection".to_owned())),
            Ok(_) => Poll::Ready(Ok(())),
        }
    }

    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), String>> {
        while !self.write.is_empty() {
            let count = ready!(Pin::new(&mut self.stream).poll_write(cx, &self.write))
                .map_err(|error| error.to_string())?;
            if count == 0 {
                return Poll::Ready(Err("the server takes no more bytes".to_owned()));
            }
            self.write.advance(count);
        }
        Pin::new(&mut self.stream).poll_flush(cx).map_err(|error| error.to_string())
    }
}
