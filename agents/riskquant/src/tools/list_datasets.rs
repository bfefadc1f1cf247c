//! Which series there are to name.

use agent::{Effect, Run, ToolDef, typed};
use dataset::{Kind, Manifest, Store, rfc3339};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use wire::{Failure, schema};

use crate::Quant;
use crate::stored::refused;

/// The most datasets of one answer.
const LISTED_MAX: usize = 50;

/// The most columns of a dataset that are shown without detail.
const COLUMNS_SHOWN: usize = 12;

pub(super) const TOOL: ToolDef<Quant> = ToolDef {
    name: "list_datasets",
    title: "Stored series",
    description: "Lists the series that `dataset` parameters name: NAME or NAME:COLUMN,COLUMN, joined \
                  by + if their times are the same, then @FROM..TO (TO excluded). Without a column \
                  the close, or all prices and returns. Prices become simple returns. A person \
                  imports them: `bot4 dataset import`.",
    effect: Effect::Reads,
    open_world: false,
    input: schema::input_of::<Params>,
    output: schema::output_of::<Listing>,
    run: Run::Heavy(|quant, args, _| {
        typed(args, |params: Params| list_datasets(&quant.datasets, &params))
    }),
};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Params {
    /// Only those whose names begin so.
    #[schemars(length(max = 64), extend("examples" = ["btc_"]))]
    prefix: Option<String>,
    /// Adds all columns with their kinds, and the files they came from.
    #[schemars(extend("examples" = [true]))]
    detail: Option<bool>,
}

/// What there is to name.
#[derive(Debug, Serialize, JsonSchema)]
struct Listing {
    /// The datasets, by name.
    datasets: Vec<Dataset>,
    /// How many there are in all; at most 50 are listed.
    count: usize,
    /// Files that are no datasets, and why.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    unreadable: Vec<String>,
    /// What was assumed.
    assumptions: Vec<String>,
}

/// A dataset.
#[derive(Debug, Serialize, JsonSchema)]
struct Dataset {
    /// What it is called.
    name: String,
    /// Its columns besides the time, the first twelve; with detail all, each with its kind.
    columns: Vec<String>,
    /// How many columns it has.
    column_count: usize,
    /// How many rows.
    rows: usize,
    /// The moment of the first row.
    from: String,
    /// The moment of the last row.
    to: String,
    /// The distance of the rows: 1h, 1d. Left out when they are at uneven distances.
    #[serde(skip_serializing_if = "Option::is_none")]
    interval: Option<String>,
    /// Rows that are missing at that distance. Left out when none is.
    #[serde(skip_serializing_if = "Option::is_none")]
    missing_rows: Option<u64>,
    /// The first digits of the SHA-256 of its numbers.
    sha256: String,
    /// With detail: the files it came from, each with its SHA-256.
    #[serde(skip_serializing_if = "Option::is_none")]
    sources: Option<Vec<String>>,
}

fn list_datasets(store: &Store, params: &Params) -> Result<Listing, Failure> {
    let prefix = params.prefix.as_deref().unwrap_or_default();
    let listed = store.list().map_err(|error| refused(&error))?;
    let listed = listed.into_iter().filter(|of| of.name.as_str().starts_with(prefix));
    let (mut datasets, mut unreadable, mut count) = (Vec::new(), Vec::new(), 0_usize);
    for of in listed {
        count = count.saturating_add(1);
        if datasets.len() + unreadable.len() >= LISTED_MAX {
            continue;
        }
        match of.manifest {
            Ok(manifest) => datasets.push(Dataset::of(manifest, params.detail == Some(true))),
            Err(error) => unreadable.push(format!("{}: {error}", of.name)),
        }
    }
    let assumptions = vec!["times are UTC; a row of candles bears its opening time".to_owned()];
    Ok(Listing { datasets, count, unreadable, assumptions })
}

// === impl Dataset ===

impl Dataset {
    fn of(of: Manifest, detail: bool) -> Self {
        let kind = |kind: Kind| if detail { format!(" ({})", kind.word()) } else { String::new() };
        let shown = if detail { usize::MAX } else { COLUMNS_SHOWN };
        let columns = of.columns.iter().take(shown);
        let source = |source: dataset::Source| format!("{} sha256 {}", source.file, source.sha256);
        Self {
            columns: columns
                .map(|column| format!("{}{}", column.name, kind(column.kind)))
                .collect(),
            column_count: of.columns.len(),
            rows: of.rows,
            from: rfc3339(of.from_ms),
            to: rfc3339(of.to_ms),
            interval: of.interval(),
            missing_rows: Some(of.gaps.missing_rows).filter(|missing| *missing > 0),
            sha256: of.sha256.get(..12).unwrap_or_default().to_owned(),
            sources: detail.then(|| of.sources.into_iter().map(source).collect()),
            name: of.name,
        }
    }
}
