//! Programs that people trade with, unchanged but for the address.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::client::{open, simulated_market};

/// Runs a client's script against a simulated market; gives what it checked.
async fn check(script: &str, environment: &str, package: &str) -> Vec<String> {
    let mut options = simulated_market();
    options.history = std::time::Duration::from_secs(3_600);
    let desk = open(options).await;
    let account = desk.venue.admin.open_account(&[("USDT", "100000")]).await.unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients").join(script);
    let (environment, package) = (environment.to_owned(), package.to_owned());
    let address = desk.venue.address.to_string();
    let run = tokio::task::spawn_blocking(move || {
        let python = testkit::python_named(&environment, &[&package]);
        let keys = [account.credentials.api_key, account.credentials.secret];
        Command::new(python).arg(script).arg(address).args(keys).output().unwrap()
    });
    let output = run.await.unwrap();
    let (words, errors) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{words}\n{errors}");
    let last: Value = serde_json::from_str(words.lines().last().unwrap()).unwrap();
    let checked = last["checked"].as_array().unwrap();
    checked.iter().map(|name| name.as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn ccxt_trades_and_watches_here() {
    let checked = check("ccxt_client.py", "venv-ccxt", "ccxt==4.5.90").await;
    assert!(checked.len() >= 55, "{checked:?}");
    assert!(checked.contains(&"watch_my_trades".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn python_binance_trades_and_listens_here() {
    let checked =
        check("python_binance_client.py", "venv-python-binance", "python-binance==1.0.37").await;
    assert!(checked.len() >= 50, "{checked:?}");
    assert!(checked.contains(&"depth cache".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_official_python_sdk_trades_here() {
    let checked =
        check("binance_sdk_client.py", "venv-binance-sdk", "binance-sdk-spot==13.2.0").await;
    assert!(checked.len() >= 32, "{checked:?}");
    assert!(checked.contains(&"ws user events".to_owned()));
}
