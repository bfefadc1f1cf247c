//! A spot exchange for paper trading, as a server and as a library.
mod protocol;
