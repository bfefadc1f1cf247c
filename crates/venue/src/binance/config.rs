//! Which venue, with which key, and how patient.

use std::time::Duration;

use domain::Symbol;

use super::sign::Credentials;

/// Everything that a connection needs to know.
#[derive(Debug, Clone)]
pub struct Config {
    /// The venue's name here.
    pub name: String,
    /// Where requests go: `https://api.binance.com`.
    pub rest_url: String,
    /// Where the market's streams are: `wss://stream.binance.com:9443`.
    pub ws_url: String,
    /// Where the WebSocket API is: `wss://ws-api.binance.com:443/ws-api/v3`.
    pub ws_api_url: String,
    /// Who asks.
    pub credentials: Credentials,
    /// What is traded, and watched from the start; empty for everything, watched by nobody.
    pub symbols: Vec<Symbol>,
    /// How orders are sent.
    pub order_entry: OrderEntry,
    /// How old a request may be when it arrives, in milliseconds; at most 60,000.
    pub recv_window_ms: u32,
    /// How long a watched market may say nothing before its data is called silent.
    pub silence_max: Duration,
    /// How long it may say nothing before the connection is opened again.
    pub silence_reconnect: Duration,
    /// How often in a row a connection is tried before the venue is called down.
    pub reconnect_attempts_max: u32,
    /// How long a connection may take to open.
    pub connect_max: Duration,
    /// How long an answer may take.
    pub answer_max: Duration,
    /// After how long a stream is opened anew, before the venue closes it.
    pub rotate_after: Duration,
    /// Where the waits between attempts are drawn from.
    pub seed: u64,
}

/// How orders are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OrderEntry {
    /// One HTTP request each.
    Rest,
    /// Over the session of the WebSocket API.
    WebSocket,
}

// === impl Config ===

impl Config {
    /// The venue itself, with real money.
    #[must_use]
    pub fn mainnet(credentials: Credentials) -> Self {
        Self {
            name: "binance".to_owned(),
            rest_url: "https://api.binance.com".to_owned(),
            ws_url: "wss://stream.binance.com:9443".to_owned(),
            ws_api_url: "wss://ws-api.binance.com:443/ws-api/v3".to_owned(),
            credentials,
            symbols: Vec::new(),
            order_entry: OrderEntry::Rest,
            recv_window_ms: 5_000,
            silence_max: Duration::from_secs(5),
            silence_reconnect: Duration::from_secs(10),
            reconnect_attempts_max: 10,
            connect_max: Duration::from_secs(5),
            answer_max: Duration::from_secs(10),
            // The venue closes a stream after 24 hours.
            rotate_after: Duration::from_secs(23 * 3_600),
            seed: 1,
        }
    }

    /// The venue's test network, with play money.
    #[must_use]
    pub fn testnet(credentials: Credentials) -> Self {
        Self {
            name: "binance-testnet".to_owned(),
            rest_url: "https://testnet.binance.vision".to_owned(),
            ws_url: "wss://stream.testnet.binance.vision".to_owned(),
            ws_api_url: "wss://ws-api.testnet.binance.vision/ws-api/v3".to_owned(),
            ..Self::mainnet(credentials)
        }
    }

    /// A server that has everything on one port, such as the paper venue: `http://127.0.0.1:9600`.
    #[must_use]
    pub fn at(base: &str, credentials: Credentials) -> Self {
        let base = base.trim_end_matches('/');
        let sockets = match base.strip_prefix("http") {
            Some(rest) => format!("ws{rest}"),
            None => base.to_owned(),
        };
        Self {
            name: "paper".to_owned(),
            rest_url: base.to_owned(),
            ws_api_url: format!("{sockets}/ws-api/v3"),
            ws_url: sockets,
            ..Self::mainnet(credentials)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_gives_all_three() {
        let credentials = Credentials::hmac("key", "secret").unwrap();
        let config = Config::at("https://127.0.0.1:9600/", credentials);
        assert_eq!(config.rest_url, "https://127.0.0.1:9600");
        assert_eq!(config.ws_url, "wss://127.0.0.1:9600");
        assert_eq!(config.ws_api_url, "wss://127.0.0.1:9600/ws-api/v3");
        assert!(!format!("{config:?}").contains("secret"));
    }
}
