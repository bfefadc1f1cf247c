//! A Redis that restarts, pauses, freezes, goes half-open or cuts off a slow listener. After each
//! the fleet answers within two seconds of Redis being back, no process is restarted, and health
//! told the truth meanwhile.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bus::{Bus, Client, Health};
use serde_json::json;
use testkit::Redis;
use tokio::time::Instant;
use wire::Code;

use crate::support::{
    Agent, acts, agent, call, connect, name, raw, reads, wait_for, wait_for_instances,
};

const SECOND: Duration = Duration::from_secs(1);

/// How soon the fleet must answer after Redis is back.
const BACK_WITHIN: Duration = Duration::from_secs(2);

/// A small fleet: one agent, one caller, each with its own connection.
struct Fleet {
    agent: Agent,
    client: Client,
    buses: [Bus; 2],
}

async fn fleet(url: &str) -> Fleet {
    let buses = [connect(url), connect(url)];
    let agent = agent(&buses[0], 64).await;
    let client = Client::start(&buses[1], &name("tester")).await.expect("the bus is up");
    wait_for_instances(&client, 1).await;
    let fleet = Fleet { agent, client, buses };
    fleet.ask().await.expect("the fleet answers before the fault");
    fleet
}

impl Fleet {
    async fn ask(&self) -> Result<serde_json::Value, wire::Failure> {
        call(&self.client, "echo", json!({}), &reads(SECOND)).await
    }

    fn is_up(&self) -> bool {
        self.buses.iter().all(|bus| *bus.health().borrow() == Health::Up)
    }

    async fn notices(&self) {
        wait_for("both ends to notice", 4 * SECOND, async || {
            self.buses.iter().all(|bus| *bus.health().borrow() != Health::Up)
        })
        .await;
        let failure = self.ask().await.unwrap_err();
        assert_eq!(failure.code, Code::Unavailable, "{failure}");
    }

    async fn is_back(&self, since: Instant) {
        wait_for("an answer", 10 * SECOND, async || self.ask().await.is_ok()).await;
        let after = since.elapsed();
        assert!(after < BACK_WITHIN, "the fleet answered {after:?} after Redis was back");
        assert!(self.is_up());
    }
}

async fn restart(outage: Duration) {
    let mut redis = Redis::start(&[]);
    let fleet = fleet(&redis.url()).await;
    redis.kill();
    let down = Instant::now();
    fleet.notices().await;
    tokio::time::sleep(outage.saturating_sub(down.elapsed())).await;
    redis.run();
    fleet.is_back(Instant::now()).await;
    assert!(fleet.buses[0].stats().reconnects >= 1);
}

#[tokio::test]
async fn redis_restarts_after_2_seconds() {
    restart(2 * SECOND).await;
}

#[tokio::test]
async fn redis_restarts_after_20_seconds() {
    restart(20 * SECOND).await;
}

#[tokio::test]
async fn redis_restarts_while_a_command_runs() {
    let mut redis = Redis::start(&[]);
    let fleet = fleet(&redis.url()).await;
    let options = acts(20 * SECOND);
    let running = call(&fleet.client, "slow", json!({}), &options);
    let fault = async {
        wait_for("the call", SECOND, async || fleet.agent.server.in_flight() == 1).await;
        redis.kill();
        fleet.notices().await;
        redis.run();
        fleet.is_back(Instant::now()).await;
        // The instance lost the caller with the connection, not the command: it still runs.
        assert_eq!(fleet.agent.server.in_flight(), 1);
        fleet.agent.server.drain(Duration::from_millis(10)).await;
    };
    let (answer, ()) = tokio::join!(running, fault);
    // The answer of the cancelled tool came over the new connection.
    assert_eq!(answer.unwrap_err().to_string(), "unavailable: cancelled");
}

#[tokio::test]
async fn redis_pauses_its_clients() {
    let redis = Redis::start(&[]);
    let fleet = fleet(&redis.url()).await;
    assert_eq!(redis.cli(&["CLIENT", "PAUSE", "5000", "ALL"]), "OK");
    let back = Instant::now() + 5 * SECOND;
    fleet.notices().await;
    tokio::time::sleep_until(back).await;
    fleet.is_back(back).await;
}

#[tokio::test]
async fn redis_is_frozen_and_thawed() {
    let redis = Redis::start(&[]);
    let fleet = fleet(&redis.url()).await;
    redis.freeze();
    fleet.notices().await;
    tokio::time::sleep(3 * SECOND).await;
    redis.thaw();
    fleet.is_back(Instant::now()).await;
}

#[tokio::test]
async fn redis_freezes_too_shortly_to_be_noticed() {
    let redis = Redis::start(&[]);
    let fleet = fleet(&redis.url()).await;
    redis.freeze();
    let asked = async { fleet.ask().await };
    let thaw = async {
        tokio::time::sleep(SECOND / 2).await;
        redis.thaw();
    };
    let (answer, ()) = tokio::join!(asked, thaw);
    answer.expect("a call within its deadline outlives a short freeze");
}

/// Forwards connections to a server and can go half-open: bytes of the connections there are then
/// vanish both ways, while both sockets stay open and new connections pass.
struct Proxy {
    port: u16,
    /// Connections numbered below this are dead.
    dead_below: Arc<AtomicUsize>,
    accepted: Arc<AtomicUsize>,
}

impl Proxy {
    fn start(to: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let port = listener.local_addr().expect("it is bound").port();
        let (dead_below, accepted) = (Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default());
        let proxy = Self { port, dead_below, accepted };
        let (dead_below, accepted) = (Arc::clone(&proxy.dead_below), Arc::clone(&proxy.accepted));
        std::thread::spawn(move || {
            for near in listener.incoming().map_while(Result::ok) {
                let number = accepted.fetch_add(1, Ordering::SeqCst);
                let Ok(far) = TcpStream::connect(("127.0.0.1", to)) else { continue };
                for (from, to) in [(&near, &far), (&far, &near)] {
                    let (from, to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
                    let dead_below = Arc::clone(&dead_below);
                    std::thread::spawn(move || forward(from, to, number, &dead_below));
                }
            }
        });
        proxy
    }

    fn cut(&self) {
        self.dead_below.store(self.accepted.load(Ordering::SeqCst), Ordering::SeqCst);
    }
}

fn forward(mut from: TcpStream, mut to: TcpStream, number: usize, dead_below: &AtomicUsize) {
    let mut buffer = [0; 16 * 1024];
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        let is_dead = number < dead_below.load(Ordering::SeqCst);
        if !is_dead && to.write_all(&buffer[..count]).is_err() {
            return;
        }
    }
}

#[tokio::test]
async fn tcp_goes_half_open() {
    let redis = Redis::start(&[]);
    let proxy = Proxy::start(redis.port());
    let fleet = fleet(&format!("redis://127.0.0.1:{}", proxy.port)).await;
    proxy.cut();
    let cut = Instant::now();
    // New connections pass, so the fleet repairs itself as soon as it hears its own silence.
    wait_for("both ends to notice", 4 * SECOND, async || {
        fleet.buses.iter().all(|bus| bus.stats().reconnects == 1)
    })
    .await;
    fleet.is_back(Instant::now()).await;
    assert!(cut.elapsed() < 5 * SECOND, "silence was noticed after {:?}", cut.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_listener_is_cut_off_and_comes_back() {
    let redis = Redis::start(&["--client-output-buffer-limit", "pubsub", "1mb", "512kb", "1"]);
    let fleet = fleet(&redis.url()).await;
    let url = redis.url();
    let (told, tell) = std::sync::mpsc::channel::<()>();
    let (counted, counts) = std::sync::mpsc::channel();
    // The slow listener has a thread of its own, which it blocks.
    let slow = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let bus = connect(&url);
            let mut listener = bus.listen("bot4:topic:probe:flood", 4096).await.unwrap();
            counted.send(bus.stats()).unwrap();
            tell.recv().unwrap();
            wait_for("to be connected again", 10 * SECOND, async || bus.stats().reconnects == 1)
                .await;
            // The publisher goes on, and the next number shows what was missed.
            wait_for("a later event", 10 * SECOND, async || {
                let next = tokio::time::timeout(SECOND / 10, listener.next()).await;
                drop(next);
                bus.stats().gaps > 0
            })
            .await;
            counted.send(bus.stats()).unwrap();
        });
    });
    counts.recv().unwrap();
    let publisher = fleet.buses[0].publisher(&name("probe"), &fleet.agent.instance, "flood");
    let payload = raw(&"x".repeat(64 * 1024));
    publisher.publish(raw(&"first"));
    for _ in 0..200 {
        publisher.publish(payload.clone());
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    wait_for("redis to cut it off", 10 * SECOND, async || {
        redis.cli(&["INFO", "clients"]).contains("connected_clients:3")
    })
    .await;
    told.send(()).unwrap();
    while !slow.is_finished() {
        publisher.publish(raw(&"later"));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    slow.join().expect("the slow listener came back and counted its gap");
    assert!(counts.recv().unwrap().gaps > 0);
    fleet.ask().await.expect("the others never noticed");
    assert_eq!(fleet.buses[1].stats().reconnects, 0);
}
