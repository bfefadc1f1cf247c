//! Counts of everything that did not go as planned.

use std::sync::atomic::{AtomicU64, Ordering};

macro_rules! stats {
    ($($name:ident: $doc:literal),* $(,)?) => {
        /// Counters of a bus.
        #[derive(Debug, Default)]
        pub struct Stats {
            $($name: AtomicU64,)*
        }

        /// What the counters of a bus stood at, since it was made.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
        pub struct Counts {
            $(#[doc = $doc] pub $name: u64,)*
        }

        impl Stats {
            $(pub(crate) fn $name(&self, more: u64) {
                self.$name.fetch_add(more, Ordering::Relaxed);
            })*

            pub(crate) fn counts(&self) -> Counts {
                Counts { $($name: self.$name.load(Ordering::Relaxed),)* }
            }
        }

        impl Counts {
            /// Each counter with its name and what it counts.
            #[must_use]
            pub fn named(&self) -> Vec<(&'static str, &'static str, u64)> {
                vec![$((stringify!($name), $doc, self.$name),)*]
            }
        }
    };
}

stats! {
    gaps: "Events of topics that were missed, by their numbers.",
    undelivered: "Calls that reached no listener and were sent elsewhere.",
    asked_again: "Reading calls that were asked again because their instance went away.",
    dropped: "Messages that a full queue of this process dropped, or that the bus did not take.",
    malformed: "Messages that were no legal protocol.",
    late_replies: "Replies that nobody waited for any more.",
    overloaded: "Calls refused because too many were in flight.",
    reconnects: "Connections to the bus made after the first.",
}
