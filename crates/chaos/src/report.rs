//! The table and the page that say what campaigns found.

use std::time::Duration;

use crate::Tally;
use crate::tally::middle_and_max;

/// What each campaign does, by name.
const ABOUT: [(&str, &str); 7] = [
    (
        "ambiguous",
        "Eight callers place, change and cancel orders of every kind in three markets while twenty \
         kinds of faults strike at rates drawn by seed: answers that are lost, late, cut off or \
         wrong although the request was carried out, the same with the request not carried out, \
         events of the account lost, doubled and late, sockets closed, a clock that is off, a limit \
         that is used up. Every third agent sends orders over the socket, every fourth venue is \
         three times as bad. Then the faults end, and record and venue must agree within 30 s; and \
         again after a restart.",
    ),
    (
        "manual",
        "A second client of the same account places, trades and cancels while the agent trades, and \
         goes on while the agent is down; money is paid in. The agent must have adopted every order, \
         trade and payment, and must have sent nothing that nobody asked it for.",
    ),
    (
        "killed",
        "The program on SQLite is killed with SIGKILL in three lives: while it works (submits, \
         changes, cancels, compares on demand), while its orders are filled and nobody calls, and in \
         a start that finds what a dead instance left: a lost answer, trades that came meanwhile, \
         orders of somebody else. The points number themselves. *Before a call*: every system call of \
         every thread that can change anything outside the process is counted in one life, and in \
         another the program is killed on entering it (`strace --inject`), so that it is not carried \
         out. Between two such calls a kill leaves the same wherever it strikes, so these are all the \
         places where the program can be interrupted, every `await` among them. *Answer lost*: the \
         venue carries out the k-th request and holds the answer. *Change told*: the k-th change of \
         an order is told on the bus. Each seed takes every tenth point, ten seeds take all. Then \
         the program is started again, must take an order, and every command is asked again under \
         its old name. The times are those until the next instance has compared its record with the \
         venue and serves, and until it has taken an order; they contain what is left of the lease, \
         which is 1 s, and its start. Their count is the number of kills.",
    ),
    (
        "replicas",
        "One, two, four and eight programs on one account over a real Redis and PostgreSQL, lease \
         1 s. While four callers ask, the owner is stopped for 2.5 s (SIGSTOP) and goes on (SIGCONT), \
         the owner alone is cut off from Redis for 2.5 s, still reaching venue and journal, the owner \
         is killed, Redis is restarted empty, Redis is stopped for 2.5 s. The venue must have exactly \
         the orders of the commands that were answered with success, each once.",
    ),
    (
        "silent",
        "The market's socket, or the account's, stays open and says nothing. No order may be sent on \
         a price older than the limit of 1 s, and the connection must be opened again within 10 s.",
    ),
    (
        "halted",
        "150 orders are on their way in the agent's program when Redis is stopped and another \
         process writes the halt into the journal. No order may be sent later than 250 ms after \
         that.",
    ),
    (
        "repeated",
        "Each seed is run twice by a clock that stands: venue, matching, faults, order states and \
         journal must leave the same bytes. The agent's tasks and sockets are not covered: the order \
         in which the machine wakes them is not decided by a seed.",
    ),
];

/// A campaign in one line.
#[must_use]
pub fn line(tally: &Tally) -> String {
    let found = tally.counts().iter().map(|(_, count)| count).sum::<usize>();
    let mut out = format!(
        "{:<10} {:>4} seeds {:>6} {} {:>6} orders {:>6} trades {:>5} faults {:>3} breaches {:>6.1} s",
        tally.name,
        tally.seeds,
        tally.events,
        tally.event_name,
        tally.orders,
        tally.trades,
        tally.faults,
        found,
        tally.took.as_secs_f64()
    );
    for (what, middle, max, count) in times(tally) {
        out.push_str(&format!("\n           {what}: p50 {middle}, max {max} ({count})"));
    }
    for (what, points) in &tally.points {
        out.push_str(&format!(
            "\n           {what}: {} calls in a life; of {} kills before one {} struck",
            points.counted, points.tried, points.struck
        ));
    }
    out
}

fn times(tally: &Tally) -> Vec<(&'static str, String, String, usize)> {
    let told = tally.times.iter().filter_map(|(what, times)| {
        let (middle, max) = middle_and_max(times)?;
        Some((*what, ms(middle), ms(max), times.len()))
    });
    told.collect()
}

fn ms(time: Duration) -> String {
    format!("{} ms", time.as_millis())
}

/// How many of the calls that reach outside were the end of a program; nothing without kills.
fn calls(tallies: &[Tally]) -> String {
    let mut rows = String::new();
    for (what, points) in tallies.iter().flat_map(|tally| &tally.points) {
        let (counted, tried, struck) = (points.counted, points.tried, points.struck);
        rows.push_str(&format!("| {what} | {counted} | {tried} | {struck} |\n"));
    }
    if rows.is_empty() {
        return rows;
    }
    format!(
        "\n| killed before a call | calls of a whole life | tried | struck |\n|---|---|---|---|\n\
         {rows}\nOne that did not strike was to end a life that made fewer calls than the counted \
         one: what is sent depends on the market and on how busy the machine is.\n"
    )
}

/// The whole page; `options` are those of the run.
#[must_use]
pub fn page(tallies: &[Tally], options: &str) -> String {
    let mut out = String::from(
        "# Reliability\n\nGenerated whole by the command below; nothing here is written by hand.\n\n",
    );
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let command = format!("./test-agents.sh --chaos {options}");
    out.push_str(&format!(
        "```text\n{command}\n```\n\nIt installs what it needs (Redis, PostgreSQL, strace), runs every \
         campaign, writes this page, and fails when anything is broken. Machine: {cores} cores, {} {}, \
         shared with other work; debug build. One campaign alone, or one seed of it: `--only NAME \
         --first SEED --seeds 1`, which writes no page. The first seed is 1 where no other is named.\n\n",
        std::env::consts::OS,
        std::env::consts::ARCH
    ));
    out.push_str(
        "Every count of a breach must be zero: *duplicates* are orders that one wish made twice; \
         *orphans* orders at the venue that the journal knows neither as ours nor as adopted; \
         *losses* orders, trades or ends that the journal lacks; *phantoms* the reverse; *false \
         rejects* orders that were called refused and that the venue has; *books* assets whose sum \
         is off by even one unit of 10^-12, or money booked as paid in that was not; *unknown* \
         orders without an outcome 30 s after the last fault; *other* what the campaign promises \
         beyond that. The venue's own ledger is the judge.\n\n",
    );
    out.push_str("| campaign | seeds | events | orders | trades | faults | duplicates | orphans | losses | phantoms | false rejects | books | unknown | other | time |\n");
    out.push_str("|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|\n");
    for tally in tallies {
        let counts: Vec<String> = tally.counts().iter().map(|(_, n)| n.to_string()).collect();
        out.push_str(&format!(
            "| {} | {} | {} {} | {} | {} | {} | {} | {} s |\n",
            tally.name,
            tally.seeds,
            tally.events,
            tally.event_name,
            tally.orders,
            tally.trades,
            tally.faults,
            counts.join(" | "),
            tally.took.as_secs()
        ));
    }
    out.push_str("\n| campaign | measured | p50 | max | count |\n|---|---|---|---|---|\n");
    for tally in tallies {
        for (what, middle, max, count) in times(tally) {
            out.push_str(&format!("| {} | {what} | {middle} | {max} | {count} |\n", tally.name));
        }
        if tally.name == "halted" && !tally.times.contains_key("order sent after the halt") {
            out.push_str("| halted | order sent after the halt | none came | none came | 0 |\n");
        }
    }
    out.push_str(&calls(tallies));
    out.push_str("\n## What each does\n");
    for tally in tallies {
        let about = ABOUT.iter().find(|(name, _)| *name == tally.name);
        out.push_str(&format!(
            "\n**{}** (`{command} --only {}`). {}\n",
            tally.name,
            tally.name,
            about.map_or("", |(_, about)| about)
        ));
    }
    let complaints: Vec<String> = tallies.iter().flat_map(Tally::complaints).collect();
    if !complaints.is_empty() {
        out.push_str("\n## Broken\n\n");
        for complaint in complaints {
            out.push_str(&format!("- {complaint}\n"));
        }
    }
    out
}
