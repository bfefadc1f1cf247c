//! What we build upon may be given on under our licences.

use crate::house::{metadata, none};

/// A licence expression passes when all of its parts, or one of its alternatives, are these.
const ALLOWED: [&str; 13] = [
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CDLA-Permissive-2.0",
    "CC0-1.0",
    "ISC",
    "MIT",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

fn passes(expression: &str) -> bool {
    let text = expression.replace('/', " OR ");
    let text = text.trim();
    // "(A OR B) AND C": all groups must pass; a group passes with one alternative.
    text.split(" AND ").all(|group| {
        let group = group.trim().trim_start_matches('(').trim_end_matches(')');
        group.split(" OR ").any(|one| {
            let one = one.trim().trim_start_matches('(').trim_end_matches(')');
            ALLOWED.contains(&one)
        })
    })
}

#[test]
fn every_dependency_may_be_given_on() {
    let mut breaches = Vec::new();
    for package in metadata(true)["packages"].as_array().unwrap() {
        let (name, licence) = (package["name"].as_str().unwrap(), package["license"].as_str());
        match licence {
            Some(expression) if passes(expression) => {}
            Some(other) => breaches.push(format!("{name} has the licence {other}: replace it")),
            None => breaches.push(format!("{name} has no licence: replace it")),
        }
    }
    none(breaches);
}

#[test]
fn a_tree_of_one_tls_and_no_foreign_build_tools() {
    // What needs a C compiler alone, as SQLite does and zstd for Parquet, is not among them.
    const BANNED: [&str; 6] =
        ["openssl-sys", "native-tls", "aws-lc-sys", "cmake", "bindgen", "prost-build"];
    let metadata = metadata(true);
    // The lock file also names what other platforms would need; what is resolved here counts.
    let resolved = metadata["resolve"]["nodes"].as_array().unwrap();
    let breaches = BANNED.iter().filter(|banned| {
        resolved.iter().any(|node| {
            let id = node["id"].as_str().unwrap();
            id.contains(&format!("/{banned}@")) || id.contains(&format!("#{banned}@"))
        })
    });
    none(
        breaches
            .map(|name| {
                format!("{name} is in the tree: see who brings it with cargo tree -i {name}")
            })
            .collect(),
    );
}
