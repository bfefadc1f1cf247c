//! The carrier over Redis: one connection that speaks RESP3, publishes and subscribes.
//!
//! The connection is our own, because what matters on a bus is exactly what general clients leave
//! open: hearing again after any outage, knowing that one hears, and a round trip that costs little
//! more than the two hops through the server. One task owns the socket; senders append to a
//! buffer that it writes in one go, and it hands each message to its listener where it is read.
//!
//! # Invariants
//!
//! * Health is `Up` from the first heartbeat that this connection published and heard itself, until
//!   none is heard for [`SILENCE_MAX`]; then the connection is made anew, without end.
//! * After each reconnect every subscription that is still held stands again before health is `Up`.
//! * A command whose reply was cut off ends as `Lost`; one that was never written as `NotSent`.

mod connection;
mod expect;
mod resp;
mod state;
mod stream;
mod url;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use wire::{AgentName, InstanceId, topics};

pub use url::{RedisUrl, RedisUrlError};

use crate::carrier::{Carrier, CarrierError, Health, Receipt, Sink, Subscription};
use crate::log::ENTRIES_KEPT;
use crate::{Raise, Raised, Stats};
use connection::Connection;
use expect::{Expect, Reply, odd};
use state::Shared;

/// How often the connection publishes a heartbeat to itself.
const HEARTBEAT: Duration = Duration::from_millis(400);

/// How long it may hear none before it is given up.
const SILENCE_MAX: Duration = Duration::from_millis(1500);

/// How long to wait before the next attempt to connect.
const RETRY: Duration = Duration::from_millis(200);

/// Keys: lease, fence. Arguments: holder, time to live in ms. Gives holder, fence, 1 if it was free.
const CLAIM: &str = "
local by = redis.call('GET', KEYS[1])
if not by then
  redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
  return {ARGV[1], tostring(redis.call('INCR', KEYS[2])), '1'}
end
if by == ARGV[1] then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
return {by, redis.call('GET', KEYS[2]) or '0', '0'}";

/// Key: lease. Argument: holder.
const RELEASE: &str = "
if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end
return {}";

/// Keys: counters. Arguments, for each: by, ceiling, time to live in ms. Gives 0 and the counts, or
/// the place of the one that would be too high and its count.
const RAISE: &str = "
local after = {'0'}
for i, key in ipairs(KEYS) do
  local at = tonumber(redis.call('GET', key) or '0')
  if at + tonumber(ARGV[3 * i - 2]) > tonumber(ARGV[3 * i - 1]) then
    return {tostring(i), string.format('%.0f', at)}
  end
  after[i + 1] = string.format('%.0f', at + tonumber(ARGV[3 * i - 2]))
end
for i, key in ipairs(KEYS) do redis.call('SET', key, after[i + 1], 'PX', ARGV[3 * i]) end
return after";

/// Key: counter. Arguments: at least, time to live in ms.
const LIFT: &str = "
if tonumber(redis.call('GET', KEYS[1]) or '0') < tonumber(ARGV[1]) then
  redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
end
return {}";

/// A connection to Redis that is made again for as long as this lives.
pub(crate) struct Redis {
    shared: Arc<Shared>,
    health: watch::Receiver<Health>,
    stop: CancellationToken,
    _tasks: TaskTracker,
}

impl Redis {
    pub(crate) fn connect(url: RedisUrl, name: &AgentName, stats: Arc<Stats>) -> Self {
        let echo = topics::reply(name, &InstanceId::random());
        let shared = Arc::new(Shared::new(echo, stats));
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        let down = Health::Down("connecting to Redis for the first time".into());
        let (tell, health) = watch::channel(down);
        let connection = Connection { url, shared: Arc::clone(&shared), health: tell };
        let stopped = stop.clone();
        tasks.spawn(async move {
            tokio::select! {
                () = stopped.cancelled() => {}
                () = connection.keep() => {}
            }
        });
        Self { shared, health, stop, _tasks: tasks }
    }

    /// Runs a script, which is one step for everybody else.
    async fn script(
        &self,
        script: &str,
        keys: &[&str],
        arguments: &[&str],
    ) -> Result<Reply, CarrierError> {
        let count = keys.len().to_string();
        let mut words: Vec<&[u8]> = vec![b"EVAL", script.as_bytes(), count.as_bytes()];
        words.extend(keys.iter().chain(arguments).map(|word| word.as_bytes()));
        self.ask(&words).await
    }

    async fn ask(&self, words: &[&[u8]]) -> Result<Reply, CarrierError> {
        let (sender, reply) = tokio::sync::oneshot::channel();
        self.shared.send(words, Expect::Reply(sender));
        reply.await.unwrap_or(Err(CarrierError::Lost))
    }
}

impl Carrier for Redis {
    fn kind(&self) -> &'static str {
        "redis"
    }

    fn publish(&self, channel: &str, payload: Bytes, receipt: Receipt) {
        let words: [&[u8]; 3] = [b"PUBLISH", channel.as_bytes(), &payload];
        self.shared.send(&words, Expect::Receipt(receipt));
    }

    fn tell(&self, channel: &str, payload: Bytes) -> bool {
        self.shared.tell(channel, &payload)
    }

    fn subscribe(
        &self,
        channel: String,
        sink: Sink,
    ) -> BoxFuture<'_, Result<Subscription, CarrierError>> {
        async move {
            let (number, stands) = self.shared.subscribe(&channel, sink);
            let shared = Arc::clone(&self.shared);
            let subscription = Subscription::new(move || shared.unsubscribe(&channel, number));
            match stands.await {
                Ok(Ok(())) => Ok(subscription),
                Ok(Err(error)) => Err(error),
                Err(_closed) => Err(CarrierError::Lost),
            }
        }
        .boxed()
    }

    fn put(
        &self,
        key: String,
        value: Bytes,
        ttl: Duration,
    ) -> BoxFuture<'_, Result<(), CarrierError>> {
        async move {
            let ttl_ms = ttl.as_millis().to_string();
            let words: [&[u8]; 5] = [b"SET", key.as_bytes(), &value, b"PX", ttl_ms.as_bytes()];
            self.ask(&words).await.map(drop)
        }
        .boxed()
    }

    fn remove(&self, key: String) -> BoxFuture<'_, Result<(), CarrierError>> {
        async move { self.ask(&[b"DEL", key.as_bytes()]).await.map(drop) }.boxed()
    }

    fn scan(&self, pattern: &'static str) -> BoxFuture<'_, Result<Vec<Bytes>, CarrierError>> {
        async move {
            let (mut cursor, mut keys) = (Bytes::from_static(b"0"), Vec::new());
            loop {
                let words: [&[u8]; 6] =
                    [b"SCAN", &cursor, b"MATCH", pattern.as_bytes(), b"COUNT", b"1000"];
                let (next, found) = self.ask(&words).await?.cursor()?;
                keys.extend(found);
                if next == "0" {
                    break;
                }
                cursor = next;
            }
            // A scan may name a key twice.
            keys.sort_unstable();
            keys.dedup();
            if keys.is_empty() {
                return Ok(Vec::new());
            }
            let words: Vec<&[u8]> =
                std::iter::once(&b"MGET"[..]).chain(keys.iter().map(|key| &key[..])).collect();
            self.ask(&words).await?.texts()
        }
        .boxed()
    }

    fn claim(
        &self,
        lease: String,
        fence: String,
        holder: String,
        ttl: Duration,
    ) -> BoxFuture<'_, Result<(String, u64, bool), CarrierError>> {
        async move {
            let ttl_ms = ttl.as_millis().to_string();
            let reply = self.script(CLAIM, &[&lease, &fence], &[&holder, &ttl_ms]).await?;
            let texts = reply.texts()?;
            match texts.as_slice() {
                [by, count, is_new] => Ok((text(by), number(count)?, is_new == "1")),
                _ => Err(odd()),
            }
        }
        .boxed()
    }

    fn release(&self, lease: String, holder: String) -> BoxFuture<'_, Result<(), CarrierError>> {
        async move { self.script(RELEASE, &[&lease], &[&holder]).await.map(drop) }.boxed()
    }

    fn raise(&self, wish: Vec<Raise>) -> BoxFuture<'_, Result<Raised, CarrierError>> {
        async move {
            let keys: Vec<&str> = wish.iter().map(|raise| raise.window.as_str()).collect();
            let numbers = wish.iter().flat_map(|raise| {
                let ttl_ms = u64::try_from(raise.ttl.as_millis()).unwrap_or(u64::MAX);
                [raise.by.to_string(), raise.max.to_string(), ttl_ms.to_string()]
            });
            let numbers: Vec<String> = numbers.collect();
            let arguments: Vec<&str> = numbers.iter().map(String::as_str).collect();
            let texts = self.script(RAISE, &keys, &arguments).await?.texts()?;
            let (first, rest) = texts.split_first().ok_or_else(odd)?;
            let rest = rest.iter().map(number).collect::<Result<Vec<u64>, _>>()?;
            match (number(first)?, rest.as_slice()) {
                (0, _) => Ok(Raised::To(rest)),
                (place, [at]) => {
                    let index = usize::try_from(place - 1).unwrap_or(usize::MAX);
                    Ok(Raised::TooHigh { index, at: *at })
                }
                _ => Err(odd()),
            }
        }
        .boxed()
    }

    fn lift(&self, key: String, to: u64, ttl: Duration) -> BoxFuture<'_, Result<(), CarrierError>> {
        async move {
            let (to, ttl_ms) = (to.to_string(), ttl.as_millis().to_string());
            self.script(LIFT, &[&key], &[&to, &ttl_ms]).await.map(drop)
        }
        .boxed()
    }

    fn append(
        &self,
        log: String,
        number: u64,
        entry: Bytes,
    ) -> BoxFuture<'_, Result<bool, CarrierError>> {
        async move {
            let (kept, id) = (ENTRIES_KEPT.to_string(), format!("{number}-0"));
            let words: [&[u8]; 8] = [
                b"XADD",
                log.as_bytes(),
                b"MAXLEN",
                b"~",
                kept.as_bytes(),
                id.as_bytes(),
                b"entry",
                &entry,
            ];
            match self.ask(&words).await {
                Ok(_) => Ok(true),
                Err(CarrierError::Refused(why)) if why.contains("equal or smaller") => Ok(false),
                Err(error) => Err(error),
            }
        }
        .boxed()
    }

    fn last(&self, log: String) -> BoxFuture<'_, Result<u64, CarrierError>> {
        async move {
            let words: [&[u8]; 6] = [b"XREVRANGE", log.as_bytes(), b"+", b"-", b"COUNT", b"1"];
            let found = self.ask(&words).await?.entries()?;
            found.first().map_or(Ok(0), |(id, _)| number_of(id))
        }
        .boxed()
    }

    fn entries(
        &self,
        log: String,
        after: u64,
        count: u32,
    ) -> BoxFuture<'_, Result<Vec<(u64, Bytes)>, CarrierError>> {
        async move {
            let (from, count) = (format!("({after}-0"), count.to_string());
            let words: [&[u8]; 6] =
                [b"XRANGE", log.as_bytes(), from.as_bytes(), b"+", b"COUNT", count.as_bytes()];
            let found = self.ask(&words).await?.entries()?;
            found.into_iter().map(|(id, entry)| Ok((number_of(&id)?, entry))).collect()
        }
        .boxed()
    }

    fn health(&self) -> watch::Receiver<Health> {
        self.health.clone()
    }
}

fn text(bytes: &Bytes) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn number(bytes: &Bytes) -> Result<u64, CarrierError> {
    text(bytes).parse().map_err(|_no_number| odd())
}

/// The number in the name of an entry: `17-0`.
fn number_of(id: &Bytes) -> Result<u64, CarrierError> {
    let id = text(id);
    let (number, _) = id.split_once('-').ok_or_else(odd)?;
    number.parse().map_err(|_no_number| odd())
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl fmt::Debug for Redis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redis").field("health", &*self.health.borrow()).finish_non_exhaustive()
    }
}
