//! Decides whether a request was signed by the holder of a key.
//!
//! What is signed is the exact text that was sent: the query string followed by the body, without
//! the parameter `signature` itself. Over a socket it is all parameters, sorted by name and not
//! percent-encoded. HMAC-SHA256 (FIPS 198-1) comes as hexadecimal digits in either case;
//! RSASSA-PKCS1-v1_5 with SHA-256 (RFC 8017, section 8.2) and Ed25519 (RFC 8032) come as base64.
//!
//! # Invariants
//!
//! * Comparisons of secrets take the same time whether they match or not.
//! * No secret appears in `Debug` output.

use std::fmt;

use ring::{hmac, signature as asymmetric};

/// What a key's signatures are verified with.
#[derive(Clone)]
pub(crate) enum Verifier {
    /// A shared secret.
    Hmac { key: hmac::Key, secret: String },
    /// The public key in PKCS#1 form.
    Rsa { public: Vec<u8>, pem: String },
    /// The 32 bytes of the public key.
    Ed25519 { public: Vec<u8>, pem: String },
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Hmac { .. } => "Hmac",
            Self::Rsa { .. } => "Rsa",
            Self::Ed25519 { .. } => "Ed25519",
        })
    }
}

/// Takes the parameter `signature` out of a query or body; gives the rest and its raw value.
pub(crate) fn split_signature(text: &str) -> (String, Option<&str>) {
    if !text.contains("signature=") {
        return (text.to_owned(), None);
    }
    let mut signature = None;
    let mut rest = String::with_capacity(text.len());
    let mut is_first = true;
    for part in text.split('&') {
        if let Some(value) = part.strip_prefix("signature=") {
            signature = Some(value);
            continue;
        }
        if !is_first {
            rest.push('&');
        }
        is_first = false;
        rest.push_str(part);
    }
    (rest, signature)
}

/// Whether a text that was signed is percent-encoded where it must be.
pub(crate) fn is_percent_encoded(text: &str) -> bool {
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        let legal = match byte {
            b'%' => {
                let digits = (bytes.next(), bytes.next());
                matches!(digits, (Some(a), Some(b)) if a.is_ascii_hexdigit() && b.is_ascii_hexdigit())
            }
            b'"' | b'[' | b']' | b'{' | b'}' | b'<' | b'>' | b'\\' | b'^' | b'`' | b'|' => false,
            byte => byte.is_ascii_graphic(),
        };
        if !legal {
            return false;
        }
    }
    true
}

/// What is signed over a socket: `name=value` sorted by name, joined by `&`.
pub(crate) fn socket_payload<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let mut sorted: Vec<_> = pairs.filter(|(name, _)| *name != "signature").collect();
    sorted.sort_unstable();
    let mut payload = String::with_capacity(256);
    for (name, value) in sorted {
        if !payload.is_empty() {
            payload.push('&');
        }
        payload.push_str(name);
        payload.push('=');
        payload.push_str(value);
    }
    payload
}

fn hex(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) {
        return None;
    }
    let digits: Option<Vec<u32>> = text.chars().map(|c| c.to_digit(16)).collect();
    let byte = |pair: &[u32]| match pair {
        [high, low] => u8::try_from(high.saturating_mul(16).saturating_add(*low)).ok(),
        _ => None,
    };
    digits?.chunks(2).map(byte).collect()
}

/// Base64 (RFC 4648, section 4) with its padding.
pub(crate) fn base64(text: &str) -> Option<Vec<u8>> {
    let body = text.trim_end_matches('=');
    if !text.len().is_multiple_of(4) || text.len().saturating_sub(body.len()) > 2 {
        return None;
    }
    let (mut bits, mut count, mut out) = (0_u32, 0_u32, Vec::with_capacity(text.len()));
    for byte in body.bytes() {
        let value = match byte {
            b'A'..=b'Z' => byte.saturating_sub(b'A'),
            b'a'..=b'z' => byte.saturating_sub(b'a').saturating_add(26),
            b'0'..=b'9' => byte.saturating_sub(b'0').saturating_add(52),
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = (bits << 6) | u32::from(value);
        count = count.saturating_add(6);
        if count >= 8 {
            count = count.saturating_sub(8);
            out.push(u8::try_from((bits >> count) & 0xff).ok()?);
            bits &= (1 << count) - 1;
        }
    }
    Some(out)
}

/// The content of a DER element with this tag, and what follows it.
fn der(bytes: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (found, rest) = bytes.split_first()?;
    let (first, rest) = rest.split_first()?;
    let (length, rest) = if *first < 0x80 {
        (usize::from(*first), rest)
    } else {
        let digits = usize::from(*first & 0x7f);
        let (digits, rest) = rest.split_at_checked(digits.min(4))?;
        (digits.iter().fold(0_usize, |sum, digit| (sum << 8) | usize::from(*digit)), rest)
    };
    if *found == tag { rest.split_at_checked(length) } else { None }
}

// === impl Verifier ===

impl Verifier {
    /// A shared secret of HMAC-SHA256.
    pub(crate) fn hmac(secret: &str) -> Self {
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
        Self::Hmac { key, secret: secret.to_owned() }
    }

    /// A public key in PEM form (`BEGIN PUBLIC KEY`), RSA or Ed25519.
    pub(crate) fn from_pem(pem: &str) -> Option<Self> {
        let body: String = pem
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty() && !line.starts_with("-----"))
            .collect();
        let bytes = base64(&body)?;
        // SubjectPublicKeyInfo: SEQUENCE { SEQUENCE { OID, .. }, BIT STRING } (RFC 5280).
        let (info, _) = der(&bytes, 0x30)?;
        let (algorithm, rest) = der(info, 0x30)?;
        let (oid, _) = der(algorithm, 0x06)?;
        let (bits, _) = der(rest, 0x03)?;
        let public = bits.strip_prefix(&[0])?.to_vec();
        let pem = pem.to_owned();
        match oid {
            [0x2b, 0x65, 0x70] if public.len() == 32 => Some(Self::Ed25519 { public, pem }),
            [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01] => {
                Some(Self::Rsa { public, pem })
            }
            _ => None,
        }
    }

    /// Whether `signature` (percent-decoded) signs `payload`.
    pub(crate) fn verifies(&self, payload: &str, signature: &str) -> bool {
        let payload = payload.as_bytes();
        match self {
            Self::Hmac { key, .. } => {
                hex(signature).is_some_and(|tag| hmac::verify(key, payload, &tag).is_ok())
            }
            Self::Rsa { public, .. } => {
                let key = asymmetric::UnparsedPublicKey::new(
                    &asymmetric::RSA_PKCS1_2048_8192_SHA256,
                    public,
                );
                base64(signature).is_some_and(|bytes| key.verify(payload, &bytes).is_ok())
            }
            Self::Ed25519 { public, .. } => {
                let key = asymmetric::UnparsedPublicKey::new(&asymmetric::ED25519, public);
                base64(signature).is_some_and(|bytes| key.verify(payload, &bytes).is_ok())
            }
        }
    }

    /// Only keys of this kind may log a socket on.
    pub(crate) const fn is_ed25519(&self) -> bool {
        matches!(self, Self::Ed25519 { .. })
    }
}

/// Whether two secrets are equal, in a time that does not depend on where they differ.
pub(crate) fn secrets_match(one: &str, other: &str) -> bool {
    // Both are hashed under one key first, so that length does not show either.
    let key = hmac::Key::new(hmac::HMAC_SHA256, b"compare");
    let tag = hmac::sign(&key, one.as_bytes());
    hmac::verify(&key, other.as_bytes(), tag.as_ref()).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Key and vectors of the protocol's own documentation.
    const SECRET: &str = "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j";
    const KEY: &str = "vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A";

    #[test]
    fn the_documented_rest_vectors_verify_in_either_case() {
        let tail = "&side=BUY&type=LIMIT&timeInForce=GTC&quantity=1&price=0.1&recvWindow=5000&timestamp=1499827319559";
        for (symbol, signature) in [
            ("LTCBTC", "c8db56825ae71d6d79447849e617115f4a920fa2acdcab2b053c4b2838bd6b71"),
            (
                "%EF%BC%91%EF%BC%92%EF%BC%93%EF%BC%94%EF%BC%95%EF%BC%96",
                "e1353ec6b14d888f1164ae9af8228a3dbd508bc82eb867db8ab6046442f33ef3",
            ),
        ] {
            let payload = format!("symbol={symbol}{tail}");
            let verifier = Verifier::hmac(SECRET);
            assert!(verifier.verifies(&payload, signature));
            assert!(verifier.verifies(&payload, &signature.to_uppercase()));
            assert!(!verifier.verifies(&format!("{payload}0"), signature));
            for bad in ["", "zz", "c8d", &signature[..62]] {
                assert!(!verifier.verifies(&payload, bad), "{bad:?}");
            }
        }
    }

    #[test]
    fn the_documented_socket_vectors_verify_over_sorted_plain_text() {
        let sign = |pairs: &[(&str, &str)], signature| {
            let mut pairs = pairs.to_vec();
            pairs.push(("apiKey", KEY));
            pairs.push(("signature", signature));
            let payload = socket_payload(pairs.into_iter());
            assert!(Verifier::hmac(SECRET).verifies(&payload, signature), "{payload}");
        };
        let common = [("timeInForce", "GTC"), ("timestamp", "1645423376532"), ("type", "LIMIT")];
        let mut first = common.to_vec();
        first.extend([("symbol", "BTCUSDT"), ("side", "SELL"), ("recvWindow", "100")]);
        first.extend([("price", "52000.00"), ("quantity", "0.01000000")]);
        sign(&first, "aa1b5712c094bc4e57c05a1a5c1fd8d88dcd628338ea863fec7b88e59fe2db24");
        let mut second = common.to_vec();
        second.extend([("symbol", "１２３４５６"), ("side", "BUY"), ("recvWindow", "5000")]);
        second.extend([("price", "0.10000000"), ("quantity", "1.00000000")]);
        sign(&second, "b33892ae8e687c939f4468c6268ddd4c40ac1af18ad19a064864c47bae0752cd");
    }

    #[test]
    fn ed25519_vector_one_of_rfc_8032_and_a_pem_key_verify() {
        use ring::signature::KeyPair as _;
        let seed = hex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60").unwrap();
        let pair = asymmetric::Ed25519KeyPair::from_seed_unchecked(&seed).unwrap();
        let public =
            hex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a").unwrap();
        assert_eq!(pair.public_key().as_ref(), public);
        // The same public key in PEM form, as `openssl pkey -pubout` writes it.
        let pem = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n-----END PUBLIC KEY-----\n";
        let verifier = Verifier::from_pem(pem).unwrap();
        assert!(verifier.is_ed25519());
        // The empty message of the RFC's test 1, in base64.
        let signature = "5VZDAMNgrHKQhuLMgG6CioSHfx645dl02HPgZSJJAVVfuIIVkKM7rMYeOXAc+bRr0lv18FlbviRlUUFDjnoQCw==";
        assert!(verifier.verifies("", signature));
        assert!(!verifier.verifies("x", signature));
        let own = pair.sign(b"timestamp=1");
        assert!(base64_of(own.as_ref()).is_some_and(|s| verifier.verifies("timestamp=1", &s)));
        assert_eq!(format!("{verifier:?}"), "Ed25519");
        assert_eq!(format!("{:?}", Verifier::hmac("secret")), "Hmac");
    }

    fn base64_of(bytes: &[u8]) -> Option<String> {
        const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        let mut out = String::new();
        for chunk in bytes.chunks(3) {
            let mut bits = 0_u32;
            for place in 0..3 {
                bits = (bits << 8) | u32::from(chunk.get(place).copied().unwrap_or(0));
            }
            for place in 0..4_usize {
                if place > chunk.len() {
                    out.push('=');
                } else {
                    let value = (bits >> (18 - 6 * place)) & 63;
                    out.push(char::from(*ALPHABET.get(usize::try_from(value).ok()?)?));
                }
            }
        }
        Some(out)
    }

    #[test]
    fn the_signature_is_taken_out_wherever_it_stands() {
        assert_eq!(split_signature("a=1&signature=x&b=2"), ("a=1&b=2".to_owned(), Some("x")));
        assert_eq!(split_signature("signature=x"), (String::new(), Some("x")));
        assert_eq!(split_signature("a=1"), ("a=1".to_owned(), None));
    }

    #[test]
    fn raw_text_that_should_be_percent_encoded_is_seen() {
        assert!(is_percent_encoded("symbol=BTCUSDT&x=%5B1%5D&y=a.b-c_d~e,f:g@h/i"));
        for raw in ["symbols=[\"A\"]", "a=１", "a=b c", "a=%5", "a=%zz", "a=\u{1}"] {
            assert!(!is_percent_encoded(raw), "{raw}");
        }
    }

    #[test]
    fn base64_with_wrong_padding_or_letters_is_refused() {
        assert_eq!(base64("YWJj").as_deref(), Some(&b"abc"[..]));
        assert_eq!(base64("YWI=").as_deref(), Some(&b"ab"[..]));
        for bad in ["YWI", "YW=I", "Y===", "YW I", "YWJ*"] {
            assert_eq!(base64(bad), None, "{bad:?}");
        }
    }
}
