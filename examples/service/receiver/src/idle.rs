//! Idle connections: how long they may stay open, and which one makes room for a new one.
//!
//! A connection is idle until the first byte of a request arrives. Then the head of the request is under way, then the
//! request is served, and once it is answered the connection is idle again. Both limits are counted here, because
//! hyper knows only one for the time from an answer to the end of the next head. A proxy keeps connections for about a
//! minute, and the receiver must keep them for longer: if it closes one just when the proxy sends a request, that
//! request fails.

use std::collections::BTreeMap;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::Notify;
use tokio::time::{self, Instant, Sleep};

/// How long the head of a request may take from its first byte on.
const HEAD_WITHIN: Duration = Duration::from_secs(10);

/// How long to go on reading, for nothing, after the last answer. A connection that is closed while bytes arrive is
/// reset. HAProxy does not send a callback again then, and a client may not read an answer that was sent before.
const LINGER: Duration = Duration::from_secs(1);

/// The idle connections of a server.
pub struct IdleConnections {
    /// How long a connection may be idle.
    limit: Duration,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    connections: u64,
    /// What tells a connection that it has to make room, by when the connection became idle and its number.
    idle: BTreeMap<(Instant, u64), Arc<Notify>>,
}

/// Why a connection does not stay open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    Idle,
    HeadSlow,
    /// It was the longest idle when there was no room for a new one.
    Displaced,
}

impl IdleConnections {
    pub fn new(limit: Duration) -> Arc<Self> {
        Arc::new(Self { limit, state: Mutex::default() })
    }

    /// What a new connection does; it is idle first.
    pub fn open(self: &Arc<Self>) -> Arc<Activity> {
        let (since, displaced) = (Instant::now(), Arc::new(Notify::new()));
        let mut state = self.state();
        state.connections += 1;
        let number = state.connections;
        state.idle.insert((since, number), displaced.clone());
        let phase = Mutex::new(Phase::Idle { since, is_silent: true });
        Arc::new(Activity { connections: self.clone(), number, displaced, phase })
    }

    /// Tells the connection that has been idle for longest to end. False if none is idle.
    pub fn displace(&self) -> bool {
        let longest = self.state().idle.pop_first();
        longest.map(|(_, displaced)| displaced.notify_one()).is_some()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a connection does at the moment.
pub struct Activity {
    connections: Arc<IdleConnections>,
    number: u64,
    displaced: Arc<Notify>,
    phase: Mutex<Phase>,
}

#[derive(Clone, Copy)]
enum Phase {
    /// The rest of a body that nobody wanted may still arrive. Only a byte after a silence begins a head.
    Idle {
        since: Instant,
        is_silent: bool,
    },
    Head {
        since: Instant,
    },
    Request,
    /// It has been idle for too long. It ends unless a request has arrived just now.
    Over,
}

impl Activity {
    /// Returns when the connection has to end, and why.
    pub async fn ends(&self) -> Reason {
        tokio::select! {
            () = self.displaced.notified() => Reason::Displaced,
            reason = self.overdue() => reason,
        }
    }

    async fn overdue(&self) -> Reason {
        let idle_within = self.connections.limit;
        loop {
            // Whatever begins until then may last for longer, so no deadline is missed.
            let next = Instant::now() + HEAD_WITHIN.min(idle_within);
            let (deadline, reason) = match *self.phase() {
                Phase::Idle { since, .. } => (since + idle_within, Reason::Idle),
                Phase::Head { since } => (since + HEAD_WITHIN, Reason::HeadSlow),
                Phase::Request | Phase::Over => (next, Reason::Idle),
            };
            if deadline <= Instant::now() {
                return reason;
            }
            time::sleep_until(deadline.min(next)).await;
        }
    }

    /// A request begins to be served.
    pub fn begin(&self) {
        let mut phase = self.phase();
        self.leave_idle(*phase);
        *phase = Phase::Request;
    }

    /// A request is answered.
    pub fn answered(&self) {
        let mut phase = self.phase();
        self.leave_idle(*phase);
        *phase = self.become_idle();
    }

    /// It has been idle for too long.
    pub fn finish(&self) {
        let mut phase = self.phase();
        self.leave_idle(*phase);
        *phase = Phase::Over;
    }

    fn received(&self) {
        let mut phase = self.phase();
        let is_head = match *phase {
            Phase::Idle { is_silent, .. } => is_silent && self.leave_idle(*phase),
            Phase::Over => true,
            Phase::Head { .. } | Phase::Request => false,
        };
        if is_head {
            *phase = Phase::Head { since: Instant::now() };
        }
    }

    /// Whether the connection is over.
    fn received_nothing(&self) -> bool {
        let mut phase = self.phase();
        if let Phase::Idle { is_silent, .. } = &mut *phase {
            *is_silent = true;
        }
        matches!(*phase, Phase::Over)
    }

    /// Some of an answer was sent. A client that is still reading it is not idle.
    fn sent(&self) {
        let mut phase = self.phase();
        if self.leave_idle(*phase) {
            *phase = self.become_idle();
        }
    }

    /// False if the connection was not idle, or has to make room.
    fn leave_idle(&self, phase: Phase) -> bool {
        let Phase::Idle { since, .. } = phase else { return false };
        self.connections.state().idle.remove(&(since, self.number)).is_some()
    }

    fn become_idle(&self) -> Phase {
        let since = Instant::now();
        self.connections.state().idle.insert((since, self.number), self.displaced.clone());
        Phase::Idle { since, is_silent: false }
    }

    fn phase(&self) -> MutexGuard<'_, Phase> {
        self.phase.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Activity {
    fn drop(&mut self) {
        self.leave_idle(*self.phase());
    }
}

/// A stream that reports what happens on it.
pub struct Watched<S> {
    pub stream: S,
    pub activity: Arc<Activity>,
    /// What was read already, and is read again first.
    pub read: BytesMut,
    lingers: Option<Pin<Box<Sleep>>>,
}

impl<S> Watched<S> {
    pub fn new(stream: S, activity: Arc<Activity>) -> Self {
        Self { stream, activity, read: BytesMut::new(), lingers: None }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.read.is_empty() {
            let length = self.read.len().min(buffer.remaining());
            buffer.put_slice(&self.read.split_to(length));
            return Poll::Ready(Ok(()));
        }
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        if read.is_pending() {
            if self.activity.received_nothing() {
                return Poll::Ready(Ok(()));
            }
        } else if buffer.filled().len() > before {
            self.activity.received();
        }
        read
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.stream).poll_write(context, bytes));
        self.activity.sent();
        Poll::Ready(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.stream).poll_write_vectored(context, slices));
        self.activity.sent();
        Poll::Ready(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Self { stream, lingers, .. } = &mut *self;
        if lingers.is_none() {
            ready!(Pin::new(&mut *stream).poll_shutdown(context))?;
        }
        let lingers = lingers.get_or_insert_with(|| Box::pin(time::sleep(LINGER)));
        let mut bytes = [0; 1024];
        while lingers.as_mut().poll(context).is_pending() {
            let mut buffer = ReadBuf::new(&mut bytes);
            ready!(Pin::new(&mut *stream).poll_read(context, &mut buffer))?;
            if buffer.filled().is_empty() {
                break;
            }
        }
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use std::future::Future;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};

    use super::*;

    const LIMIT: Duration = Duration::from_secs(90);

    /// How long it takes until the connection has to end, and why.
    async fn end(activity: &Activity) -> (Duration, Reason) {
        let begin = Instant::now();
        let reason = activity.ends().await;
        (begin.elapsed(), reason)
    }

    fn watched<S>(stream: S, activity: &Arc<Activity>) -> Watched<S> {
        Watched::new(stream, activity.clone())
    }

    async fn is_pending(future: impl Future) -> bool {
        time::timeout(Duration::ZERO, future).await.is_err()
    }

    #[tokio::test(start_paused = true)]
    async fn an_idle_connection_ends_at_its_limit() {
        for limit in [Duration::from_secs(2), LIMIT] {
            let activity = IdleConnections::new(limit).open();
            assert_eq!(end(&activity).await, (limit, Reason::Idle));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_head_has_ten_seconds_from_its_first_byte() {
        let (mut client, server) = duplex(64);
        let activity = IdleConnections::new(LIMIT).open();
        let mut server = watched(server, &activity);
        assert!(is_pending(server.read_u8()).await);
        assert!(time::timeout(Duration::from_millis(89_999), activity.ends()).await.is_err());
        client.write_all(b"PO").await.unwrap();
        assert_eq!(server.read_u8().await.unwrap(), b'P');
        assert!(time::timeout(Duration::from_secs(9), activity.ends()).await.is_err());
        assert_eq!(server.read_u8().await.unwrap(), b'O');
        assert_eq!(end(&activity).await, (Duration::from_secs(1), Reason::HeadSlow));
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_is_idle_again_from_the_end_of_its_answer_on() {
        let (_client, server) = duplex(64);
        let activity = IdleConnections::new(LIMIT).open();
        let mut server = watched(server, &activity);
        activity.begin();
        assert!(time::timeout(LIMIT * 2, activity.ends()).await.is_err());
        activity.answered();
        assert!(time::timeout(LIMIT / 2, activity.ends()).await.is_err());
        server.write_all(b"200").await.unwrap();
        assert_eq!(end(&activity).await, (LIMIT, Reason::Idle));
    }

    #[tokio::test(start_paused = true)]
    async fn the_rest_of_an_unread_body_begins_no_head() {
        let (mut client, server) = duplex(64);
        let activity = IdleConnections::new(LIMIT).open();
        let mut server = watched(server, &activity);
        activity.begin();
        activity.answered();
        client.write_all(b"{P").await.unwrap();
        assert_eq!(server.read_u8().await.unwrap(), b'{');
        assert_eq!(server.read_u8().await.unwrap(), b'P');
        assert!(is_pending(server.read_u8()).await);
        assert!(time::timeout(LIMIT / 2, activity.ends()).await.is_err());
        client.write_all(b"O").await.unwrap();
        assert_eq!(server.read_u8().await.unwrap(), b'O');
        assert_eq!(end(&activity).await, (HEAD_WITHIN, Reason::HeadSlow));
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_that_is_over_still_takes_what_has_arrived() {
        let (mut client, server) = duplex(64);
        let activity = IdleConnections::new(LIMIT).open();
        let mut server = watched(server, &activity);
        client.write_all(b"P").await.unwrap();
        activity.finish();
        assert_eq!(server.read_u8().await.unwrap(), b'P');
        assert_eq!(end(&activity).await, (HEAD_WITHIN, Reason::HeadSlow));
        activity.finish();
        assert_eq!(server.read(&mut [0; 8]).await.unwrap(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn the_end_waits_a_second_for_what_is_under_way() {
        let (mut client, server) = duplex(64);
        let mut server = watched(server, &IdleConnections::new(LIMIT).open());
        client.write_all(&[0; 64]).await.unwrap();
        let begin = Instant::now();
        server.shutdown().await.unwrap();
        assert_eq!(begin.elapsed(), LINGER);
        // All of it was read, so that there is room again.
        client.write_all(&[0; 64]).await.unwrap();

        let (client, server) = duplex(64);
        let mut server = watched(server, &IdleConnections::new(LIMIT).open());
        drop(client);
        let begin = Instant::now();
        server.shutdown().await.unwrap();
        assert_eq!(begin.elapsed(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn the_longest_idle_connection_is_displaced() {
        let connections = IdleConnections::new(LIMIT);
        let opened = [connections.open(), connections.open(), connections.open(), connections.open()];
        let [used_again, busy, first, closed] = &opened;
        used_again.begin();
        busy.begin();
        time::advance(Duration::from_secs(1)).await;
        used_again.answered();
        assert!(connections.displace());
        assert_eq!(end(first).await, (Duration::ZERO, Reason::Displaced));
        assert!(is_pending(closed.ends()).await);
        let [used_again, _busy, _first, closed] = opened;
        drop(closed);
        assert!(connections.displace());
        assert_eq!(end(&used_again).await, (Duration::ZERO, Reason::Displaced));
        assert!(!connections.displace());
    }
}
