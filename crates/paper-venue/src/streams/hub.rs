//! The connections, what each has subscribed to, and the frames on their way to them.
//!
//! # Invariants
//!
//! * Each connection has a queue of [`FRAMES_MAX`] frames; one that does not keep up is cut off.
//! * A message is built once for each unit of time, however many listen.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use axum::extract::ws::Utf8Bytes;
use matching::AccountId;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::Topic;
use crate::protocol::timing::TimeUnit;

/// Frames that may wait for one connection.
pub(crate) const FRAMES_MAX: usize = 16_384;

/// The number of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ConnId(pub(crate) u64);

/// What goes to a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Frame {
    /// A text message.
    Text(Utf8Bytes),
    /// The connection ends after this.
    Close,
    /// Nothing is sent any more, not even pings, while the connection stays open.
    Silence,
}

/// A connection that was just made.
#[derive(Debug)]
pub(crate) struct NewConn {
    pub(crate) sender: mpsc::Sender<Frame>,
    pub(crate) kill: CancellationToken,
    pub(crate) is_combined: bool,
    pub(crate) unit: TimeUnit,
    pub(crate) address: IpAddr,
    /// Request weight that connecting costs.
    pub(crate) weight: u32,
}

/// A subscription to an account's events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Subscriber {
    pub(crate) account: AccountId,
    /// The key by which it was opened as a stream; absent for a numbered subscription.
    pub(crate) listen_key: Option<String>,
    /// Whether it ends when the connection logs out.
    pub(crate) ends_with_session: bool,
}

/// One connection.
#[derive(Debug)]
pub(crate) struct Conn {
    pub(crate) new: NewConn,
    names: BTreeMap<String, Option<Topic>>,
    pub(crate) users: BTreeMap<u64, Subscriber>,
    pub(crate) next_user: u64,
    /// The key that the connection logged on with.
    pub(crate) logon: Option<String>,
    pub(crate) logon_at: i64,
    /// Since when it is connected, in milliseconds.
    pub(crate) opened_at: i64,
    /// A frame that a fault keeps back until the next one.
    pub(crate) held: Option<Frame>,
    pub(crate) is_silent: bool,
}

#[derive(Debug)]
struct Subscribers {
    name: String,
    conns: BTreeSet<ConnId>,
}

/// All connections.
#[derive(Debug, Default)]
pub(crate) struct Hub {
    conns: BTreeMap<ConnId, Conn>,
    topics: BTreeMap<Topic, Subscribers>,
    pub(crate) slow: u64,
}

// === impl Hub ===

impl Hub {
    pub(crate) fn open(&mut self, id: ConnId, new: NewConn, opened_at: i64) {
        let conn = Conn {
            new,
            names: BTreeMap::new(),
            users: BTreeMap::new(),
            next_user: 0,
            logon: None,
            logon_at: 0,
            opened_at,
            held: None,
            is_silent: false,
        };
        self.conns.insert(id, conn);
    }

    pub(crate) fn close(&mut self, id: ConnId) {
        let Some(conn) = self.conns.remove(&id) else { return };
        conn.new.kill.cancel();
        for topic in conn.names.values().flatten() {
            self.leave(*topic, id);
        }
    }

    fn leave(&mut self, topic: Topic, id: ConnId) {
        let Some(subscribers) = self.topics.get_mut(&topic) else { return };
        subscribers.conns.remove(&id);
        if subscribers.conns.is_empty() {
            self.topics.remove(&topic);
        }
    }

    pub(crate) fn conn(&mut self, id: ConnId) -> Option<&mut Conn> {
        self.conns.get_mut(&id)
    }

    pub(crate) fn conns(&self) -> impl Iterator<Item = (ConnId, &Conn)> {
        self.conns.iter().map(|(id, conn)| (*id, conn))
    }

    /// Adds streams; refuses them all when that is more than `max`.
    pub(crate) fn subscribe(
        &mut self,
        id: ConnId,
        streams: Vec<(String, Option<Topic>)>,
        max: usize,
    ) -> bool {
        let Some(conn) = self.conns.get_mut(&id) else { return false };
        let new = streams.iter().filter(|(name, _)| !conn.names.contains_key(name)).count();
        if conn.names.len().saturating_add(new) > max {
            return false;
        }
        for (name, topic) in streams {
            if let Some(topic) = topic {
                let entry = self.topics.entry(topic);
                let conns = BTreeSet::new();
                let name = name.clone();
                entry.or_insert_with(|| Subscribers { name, conns }).conns.insert(id);
            }
            conn.names.insert(name, topic);
        }
        true
    }

    pub(crate) fn unsubscribe(&mut self, id: ConnId, names: &[String]) {
        for name in names {
            let Some(conn) = self.conns.get_mut(&id) else { return };
            if let Some(Some(topic)) = conn.names.remove(name) {
                self.leave(topic, id);
            }
        }
    }

    /// The names that a connection listens to.
    pub(crate) fn names(&self, id: ConnId) -> Vec<&str> {
        let conn = self.conns.get(&id);
        conn.map_or_else(Vec::new, |conn| conn.names.keys().map(String::as_str).collect())
    }

    /// Whether anybody listens.
    pub(crate) fn has(&self, topic: &Topic) -> bool {
        self.topics.contains_key(topic)
    }

    /// All topics that somebody listens to.
    pub(crate) fn topics(&self) -> impl Iterator<Item = &Topic> {
        self.topics.keys()
    }

    /// The message for each listener: number of the connection, the stream's name, the text.
    pub(crate) fn messages(
        &self,
        topic: &Topic,
        mut build: impl FnMut(TimeUnit) -> String,
    ) -> (String, Vec<(ConnId, Utf8Bytes)>) {
        let Some(subscribers) = self.topics.get(topic) else { return (String::new(), Vec::new()) };
        let mut built: [Option<Utf8Bytes>; 4] = [None, None, None, None];
        let mut messages = Vec::with_capacity(subscribers.conns.len());
        for id in &subscribers.conns {
            let Some(conn) = self.conns.get(id) else { continue };
            let unit = conn.new.unit;
            let place =
                usize::from(unit == TimeUnit::Micros) + 2 * usize::from(conn.new.is_combined);
            let Some(slot) = built.get_mut(place) else { continue };
            let text = slot.get_or_insert_with(|| {
                let data = build(unit);
                if conn.new.is_combined {
                    format!("{{\"stream\":\"{}\",\"data\":{data}}}", subscribers.name).into()
                } else {
                    data.into()
                }
            });
            messages.push((*id, text.clone()));
        }
        (subscribers.name.clone(), messages)
    }

    /// Puts a frame into a connection's queue; cuts the connection off when the queue is full.
    pub(crate) fn send(&mut self, id: ConnId, frame: Frame) {
        let Some(conn) = self.conns.get_mut(&id) else { return };
        if conn.is_silent {
            return;
        }
        if frame == Frame::Silence {
            conn.is_silent = true;
        }
        match conn.new.sender.try_send(frame) {
            Ok(()) => {}
            Err(mpsc::error::TrySendError::Full(_)) => {
                self.slow = self.slow.saturating_add(1);
                self.close(id);
            }
            Err(mpsc::error::TrySendError::Closed(_)) => self.close(id),
        }
    }

    /// An event of an account for each connection that hears it, as it is sent there.
    pub(crate) fn events(
        &self,
        account: AccountId,
        build: impl Fn(TimeUnit) -> String,
    ) -> Vec<(ConnId, String)> {
        let mut events = Vec::new();
        for (id, conn) in &self.conns {
            for (number, user) in conn.users.iter().filter(|(_, user)| user.account == account) {
                let event = build(conn.new.unit);
                let text = match &user.listen_key {
                    None => format!("{{\"subscriptionId\":{number},\"event\":{event}}}"),
                    Some(key) if conn.new.is_combined => {
                        format!("{{\"stream\":\"{key}\",\"data\":{event}}}")
                    }
                    Some(_) => event,
                };
                events.push((*id, text));
            }
        }
        events
    }
}

#[cfg(test)]
mod tests {
    use matching::SymbolId;

    use super::*;
    use crate::streams::Feed;

    fn connect(hub: &mut Hub, id: u64, unit: TimeUnit) -> (ConnId, mpsc::Receiver<Frame>) {
        let (sender, receiver) = mpsc::channel(2);
        let new = NewConn {
            sender,
            kill: CancellationToken::new(),
            is_combined: id == 1,
            unit,
            address: IpAddr::V4(std::net::Ipv4Addr::LOCALHOST),
            weight: 0,
        };
        hub.open(ConnId(id), new, 0);
        (ConnId(id), receiver)
    }

    #[test]
    fn a_message_is_built_once_a_unit_and_wrapped_where_streams_are_combined() {
        let mut hub = Hub::default();
        let topic = Topic { symbol: Some(SymbolId(0)), feed: Feed::Trade };
        for (id, unit) in [(1, TimeUnit::Millis), (2, TimeUnit::Millis), (3, TimeUnit::Millis)] {
            let (id, _) = connect(&mut hub, id, unit);
            assert!(hub.subscribe(id, vec![("a@trade".to_owned(), Some(topic))], 10));
        }
        let mut count = 0;
        let (_, messages) = hub.messages(&topic, |_| {
            count += 1;
            "{}".to_owned()
        });
        let texts: Vec<&str> = messages.iter().map(|(_, text)| text.as_str()).collect();
        assert_eq!(texts, ["{\"stream\":\"a@trade\",\"data\":{}}", "{}", "{}"]);
        assert_eq!(count, 2);
    }

    #[test]
    fn who_does_not_keep_up_is_cut_off_and_counted() {
        let mut hub = Hub::default();
        let (id, receiver) = connect(&mut hub, 2, TimeUnit::Millis);
        for _ in 0..3 {
            hub.send(id, Frame::Text("x".into()));
        }
        assert_eq!((hub.slow, hub.conns().count()), (1, 0));
        drop(receiver);
    }

    #[test]
    fn more_streams_than_allowed_are_refused_whole() {
        let mut hub = Hub::default();
        let (id, _receiver) = connect(&mut hub, 2, TimeUnit::Millis);
        let stream = |name: &str| (name.to_owned(), None);
        assert!(hub.subscribe(id, vec![stream("a"), stream("b")], 2));
        assert!(hub.subscribe(id, vec![stream("a")], 2), "the same again is no more");
        assert!(!hub.subscribe(id, vec![stream("c")], 2));
        hub.unsubscribe(id, &["a".to_owned()]);
        assert_eq!(hub.names(id), ["b"]);
    }
}
