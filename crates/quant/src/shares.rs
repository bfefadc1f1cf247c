//! Work that is cut into blocks and shared by threads.

/// Somebody asked for the work to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stopped;

/// Lets so many threads do the blocks, the caller's among them, so that one thread means no other.
/// Which thread does a block makes no difference to a block that has all that it needs in itself.
///
/// What panics in a thread does so on the caller's.
pub(crate) fn in_shares<B: Send>(
    threads: usize,
    blocks: impl IntoIterator<Item = B>,
    work: impl Fn(B) + Sync,
    is_stopped: &(dyn Fn() -> bool + Sync),
) -> Result<(), Stopped> {
    let mut shares: Vec<Vec<B>> = (0..threads.max(1)).map(|_| Vec::new()).collect();
    let count = shares.len();
    for (index, block) in blocks.into_iter().enumerate() {
        shares[index % count].push(block);
    }
    let work = |blocks: Vec<B>| {
        for block in blocks {
            if is_stopped() {
                return Err(Stopped);
            }
            work(block);
        }
        Ok(())
    };
    let own = shares.pop().unwrap_or_default();
    std::thread::scope(|scope| {
        let others: Vec<_> =
            shares.into_iter().map(|blocks| scope.spawn(|| work(blocks))).collect();
        let mut outcome = work(own);
        for other in others {
            match other.join() {
                Ok(part) => outcome = outcome.and(part),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        outcome
    })
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn every_block_is_done_once_by_any_number_of_threads() {
        for threads in [0, 1, 2, 7, 40] {
            let mut done = vec![0_u32; 23];
            let work = |(index, slot): (u32, &mut u32)| *slot += index + 1;
            in_shares(threads, (0..).zip(&mut done), work, &|| false).unwrap();
            assert!(done.into_iter().eq(1..=23), "{threads} threads");
        }
    }

    #[test]
    fn who_stops_sees_no_further_block_begin() {
        let begun = AtomicUsize::new(0);
        let work = |_: usize| {
            begun.fetch_add(1, Ordering::SeqCst);
        };
        let is_stopped = || begun.load(Ordering::SeqCst) >= 3;
        assert_eq!(in_shares(1, 0..10, work, &is_stopped), Err(Stopped));
        assert_eq!(begun.load(Ordering::SeqCst), 3);
    }

    #[test]
    fn a_panic_reaches_the_caller() {
        for threads in [1, 3] {
            let work = |block: usize| assert_ne!(block, 5, "as the sixth block does");
            let done = std::panic::catch_unwind(|| in_shares(threads, 0..10, work, &|| false));
            let panic = done.unwrap_err();
            let message = panic.downcast_ref::<String>().unwrap();
            assert!(message.contains("as the sixth block does"), "{message}");
        }
    }
}
