//! Answers and streams of Bybit: whatever comes is read or refused.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    drop(venue::bybit::scan::read(bytes));
});
