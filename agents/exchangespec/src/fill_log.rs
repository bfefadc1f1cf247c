//! Writes the fills of an account to a log of the bus, where others read them at their own pace.
//!
//! The topic tells a fill to whoever listens at that moment. The log is written from the journal,
//! under the journal's numbers: what the bus missed while it was away is written when it is back, and
//! what it has already is not written twice, whichever instance owns the account.

use std::sync::Arc;
use std::time::Duration;

use bus::Log;
use tokio_util::sync::CancellationToken;

use crate::desk::Desk;
use crate::views::FillView;

/// Fills that are read from the journal at a time.
const PAGE: u32 = 500;
/// How long fills are gathered.
const GATHER: Duration = Duration::from_millis(250);
/// How soon what could not be written is tried again.
const RETRY: Duration = Duration::from_secs(1);
/// How soon the log is looked at when nothing happens.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// The name of the log of an account.
pub(crate) fn name(account: &str) -> String {
    format!("fills:{account}")
}

/// Keeps the log equal to the journal until the desk ends.
pub(crate) async fn keep(desk: Arc<Desk>, log: Log, stop: CancellationToken) {
    let mut changes = desk.changed.subscribe();
    loop {
        changes.mark_unchanged();
        let mut pause = GATHER;
        if let Err(why) = write(&desk, &log).await {
            tracing::warn!(account = desk.name, why, "the log of fills is behind");
            pause = RETRY;
        }
        let again = async {
            tokio::time::sleep(pause).await;
            // Without news it is looked again all the same: the bus may have forgotten.
            tokio::time::timeout(LOOK_AGAIN, changes.changed()).await
        };
        tokio::select! {
            () = stop.cancelled() => return,
            news = again => if let Ok(Err(_desk_is_gone)) = news { return },
        }
    }
}

/// Writes what the journal has and the log has not.
async fn write(desk: &Desk, log: &Log) -> Result<(), String> {
    let last = log.last().await.map_err(|failure| failure.to_string())?;
    let mut next = Some(i64::try_from(last).unwrap_or(i64::MAX));
    while let Some(after) = next {
        let page = desk.journal.load_fills(&desk.name, None, after, PAGE).await;
        let page = page.map_err(|error| error.to_string())?;
        for (number, fill) in page.numbers.iter().zip(&page.rows) {
            let number = u64::try_from(*number).map_err(|error| error.to_string())?;
            let appended = log.append(number, &FillView::from(fill)).await;
            appended.map_err(|failure| failure.to_string())?;
        }
        // A page that is not full is the last.
        let is_full = page.rows.len() == usize::try_from(PAGE).unwrap_or(usize::MAX);
        next = page.next_after().filter(|_| is_full);
    }
    Ok(())
}
