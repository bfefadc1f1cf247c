//! Rebuilds an account from the journal, whatever state the last owner left it in.
//!
//! The paper venue lives and dies with the process that runs it. Reports become durable in the
//! venue's own order, so at the moment of a crash the journal holds a beginning of the venue's
//! history, and what is not in the journal did not happen: nobody else ever saw it. That is the
//! evidence by which orders are resolved that were on their way.

use std::collections::BTreeMap;
use std::sync::Arc;

use domain::{Amount, Asset, Instrument, OrderKind, Symbol, TimeInForce, Timestamp};
use journal::{Deposit, Journal, JournalError, PAGE_MAX};
use orders::{Order, OrderEvent, OrderState, VenueAnswer};
use venue::paper::PaperState;
use venue::{VenueOrder, VenueOrderStatus};

use crate::books::Books;
use crate::desk::ACCOUNT;

/// Pays the first deposits in, once: until the account's first day has begun the same deposits may
/// be told again, and afterwards none is.
pub(crate) async fn first_deposits(
    journal: &Journal,
    deposits: &BTreeMap<Asset, Amount>,
    now: Timestamp,
) -> Result<(), JournalError> {
    if journal.has_days(ACCOUNT).await? {
        return Ok(());
    }
    for (asset, amount) in deposits {
        let deposit = Deposit {
            deposit_id: format!("{ACCOUNT}:first:{asset}"),
            account: ACCOUNT.to_owned(),
            asset: asset.clone(),
            amount: *amount,
            at: now,
        };
        journal.record_deposit(&deposit).await?;
    }
    Ok(())
}

/// The books, and what the venue must be opened with.
///
/// # Errors
/// When the journal cannot be read, or holds what this market cannot continue.
pub(crate) async fn rebuild(
    journal: &Journal,
    instruments: &Arc<[Instrument]>,
    now: Timestamp,
) -> Result<(Books, PaperState), String> {
    let mut books = Books::new(Arc::clone(instruments));
    let mut next_trade_ids: BTreeMap<Symbol, u64> = BTreeMap::new();
    replay_money(journal, &mut books, &mut next_trade_ids).await?;
    let mut open_orders = Vec::new();
    let orders = journal.load_open_orders().await.map_err(|error| error.to_string())?;
    for mut order in orders {
        if let Some(event) = end_of(&order) {
            let failed = |error: &dyn std::fmt::Display| {
                format!("order {} cannot be resolved: {error}", order.request().client_order_id)
            };
            let mut after = order.clone();
            after.apply(&event, now).map_err(|error| failed(&error))?;
            journal.append(&event, now, &after).await.map_err(|error| failed(&error))?;
            tracing::info!(
                order = %after.request().client_order_id,
                state = after.state().name(),
                "resolved an order that was on its way"
            );
            order = after;
        }
        if order.is_settled() {
            continue;
        }
        open_orders.push(resting(&order)?);
        books.put(order);
    }
    // The venue numbers by time, so the oldest order has the lowest number.
    open_orders.sort_by_key(|order| order.order_id);
    let last = journal.order_id_max().await.map_err(|error| error.to_string())?;
    let balances = books.totals().clone();
    if let Some((asset, amount)) = balances.iter().find(|(_, amount)| amount.is_negative()) {
        return Err(format!("the journal's deposits and fills leave {amount} {asset}"));
    }
    let next_order_id = last.0.saturating_add(1);
    Ok((books, PaperState { balances, open_orders, next_order_id, next_trade_ids }))
}

async fn replay_money(
    journal: &Journal,
    books: &mut Books,
    next_trade_ids: &mut BTreeMap<Symbol, u64>,
) -> Result<(), String> {
    let mut after = 0;
    loop {
        let page = journal.load_deposits(ACCOUNT, after, PAGE_MAX).await;
        let page = page.map_err(|error| error.to_string())?;
        for deposit in &page.rows {
            books.deposit(&deposit.asset, deposit.amount).map_err(|error| error.to_string())?;
        }
        let Some(next) = page.next_after else { break };
        after = next;
    }
    let mut after = 0;
    loop {
        let page = journal.load_fills(None, after, PAGE_MAX).await;
        let page = page.map_err(|error| error.to_string())?;
        for fill in &page.rows {
            books.fill(fill).map_err(|why| format!("trade {}: {why}", fill.trade_id))?;
            let next = next_trade_ids.entry(fill.symbol.clone()).or_default();
            *next = (*next).max(fill.trade_id.saturating_add(1));
        }
        let Some(next) = page.next_after else { break };
        after = next;
    }
    Ok(())
}

/// How an order ended with the venue that died; `None` when it rested there, or has ended.
fn end_of(order: &Order) -> Option<OrderEvent> {
    let executed = order.filled();
    let rests = matches!(
        order.request().kind,
        OrderKind::Limit { time_in_force: TimeInForce::GoodTilCanceled, .. }
    );
    match (order.state(), order.order_id()) {
        (
            OrderState::Filled
            | OrderState::Canceled { .. }
            | OrderState::Expired { .. }
            | OrderState::Rejected { .. },
            _,
        ) => None,
        // Nothing on record says that the venue ever had it.
        (_, None) if executed == Amount::ZERO => Some(OrderEvent::Resolved(VenueAnswer::NotFound)),
        (OrderState::Open { .. }, Some(_)) if rests => None,
        (OrderState::Unknown { .. }, Some(order_id)) if rests => {
            Some(OrderEvent::Resolved(VenueAnswer::Open { order_id, executed }))
        }
        // An order that never rests had ended; what it traded beyond the record did not happen.
        (
            OrderState::Intended
            | OrderState::Sent
            | OrderState::Open { .. }
            | OrderState::Unknown { .. },
            _,
        ) => Some(OrderEvent::Expired { executed }),
    }
}

/// An open order as the venue had it.
fn resting(order: &Order) -> Result<VenueOrder, String> {
    let request = order.request();
    let id = &request.client_order_id;
    if order.state().is_final() {
        return Err(format!("order {id} has ended and trades of it are missing"));
    }
    let order_id = order.order_id().ok_or_else(|| format!("order {id} has no number"))?;
    let executed = order.totals().executed;
    if executed != order.filled() {
        return Err(format!("trades of order {id} are missing"));
    }
    let status = if executed == Amount::ZERO {
        VenueOrderStatus::New
    } else {
        VenueOrderStatus::PartiallyFilled
    };
    Ok(VenueOrder {
        order_id,
        client_order_id: id.clone(),
        symbol: request.symbol.clone(),
        side: request.side,
        quantity: request.quantity,
        kind: request.kind,
        executed,
        cost: order.totals().cost,
        status,
        created_at: order.sent_at().unwrap_or(order.created_at()),
        updated_at: order.updated_at(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::{NewOrder, OrderId, Side};

    fn order(kind: OrderKind, events: &[OrderEvent]) -> Order {
        let request = NewOrder {
            client_order_id: "b4-1".parse().unwrap(),
            symbol: "BTCUSDT".parse().unwrap(),
            side: Side::Buy,
            quantity: "2".parse().unwrap(),
            kind,
        };
        let start = Timestamp::from_unix_millis(0);
        let mut order = Order::new(request, "c-1".parse().unwrap(), start);
        for event in events {
            order.apply(event, start).unwrap();
        }
        order
    }

    fn limit(time_in_force: TimeInForce) -> OrderKind {
        OrderKind::Limit { price: "100".parse().unwrap(), time_in_force, post_only: false }
    }

    #[test]
    fn an_order_that_the_record_does_not_show_at_the_venue_never_was_there() {
        let not_found = Some(OrderEvent::Resolved(VenueAnswer::NotFound));
        let lost = OrderEvent::OutcomeUnknown { reason: "timeout".to_owned() };
        for events in [vec![], vec![OrderEvent::Sent], vec![OrderEvent::Sent, lost]] {
            assert_eq!(end_of(&order(OrderKind::Market, &events)), not_found);
            assert_eq!(end_of(&order(limit(TimeInForce::GoodTilCanceled), &events)), not_found);
        }
    }

    #[test]
    fn what_rested_rests_and_what_never_rests_has_ended() {
        let taken = [OrderEvent::Sent, OrderEvent::Acknowledged { order_id: OrderId(7) }];
        let resting_order = order(limit(TimeInForce::GoodTilCanceled), &taken);
        assert_eq!(end_of(&resting_order), None);
        assert_eq!(resting(&resting_order).unwrap().status, VenueOrderStatus::New);
        let ended = Some(OrderEvent::Expired { executed: Amount::ZERO });
        assert_eq!(end_of(&order(OrderKind::Market, &taken)), ended);
        assert_eq!(end_of(&order(limit(TimeInForce::ImmediateOrCancel), &taken)), ended);
        assert_eq!(end_of(&order(limit(TimeInForce::FillOrKill), &taken)), ended);
    }

    #[test]
    fn an_ended_order_without_its_trades_cannot_be_continued() {
        let filled = OrderEvent::Resolved(VenueAnswer::Filled { order_id: OrderId(7) });
        let order = order(OrderKind::Market, &[filled]);
        assert_eq!(end_of(&order), None);
        let why = resting(&order).unwrap_err();
        assert_eq!(why, "order b4-1 has ended and trades of it are missing");
    }
}
