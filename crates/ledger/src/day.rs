//! Measures what a day has lost, in UTC.
//!
//! The rule of the roll-over: the first equity that is observed on a later UTC day becomes the
//! start of that day. Nothing is interpolated to midnight, so what is lost between the last
//! observation of a day and the first of the next counts for neither. A clock that goes back never rolls the book back. Money that is
//! paid in or taken out moves the start with it, because it is neither profit nor loss.

use domain::{Amount, Decimal, Overflow, Timestamp};

/// The equity at the start of the day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DayBook {
    unix_day: i64,
    equity_start: Amount,
}

/// What an observation did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Roll {
    /// It lies in the book's day, or before it.
    SameDay,
    /// It opened a new day; this is what the last one started with.
    NewDay {
        /// The equity at the start of the day that has ended.
        equity_start_before: Amount,
    },
}

// === impl DayBook ===

impl DayBook {
    /// A book that starts with the equity observed now.
    #[must_use]
    pub const fn open(now: Timestamp, equity: Amount) -> Self {
        Self { unix_day: now.unix_day(), equity_start: equity }
    }

    /// Tells the book the equity of now; opens the new day when one has begun.
    pub fn observe(&mut self, now: Timestamp, equity: Amount) -> Roll {
        if now.unix_day() <= self.unix_day {
            return Roll::SameDay;
        }
        let equity_start_before = self.equity_start;
        *self = Self::open(now, equity);
        Roll::NewDay { equity_start_before }
    }

    /// Books money that was paid in (positive) or taken out (negative) during the day.
    ///
    /// # Errors
    /// [`Overflow`] when the sum cannot be held.
    pub fn transfer(&mut self, amount: Amount) -> Result<(), Overflow> {
        self.equity_start = self.equity_start.try_add(amount)?;
        Ok(())
    }

    /// The day, counted from 1970-01-01.
    #[must_use]
    pub const fn unix_day(&self) -> i64 {
        self.unix_day
    }

    /// What the day started with.
    #[must_use]
    pub const fn equity_start(&self) -> Amount {
        self.equity_start
    }

    /// What is lost since the start of the day; zero for a profit.
    ///
    /// # Errors
    /// [`Overflow`] when the difference cannot be held.
    pub fn loss(&self, equity: Amount) -> Result<Amount, Overflow> {
        Ok(self.equity_start.try_sub(equity)?.max(Amount::ZERO))
    }

    /// The loss as a share of the equity at the start, to 28 digits; more than one is possible.
    /// `None` when the day started with nothing or less, or the share cannot be held.
    #[must_use]
    pub fn loss_share(&self, equity: Amount) -> Option<Decimal> {
        if self.equity_start <= Amount::ZERO {
            return None;
        }
        let loss = self.loss(equity).ok()?;
        loss.decimal().checked_div(self.equity_start.decimal())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY_MS: i64 = 86_400_000;

    fn amount(text: &str) -> Amount {
        text.parse().unwrap()
    }

    #[test]
    fn the_first_equity_of_a_later_day_starts_it() {
        let mut book = DayBook::open(Timestamp::from_unix_millis(5), amount("100"));
        let late = Timestamp::from_unix_millis(DAY_MS - 1);
        assert_eq!(book.observe(late, amount("90")), Roll::SameDay);
        assert_eq!(book.loss(amount("90")).unwrap(), amount("10"));
        let rolled = book.observe(Timestamp::from_unix_millis(DAY_MS), amount("91"));
        assert_eq!(rolled, Roll::NewDay { equity_start_before: amount("100") });
        assert_eq!(book.loss(amount("90")).unwrap(), amount("1"));
    }

    #[test]
    fn a_clock_that_goes_back_does_not_roll_the_book_back() {
        let mut book = DayBook::open(Timestamp::from_unix_millis(3 * DAY_MS), amount("100"));
        assert_eq!(book.observe(Timestamp::from_unix_millis(DAY_MS), amount("1")), Roll::SameDay);
        assert_eq!(book.equity_start(), amount("100"));
        assert_eq!(book.unix_day(), 3);
    }

    #[test]
    fn money_paid_in_hides_no_loss() {
        let mut book = DayBook::open(Timestamp::from_unix_millis(0), amount("100"));
        book.transfer(amount("50")).unwrap();
        assert_eq!(book.loss(amount("140")).unwrap(), amount("10"));
        assert_eq!(book.loss(amount("160")).unwrap(), Amount::ZERO);
    }

    #[test]
    fn a_share_of_nothing_is_no_share() {
        let book = DayBook::open(Timestamp::from_unix_millis(0), Amount::ZERO);
        assert_eq!(book.loss_share(amount("-1")), None);
        let book = DayBook::open(Timestamp::from_unix_millis(0), amount("200"));
        assert_eq!(book.loss_share(amount("194")), Some(Decimal::new(3, 2)));
        assert_eq!(book.loss_share(amount("300")), Some(Decimal::ZERO));
    }
}
