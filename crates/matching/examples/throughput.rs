//! Orders a second on one core: through the book with its ids, and through the whole exchange.
//!
//! The mix is that of a busy market: 60 % limit orders near the touch, 35 % cancellations, 5 %
//! takers that are large enough that the book neither grows without end nor empties. A
//! cancellation names one of the latest orders that was not cancelled yet; that it was filled
//! meanwhile is part of the mix. The commands come from a seeded xorshift (G. Marsaglia, "Xorshift RNGs", Journal of Statistical Software,
//! 2003), so every run does the same. Run it with
//! `cargo run --release -p matching --example throughput`.

use std::process::ExitCode;
use std::time::Duration;

use domain::{Side, TimeInForce, Timestamp};
use matching::book::{Book, Entry, IdIndex};
use matching::{
    AccountId, AccountSpec, AssetId, Atoms, Cancel, CancelRestriction, ClientId, Command, Event,
    Exchange, Fees, Filters, Funding, Keep, ListId, Listing, NotionalFilter, OrderId, OrderRef,
    OrderRequest, PercentBySide, PercentPrice, QuantityRange, Reply, SymbolId, VenueLimits,
};

const COMMANDS: usize = 4_000_000;
const SEED: u64 = 0x9E37_79B9_7F4A_7C15;
const ACCOUNTS: u32 = 64;
const MIDDLE_TICKS: i64 = 6_000_000;

/// One step of the mix.
#[derive(Debug, Clone, Copy)]
enum Step {
    Add {
        account: u32,
        side: Side,
        ticks: i64,
        lots: i64,
    },
    /// Cancels the order that was added so many adds ago, of those not cancelled yet.
    Cancel {
        back: usize,
    },
    Take {
        account: u32,
        side: Side,
        lots: i64,
    },
}

#[derive(Debug)]
struct Xorshift(u64);

impl Xorshift {
    const fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, bound: u64) -> i64 {
        i64::try_from(self.next() % bound).unwrap_or(0)
    }
}

fn steps() -> Vec<Step> {
    let mut random = Xorshift(SEED);
    let mut middle = MIDDLE_TICKS;
    let mut steps = Vec::with_capacity(COMMANDS);
    for _ in 0..COMMANDS {
        let side = if random.below(2) == 0 { Side::Buy } else { Side::Sell };
        let account = u32::try_from(random.below(u64::from(ACCOUNTS))).unwrap_or(0);
        steps.push(match random.below(100) {
            0..60 => {
                // The distance from the middle is small more often than large.
                let distance = 1 + random.below(50).min(random.below(50));
                let ticks = middle + if side == Side::Buy { -distance } else { distance };
                Step::Add { account, side, ticks, lots: 1 + random.below(100) }
            }
            60..95 => {
                let back = usize::try_from(random.below(2_000)).unwrap_or(0);
                Step::Cancel { back }
            }
            _ => {
                middle += random.below(3) - 1;
                Step::Take { account, side, lots: 1 + random.below(600) }
            }
        });
    }
    steps
}

/// The book with ids: adds, cancels and takes with nothing around it.
fn through_the_book(steps: &[Step]) -> u64 {
    let mut book = Book::new();
    let mut ids = IdIndex::new(1);
    let mut next_id = 1u64;
    let mut trades = 0u64;
    let mut live: Vec<u64> = Vec::new();
    for step in steps {
        let (account, side, limit, lots) = match *step {
            Step::Add { account, side, ticks, lots } => (account, side, Some(ticks), lots),
            Step::Take { account, side, lots } => (account, side, None, lots),
            Step::Cancel { back } => {
                let Some(place) = live.len().checked_sub(back + 1) else { continue };
                let id = live.swap_remove(place);
                if let Some(node) = ids.get(id) {
                    book.remove(node);
                    ids.remove(id);
                }
                continue;
            }
        };
        let id = next_id;
        next_id += 1;
        let mut left = lots;
        while left > 0
            && let Some((node, maker)) = book.front(side.opposite())
        {
            let is_reached = match (limit, side) {
                (None, _) => true,
                (Some(limit), Side::Buy) => maker.ticks <= limit,
                (Some(limit), Side::Sell) => maker.ticks >= limit,
            };
            if !is_reached {
                break;
            }
            let part = left.min(maker.lots);
            let maker_id = u64::from(maker.key);
            left -= part;
            trades += 1;
            if book.take(node, part).is_gone {
                ids.remove(maker_id);
            }
        }
        if let (Some(ticks), true) = (limit, left > 0) {
            let key = u32::try_from(id).unwrap_or(0);
            let entry = Entry { key, owner: account, side, ticks, lots: left, peak: 0, ahead: 0 };
            let (node, _) = book.insert(entry);
            ids.push(id, node);
            live.push(id);
        }
    }
    trades
}

fn listing() -> Result<Listing, Box<dyn std::error::Error>> {
    let pair = ("BTC".parse()?, "USDT".parse()?);
    let mut listing = Listing::new("BTCUSDT".parse()?, pair, "0.01".parse()?, "0.00001".parse()?);
    let band = PercentPrice { up_parts: 500_000_000, down_parts: 20_000_000, average_minutes: 5 };
    let lots = QuantityRange { min_lots: 1, max_lots: 900_000_000, multiple: 1 };
    listing.fees = Fees { maker_parts: 100_000, taker_parts: 100_000 };
    listing.filters = Filters {
        min_ticks: 1,
        max_ticks: 100_000_000,
        tick_multiple: 1,
        percent_by_side: Some(PercentBySide { bid: band, ask: band }),
        lot_size: lots,
        market_lot_size: lots,
        notional: Some(NotionalFilter {
            min: 1_000,
            max: 9_000_000_000_000_000_000,
            min_applies_to_market: true,
            max_applies_to_market: false,
            average_minutes: 5,
        }),
        orders_max: 100_000,
        ..Filters::default()
    };
    Ok(listing)
}

/// The whole exchange: funded accounts, filters, fees, balances, events; with or without names.
fn through_the_exchange(
    steps: &[Step],
    funding: Funding,
    is_named: bool,
) -> Result<(Exchange, usize, Duration), Box<dyn std::error::Error>> {
    let mut exchange = Exchange::new(VenueLimits::default(), Keep::default(), ListId(1));
    let mut events: Vec<Event> = Vec::new();
    let mut at = Timestamp::from_unix_millis(0);
    exchange.apply(at, Command::List(Box::new(listing()?)), &mut events)?;
    let symbol = SymbolId(0);
    for number in 0..ACCOUNTS {
        let spec = AccountSpec { funding, trade_group: None, fees: None };
        exchange.apply(at, Command::OpenAccount(spec), &mut events)?;
        for asset in [AssetId(0), AssetId(1)] {
            let atoms: Atoms = 1_000_000_000_000_000_000_000;
            let account = AccountId(number);
            exchange.apply(at, Command::Deposit { account, asset, atoms }, &mut events)?;
        }
    }
    let names: Vec<ClientId> = if is_named {
        (0..steps.len()).map(|i| format!("order-{i}").parse()).collect::<Result<_, _>>()?
    } else {
        Vec::new()
    };
    let mut live: Vec<(AccountId, OrderId)> = Vec::new();
    let mut count = 0;
    let start = now();
    for (i, step) in steps.iter().enumerate() {
        at = at.plus(Duration::from_micros(500));
        events.clear();
        let client_id = names.get(i).copied().unwrap_or(ClientId::NONE);
        let command = match *step {
            Step::Add { account, side, ticks, lots } => {
                let order = OrderRequest { client_id, ..OrderRequest::limit(side, ticks, lots) };
                Command::Place { account: AccountId(account), symbol, order }
            }
            Step::Take { account, side, lots } => {
                let order = OrderRequest {
                    client_id,
                    time_in_force: TimeInForce::ImmediateOrCancel,
                    ..OrderRequest::market(side, lots)
                };
                Command::Place { account: AccountId(account), symbol, order }
            }
            Step::Cancel { back } => {
                let Some(place) = live.len().checked_sub(back + 1) else { continue };
                let (account, id) = live.swap_remove(place);
                let (restriction, cancel_id) = (CancelRestriction::None, client_id);
                let cancel = Cancel { order: OrderRef::Id(id), restriction, cancel_id };
                Command::Cancel { account, symbol, cancel }
            }
        };
        let reply = exchange.apply(at, command, &mut events);
        if let (Step::Add { account, .. }, Ok(Reply::Placed(id))) = (*step, reply) {
            live.push((AccountId(account), id));
        }
        count += events.len();
    }
    Ok((exchange, count, start.elapsed()))
}

#[expect(clippy::disallowed_methods, reason = "a benchmark measures real time")]
fn now() -> std::time::Instant {
    std::time::Instant::now()
}

#[expect(clippy::print_stdout, reason = "the figures are the purpose")]
fn run() -> Result<(), Box<dyn std::error::Error>> {
    let steps = steps();
    let rate = |elapsed: Duration| {
        let nanos = elapsed.as_nanos().max(1);
        u128::try_from(COMMANDS).unwrap_or(0) * 1_000_000_000 / nanos
    };
    println!("{COMMANDS} commands: 60 % adds, 35 % cancels, 5 % takers; seed {SEED:#x}");
    for _ in 0..3 {
        let start = now();
        let trades = through_the_book(&steps);
        println!("book with ids: {} commands/s ({trades} trades)", rate(start.elapsed()));
    }
    let cases = [
        ("exchange, unlimited accounts", Funding::Unlimited, false),
        ("exchange, balances and filters", Funding::Limited, false),
        ("exchange, balances, filters and client ids", Funding::Limited, true),
    ];
    for (title, funding, is_named) in cases {
        let (exchange, events, elapsed) = through_the_exchange(&steps, funding, is_named)?;
        let counters = exchange.counters();
        let sides = [Side::Buy, Side::Sell].into_iter();
        let open: usize = sides.map(|side| exchange.resting(SymbolId(0), side).count()).sum();
        println!(
            "{title}: {} commands/s ({} trades, {} refused, {open} open at the end, {events} events)",
            rate(elapsed),
            counters.trades,
            counters.refused,
        );
    }
    Ok(())
}

#[expect(clippy::print_stderr, reason = "a failure of the benchmark is told to who runs it")]
fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
