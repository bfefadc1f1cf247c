//! Signatures: the vectors of the venue's documentation, and those of OpenSSL 3 for the two others.

use super::*;

const API_KEY: &str = "vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A";
const SECRET: &str = "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j";
const ORDER: &str = "symbol=LTCBTC&side=BUY&type=LIMIT&timeInForce=GTC&quantity=1&price=0.1\
                     &recvWindow=5000&timestamp=1499827319559";
const ED25519: &str = include_str!("../../../tests/payloads/test_only_ed25519.pem");
const RSA: &str = include_str!("../../../tests/payloads/test_only_rsa.pem");

#[track_caller]
fn check(credentials: &Credentials, payload: &str, expect: &str) {
    let mut signature = Vec::new();
    credentials.sign(payload.as_bytes(), &mut signature).unwrap();
    assert_eq!(String::from_utf8(signature).unwrap(), expect, "{payload}");
}

#[test]
fn the_documented_requests_get_the_documented_signatures() {
    let credentials = Credentials::hmac(API_KEY, SECRET).unwrap();
    check(&credentials, ORDER, "c8db56825ae71d6d79447849e617115f4a920fa2acdcab2b053c4b2838bd6b71");
    let encoded = "%EF%BC%91%EF%BC%92%EF%BC%93%EF%BC%94%EF%BC%95%EF%BC%96";
    check(
        &credentials,
        &ORDER.replace("LTCBTC", encoded),
        "e1353ec6b14d888f1164ae9af8228a3dbd508bc82eb867db8ab6046442f33ef3",
    );
    let session = |price: &str, quantity: &str, window: &str, side: &str, symbol: &str| {
        format!(
            "apiKey={API_KEY}&price={price}&quantity={quantity}&recvWindow={window}&side={side}\
             &symbol={symbol}&timeInForce=GTC&timestamp=1645423376532&type=LIMIT"
        )
    };
    check(
        &credentials,
        &session("52000.00", "0.01000000", "100", "SELL", "BTCUSDT"),
        "aa1b5712c094bc4e57c05a1a5c1fd8d88dcd628338ea863fec7b88e59fe2db24",
    );
    check(
        &credentials,
        &session("0.10000000", "1.00000000", "5000", "BUY", "１２３４５６"),
        "b33892ae8e687c939f4468c6268ddd4c40ac1af18ad19a064864c47bae0752cd",
    );
}

#[test]
fn private_keys_sign_what_openssl_signs() {
    let ed25519 = Credentials::pem(API_KEY, ED25519).unwrap();
    assert!(ed25519.is_ed25519());
    check(
        &ed25519,
        ORDER,
        "LDe9c+pJxuhCG8OK+vWCAdVt02+BctYZOTVCE3B4YkEUXbfJaCXboyKeTLI6dmewx6Uk5qqGT5KVysjDJ5qEAw==",
    );
    let rsa = Credentials::pem(API_KEY, RSA).unwrap();
    assert!(!rsa.is_ed25519());
    check(
        &rsa,
        ORDER,
        "azQ+cJ3PYKPcTNiVYwpF4hJeFhXOuzUr2at7guR4hguDPBoUg/LtfmCs2njq/71BE6Lcn3za0W6F4Be+QYRJkp8xdWVCYzQtPBl7fSx5Yj0ksrcQHJUOWjt3nS2o6ANOVtXmX1OUiLwCvQqwfqxSxeX9AX3vKyjm6wBiKQKX+dNM8LFhw5054ULRwMPYXKRDIzn5ilLROObvN95riHrRR4R6MWtUU1vcLTh6x/zQDTt3QJA5xc+Nz/O756MVvKfKR4wecDUMsAnLs/2x+PRqKGkcDdyMum9mP+ivTkuw3qE4lAbJMuE2bNg0SvC1vtulEK51nKYrtYCdzNphyelqhQ==",
    );
}

#[test]
fn a_signature_in_a_query_is_encoded_and_follows_what_it_signs() {
    let mut query = ORDER.as_bytes().to_vec();
    Credentials::pem(API_KEY, ED25519).unwrap().sign_query(&mut query).unwrap();
    let query = String::from_utf8(query).unwrap();
    let (signed, signature) = query.split_once("&signature=").unwrap();
    assert_eq!(signed, ORDER);
    assert!(signature.ends_with("EAw%3D%3D"), "{signature}");
    assert!(signature.contains("%2B") && !signature.contains('+'), "{signature}");
    let mut query = ORDER.as_bytes().to_vec();
    Credentials::hmac(API_KEY, SECRET).unwrap().sign_query(&mut query).unwrap();
    assert!(
        query.ends_with(
            b"&signature=c8db56825ae71d6d79447849e617115f4a920fa2acdcab2b053c4b2838bd6b71"
        )
    );
}

#[test]
fn no_secret_is_shown() {
    let credentials = Credentials::hmac(API_KEY, SECRET).unwrap();
    assert_eq!(format!("{credentials:?}"), "Credentials { kind: \"HMAC-SHA256\", .. }");
    let rsa = Credentials::pem(API_KEY, RSA).unwrap();
    assert_eq!(format!("{rsa:?}"), "Credentials { kind: \"RSA\", .. }");
    let broken = Credentials::pem(API_KEY, "-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n").unwrap_err();
    assert_eq!(broken, KeyError::PrivateKey);
    assert!(!broken.to_string().contains("c2VjcmV0"));
}

#[test]
fn files_are_read_and_what_is_missing_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let (key, secret) = (folder.path().join("key"), folder.path().join("secret"));
    std::fs::write(&key, format!("{API_KEY}\n")).unwrap();
    let error = Credentials::from_files(&key, &secret).unwrap_err().to_string();
    assert!(error.contains("secret cannot be read: entity not found"), "{error}");
    std::fs::write(&secret, format!("{SECRET}\n")).unwrap();
    let read = Credentials::from_files(&key, &secret).unwrap();
    check(&read, ORDER, "c8db56825ae71d6d79447849e617115f4a920fa2acdcab2b053c4b2838bd6b71");
    std::fs::write(&secret, ED25519).unwrap();
    assert!(Credentials::from_files(&key, &secret).unwrap().is_ed25519());
    let error = Credentials::from_env("BOT4_TEST_NO_SUCH_KEY", "BOT4_TEST_NO_SUCH_SECRET");
    let told = error.unwrap_err().to_string();
    assert_eq!(told, "the environment variable BOT4_TEST_NO_SUCH_KEY is not set");
}

#[test]
fn an_api_key_that_no_header_takes_and_an_empty_secret_are_refused() {
    for bad in ["", "a b", "a\r\nHost: x", "ä"] {
        assert_eq!(Credentials::hmac(bad, SECRET).unwrap_err(), KeyError::ApiKey, "{bad:?}");
    }
    assert_eq!(Credentials::hmac(API_KEY, "").unwrap_err(), KeyError::EmptySecret);
}
