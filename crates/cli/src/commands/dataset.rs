//! `bot4 dataset`: imports, lists and removes the series that tools read by name. Only a person
//! does this; no tool writes them.

use std::process::ExitCode;

use agent::Config;
use dataset::{Format, Import, Kind, Listed, Manifest, Name, Store, import, rfc3339};
use serde_json::{Value, json};

use crate::arguments::{
    DatasetAction, DatasetFormat, DatasetImportOptions, DatasetRemoveOptions, DatasetValues, Local,
};
use crate::output;
use crate::place::{make_state_dir, state_dir};

pub(crate) fn run(action: &DatasetAction, as_json: bool) -> ExitCode {
    let done = match action {
        DatasetAction::Import(options) => bring_in(options),
        DatasetAction::List(local) => list(local),
        DatasetAction::Remove(options) => remove(options),
    };
    match done {
        Ok((value, lines)) => {
            output::print(&if as_json { value.to_string() } else { lines.join("\n") });
            ExitCode::SUCCESS
        }
        Err(why) => output::fail(&why, as_json),
    }
}

/// What is printed: for programs, and for people.
type Said = (Value, Vec<String>);

fn bring_in(options: &DatasetImportOptions) -> Result<Said, String> {
    let name: Name = options.name.parse().map_err(|error| format!("--name: {error}"))?;
    let of = Import {
        files: options.files.clone(),
        format: options.format.map(|format| match format {
            DatasetFormat::Csv => Format::Csv,
            DatasetFormat::Parquet => Format::Parquet,
            DatasetFormat::Binance => Format::Binance,
            DatasetFormat::Capture => Format::Capture,
        }),
        values: options.values.map(|values| match values {
            DatasetValues::Prices => Kind::Price,
            DatasetValues::Returns => Kind::Return,
        }),
        columns: (!options.columns.is_empty()).then(|| options.columns.clone()),
        interval_ms: options.interval.as_deref().map(interval).transpose()?,
    };
    let store = store(&options.local)?;
    let imported = import(&of).map_err(|error| error.to_string())?;
    let manifest = store.put(&name, imported).map_err(|error| error.to_string())?;
    Ok((view(&manifest), lines(&manifest)))
}

fn list(local: &Local) -> Result<Said, String> {
    let store = store(local)?;
    let (mut values, mut said) = (Vec::new(), Vec::new());
    for Listed { name, manifest } in store.list().map_err(|error| error.to_string())? {
        match manifest {
            Ok(manifest) => {
                values.push(view(&manifest));
                said.extend(lines(&manifest));
            }
            Err(error) => {
                values.push(json!({"name": name.as_str(), "error": error.to_string()}));
                said.push(format!("{name}: {error}"));
            }
        }
    }
    if said.is_empty() {
        let how = "bot4 dataset import FILE --name NAME";
        said.push(format!("no datasets in {}: {how}", store.dir().display()));
    }
    Ok((Value::Array(values), said))
}

fn remove(options: &DatasetRemoveOptions) -> Result<Said, String> {
    let name: Name = options.name.parse().map_err(|error| format!("{error}"))?;
    store(&options.local)?.remove(&name).map_err(|error| error.to_string())?;
    Ok((json!({"removed": name.as_str()}), vec![format!("{name} is removed")]))
}

/// The folder that the agents read, too.
fn store(local: &Local) -> Result<Store, String> {
    let config = Config::load(&local.options.sources()).map_err(|error| error.to_string())?;
    if let Some(dir) = &config.datasets.dir {
        return Ok(Store::new(dir.clone()));
    }
    let dir = state_dir(config.state.dir.as_deref())?;
    make_state_dir(&dir)?;
    Ok(Store::new(config.datasets_dir(&dir)))
}

/// The length of a candle: `30s`, `1m`, `4h`, `1d`.
fn interval(text: &str) -> Result<i64, String> {
    let wrong = || format!("--interval is {text} but must be like 30s, 1m, 4h or 1d");
    let unit = match text.chars().last() {
        Some('s') => 1_000,
        Some('m') => 60_000,
        Some('h') => 3_600_000,
        Some('d') => 86_400_000,
        _ => return Err(wrong()),
    };
    let count: i64 = text[..text.len() - 1].parse().map_err(|_error| wrong())?;
    count.checked_mul(unit).filter(|ms| *ms > 0).ok_or_else(wrong)
}

fn view(of: &Manifest) -> Value {
    json!({
        "name": of.name,
        "rows": of.rows,
        "columns": of.columns.iter().map(|c| json!({"name": c.name, "kind": c.kind.word()})).collect::<Vec<_>>(),
        "from": rfc3339(of.from_ms),
        "to": rfc3339(of.to_ms),
        "interval": of.interval(),
        "missing_rows": of.gaps.missing_rows,
        "first_gap_after": of.gaps.first_after_ms.map(rfc3339),
        "sha256": of.sha256,
        "sources": of.sources.iter().map(|s| json!({"file": s.file, "sha256": s.sha256})).collect::<Vec<_>>(),
    })
}

/// The same for people.
fn lines(of: &Manifest) -> Vec<String> {
    let columns: Vec<&str> = of.columns.iter().take(12).map(|c| c.name.as_str()).collect();
    let more = if of.columns.len() > columns.len() { ", ..." } else { "" };
    let every = match of.interval() {
        Some(interval) => format!("every {interval}"),
        None => "at uneven distances".to_owned(),
    };
    let mut said = vec![format!(
        "{}: {} rows {every} from {} to {}; {}{more}",
        of.name,
        of.rows,
        rfc3339(of.from_ms),
        rfc3339(of.to_ms),
        columns.join(", ")
    )];
    if let Some(after) = of.gaps.first_after_ms {
        let missing = of.gaps.missing_rows;
        said.push(format!("  {missing} rows are missing, the first after {}", rfc3339(after)));
    }
    said
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_has_a_count_and_a_unit() {
        assert_eq!(interval("1m"), Ok(60_000));
        assert_eq!(interval("4h"), Ok(14_400_000));
        for wrong in ["", "m", "1", "-1m", "0m", "1w", "é", "99999999999999999d"] {
            let message = interval(wrong).unwrap_err();
            assert!(message.ends_with("but must be like 30s, 1m, 4h or 1d"), "{message}");
        }
    }
}
