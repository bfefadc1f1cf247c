//! Answers of Binance: whatever comes is read or refused.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    drop(venue::binance::scan::read_answer(bytes));
});
