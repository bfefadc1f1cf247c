//! Where the tests keep their journals: a new file and a new PostgreSQL database for each test.

use std::sync::Arc;

use domain::{
    Amount, CommandId, Fill, Liquidity, NewOrder, OrderId, OrderKind, Quantity, Side, TimeInForce,
    Timestamp,
};
use journal::{Intent, Journal, JournalError, Sender};
use orders::{Order, OrderEvent};
use sqlx::{AssertSqlSafe, Connection, PgConnection, SqliteConnection};
use tempfile::TempDir;
use testkit::Postgres;

/// Who sends in these tests: the first owner of an account that nobody has claimed.
pub(crate) const SENDER: Sender<'static> = Sender { account: "paper", fence: 0 };

/// A place for one journal, and what must live as long as it does.
pub(crate) struct Place {
    pub(crate) address: String,
    _directory: TempDir,
    _server: Option<Arc<Postgres>>,
}

impl Place {
    pub(crate) fn sqlite() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let address = format!("sqlite:{}", directory.path().join("journal.db").display());
        Self { address, _directory: directory, _server: None }
    }

    pub(crate) fn postgres() -> Self {
        let server = Postgres::shared().unwrap_or_else(|error| panic!("{error}"));
        let address = server.fresh_database().unwrap();
        Self { address, _directory: tempfile::tempdir().unwrap(), _server: Some(server) }
    }

    pub(crate) async fn open(&self) -> Journal {
        Journal::open(&self.address).await.unwrap_or_else(|error| panic!("{error}"))
    }

    /// Runs statements behind the journal's back.
    pub(crate) async fn tamper(&self, statements: &str) {
        let statements = AssertSqlSafe(statements.to_owned());
        if self.address.starts_with("sqlite:") {
            let mut connection = SqliteConnection::connect(&self.address).await.unwrap();
            sqlx::raw_sql(statements).execute(&mut connection).await.unwrap();
            connection.close().await.unwrap();
        } else {
            let mut connection = PgConnection::connect(&self.address).await.unwrap();
            sqlx::raw_sql(statements).execute(&mut connection).await.unwrap();
            connection.close().await.unwrap();
        }
    }
}

/// Runs the test once on each kind of database, in a journal in which trading runs.
pub(crate) async fn on_both(test: impl AsyncFn(&Place, Journal)) {
    for place in [Place::sqlite(), Place::postgres()] {
        let journal = place.open().await;
        assert!(journal.init_halt_running("ann", at(0)).await.unwrap(), "{}", place.address);
        test(&place, journal.clone()).await;
        journal.close().await;
    }
}

pub(crate) fn at(millis: i64) -> Timestamp {
    Timestamp::from_unix_millis(millis)
}

pub(crate) fn amount(text: &str) -> Amount {
    text.parse().unwrap()
}

pub(crate) fn command_id(text: &str) -> CommandId {
    text.parse().unwrap()
}

pub(crate) fn request(name: &str, symbol: &str) -> NewOrder {
    NewOrder {
        client_order_id: name.parse().unwrap(),
        symbol: symbol.parse().unwrap(),
        side: Side::Buy,
        quantity: "10".parse().unwrap(),
        kind: OrderKind::Limit {
            price: "61583.22".parse().unwrap(),
            time_in_force: TimeInForce::GoodTilCanceled,
            post_only: true,
        },
    }
}

pub(crate) fn intent(name: &str, symbol: &str, created_ms: i64) -> Order {
    Order::new(request(name, symbol), command_id("cmd-1"), at(created_ms))
}

pub(crate) fn fill(order: &Order, trade_id: u64, quantity: &str) -> OrderEvent {
    let request = order.request();
    OrderEvent::Filled(Fill {
        trade_id,
        client_order_id: request.client_order_id.clone(),
        symbol: request.symbol.clone(),
        side: request.side,
        price: "61583.21".parse().unwrap(),
        quantity: quantity.parse::<Quantity>().unwrap(),
        fee: amount("0.00000001"),
        fee_asset: "BTC".parse().unwrap(),
        liquidity: Liquidity::Maker,
        at: at(77),
    })
}

pub(crate) const fn ack(number: u64) -> OrderEvent {
    OrderEvent::Acknowledged { order_id: OrderId(number) }
}

/// Records the intent to send one order.
pub(crate) async fn intend(journal: &Journal, order: &Order) -> Result<Intent, JournalError> {
    journal.record_intents(SENDER, std::slice::from_ref(order)).await
}

/// Applies the event to the order and records it.
pub(crate) async fn record(journal: &Journal, order: &mut Order, event: &OrderEvent, millis: i64) {
    order.apply(event, at(millis)).unwrap();
    let appended = journal.append(event, at(millis), order).await;
    let recorded = matches!(appended, Ok(journal::Appended::Recorded { .. }));
    assert!(recorded, "{}: {appended:?}", event.name());
}
