//! `docs/LIMITS.md` is what the table of rules says; `UPDATE=1 cargo test -p risk` writes it anew.

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::fmt::Write;
    use std::fs;
    use std::path::Path;

    use risk::{BreakerRules, Limits, RULES, TripCode, limit_values};

    const ABOUT: &str = "# Limits\n\n\
        Generated from the table of rules: `UPDATE=1 cargo test -p risk`. Every order passes these \
        rules in this order; the first that fails refuses it with its code, the key of the limit, \
        its value, the value that broke it, and what would pass where something would. Keys are \
        those of the section `limits` of the configuration.\n\n\
        An order that only sells what is held and not promised passes every rule from \
        `OUTCOME_UNKNOWN` on.\n";

    const BREAKERS: &str = "\n## Breakers\n\n\
        There are two, and they share nothing: `trading` stops new exposure, `tooling` stops tools \
        that have nothing to do with an order. A trip opens a breaker for its cool-down; after that \
        it lets pass on probation for as long again. One more trip within the probation, or a code \
        that needs a person, keeps it open until a person resets it by name. A record that is \
        missing or makes no sense counts as open. Every change is kept.\n\n\
        | code | trips | needs a person at once |\n|---|---|---|\n";

    fn page() -> String {
        let values: BTreeMap<&str, Option<String>> =
            limit_values(&Limits::default(), &BreakerRules::default()).into_iter().collect();
        let mut page = ABOUT.to_owned();
        page.push_str(
            "\n| code | keys and house values | refuses | lifted when |\n|---|---|---|---|\n",
        );
        for rule in RULES {
            let keys: Vec<String> = rule
                .keys
                .iter()
                .map(|key| match &values[key] {
                    Some(value) => format!("`{key}` {value}"),
                    None => format!("`{key}` not set"),
                })
                .collect();
            let keys = keys.join("<br>");
            writeln!(page, "| `{}` | {keys} | {} | {} |", rule.code, rule.trips, rule.lifted)
                .unwrap();
        }
        page.push_str(BREAKERS);
        for code in TripCode::ALL {
            let both = risk::BreakerKind::ALL.into_iter().filter(|kind| code.trips(*kind));
            let kinds: Vec<&str> = both.map(risk::BreakerKind::name).collect();
            let person = if code.needs_person() { "yes" } else { "" };
            writeln!(page, "| `{code}` | {} | {person} |", kinds.join(", ")).unwrap();
        }
        page.push_str(
            "\nWhen failures trip, and for how long:\n\n| key | house value |\n|---|---|\n",
        );
        for (key, value) in values.iter().filter(|(key, _)| key.starts_with("breaker_")) {
            writeln!(page, "| `{key}` | {} |", value.as_deref().unwrap_or("not set")).unwrap();
        }
        page
    }

    #[test]
    fn the_page_of_limits_is_what_the_rules_say() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/LIMITS.md");
        if std::env::var_os("UPDATE").is_some() {
            fs::write(&path, page()).unwrap();
        }
        let found = fs::read_to_string(&path).unwrap_or_default();
        assert_eq!(found, page(), "docs/LIMITS.md: run UPDATE=1 cargo test -p risk");
    }

    #[test]
    fn every_key_of_a_rule_has_a_value() {
        let values: BTreeMap<&str, Option<String>> =
            limit_values(&Limits::default(), &BreakerRules::default()).into_iter().collect();
        for key in RULES.iter().flat_map(|rule| rule.keys) {
            assert!(values.contains_key(key), "{key}");
        }
    }
}
