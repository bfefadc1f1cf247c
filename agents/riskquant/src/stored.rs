//! Series that a call names instead of holding: `dataset` in the place of `returns`.
//!
//! A dataset's series become the returns that the caller would have written, before the tool looks
//! at anything; so a tool computes alike whether numbers were given or named. What was read is said
//! in the answer, since names stay while what is behind them may be imported anew.

use std::borrow::Cow;
use std::sync::Arc;

use agent::{Answer, Args, typed};
use dataset::{DatasetError, Reference, Selected, Store, rfc3339};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::json;
use wire::schema::input_of;
use wire::{Failure, Violation};

use crate::Quant;
use crate::answer::representable;
use crate::choice::example_in;

/// What a call names; its grammar is [`Reference`]'s.
#[derive(Debug, Clone, Deserialize)]
#[serde(transparent)]
pub(crate) struct Dataset(String);

/// Parameters of which some may be named instead of given.
pub(crate) trait TakesSeries: DeserializeOwned + JsonSchema {
    /// How many times as long as what could be given a named series may be. More than once only where
    /// the work grows with the length and no faster.
    const LENGTHENED: usize = 1;

    /// What the call names.
    fn dataset(&self) -> Option<&Dataset>;

    /// The parameters in whose places series come, and whether they are given. The first one is
    /// where they come first.
    fn places(&self) -> Vec<(&'static str, bool)>;

    /// Whether the first place must be given when nothing is named; otherwise the tool says when.
    fn must_be_given(&self) -> bool {
        true
    }

    /// Puts what is named in its places.
    ///
    /// # Errors
    /// When it does not fit.
    fn put(&mut self, named: &mut Named<'_>) -> Result<(), Failure>;
}

/// What a call names, to be read once.
pub(crate) struct Named<'a> {
    store: &'a Store,
    reference: Reference,
    text: &'a str,
    read: Option<String>,
}

/// An answer, and what was read for it.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Answered<R> {
    #[serde(flatten)]
    answer: R,
    /// The dataset that was read: times, count, rows missing between them, SHA-256.
    #[serde(skip_serializing_if = "Option::is_none")]
    dataset: Option<String>,
}

/// Runs a tool with its series in their places.
pub(crate) fn answered<P, R>(
    quant: &Quant,
    args: &Args,
    run: impl FnOnce(&P) -> Result<R, Failure>,
) -> Answer
where
    P: TakesSeries,
    R: Serialize,
{
    typed(args, |mut params: P| {
        let dataset = fill(&quant.datasets, &mut params)?;
        Ok(Answered { answer: representable(run(&params))?, dataset })
    })
}

/// The same for a tool that answers at once unless it must read a dataset first, which would keep
/// others waiting.
pub(crate) async fn answered_at_once<P, R>(
    quant: Arc<Quant>,
    args: Args,
    run: fn(&Quant, &P) -> Result<R, Failure>,
) -> Answer
where
    P: TakesSeries + 'static,
    R: Serialize + 'static,
{
    if args.read::<P>()?.dataset().is_none() {
        return answered(&quant, &args, |params| run(&quant, params));
    }
    let work = move || answered(&quant, &args, |params| run(&quant, params));
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| {
        Err(Failure::unavailable(format!("the dataset was not read: {error}")))
    })
}

/// Puts what a call names in its places; says what was read.
pub(crate) fn fill<P: TakesSeries>(
    store: &Store,
    params: &mut P,
) -> Result<Option<String>, Failure> {
    let places = params.places();
    let Some(Dataset(text)) = params.dataset().cloned() else {
        return match places.first() {
            Some((place, false)) if params.must_be_given() => {
                let rule = "is required, or dataset in its place";
                Err(Failure::invalid(place, "missing", rule, example_in::<P>(place)))
            }
            _ => Ok(None),
        };
    };
    if let Some((place, _)) = places.iter().find(|(_, is_given)| *is_given) {
        let rule = format!("must be left out when {place} is given");
        let field = "dataset".to_owned();
        let violation = Violation { field, value: text, rule, example: None };
        return Err(Failure::invalid_params(vec![violation]));
    }
    let reference = text.parse().map_err(|error| refused(&error))?;
    let mut named = Named { store, reference, text: &text, read: None };
    params.put(&mut named)?;
    Ok(named.read)
}

/// A refusal in the words of a call.
pub(crate) fn refused(error: &DatasetError) -> Failure {
    match error.mistake() {
        // The file itself is wrong: no other argument would help.
        Some(mistake) if !mistake.file.is_empty() => {
            Failure::refused("DATASET_DAMAGED", error.to_string())
        }
        Some(mistake) => {
            Failure::invalid(&mistake.field, &mistake.value, &mistake.rule, json!(mistake.example))
        }
        None => Failure::unavailable(error.to_string()),
    }
}

// === impl Dataset ===

impl Dataset {
    /// What the call named, after what is shown of it.
    pub(crate) fn after(named: Option<&Self>, title: &str) -> String {
        named.map_or_else(|| title.to_owned(), |Self(text)| format!("{title}: {text}"))
    }
}

// === impl Named ===

impl Named<'_> {
    /// All series as simple returns, with their names; `place` is where they go, whose bounds they
    /// keep.
    pub(crate) fn returns<P: TakesSeries>(
        &mut self,
        place: &str,
    ) -> Result<(Vec<String>, Vec<Vec<f64>>), Failure> {
        let selected = self.reference.read(self.store).map_err(|error| refused(&error))?;
        let returns = selected.returns().map_err(|error| refused(&error))?;
        let skipped = usize::from(!selected.are_all_returns());
        self.bounded::<P>(place, returns.iter().map(Vec::len).max().unwrap_or(0))?;
        self.say(&selected, skipped, "returns");
        Ok((selected.series.into_iter().map(|of| of.name).collect(), returns))
    }

    /// All series as returns of assets. Whoever names no assets gets the names of the dataset.
    pub(crate) fn assets<P: TakesSeries>(
        &mut self,
        assets: &mut Vec<String>,
        returns: &mut Vec<Vec<f64>>,
    ) -> Result<(), Failure> {
        let names;
        (names, *returns) = self.returns::<P>("returns")?;
        if assets.is_empty() {
            *assets = names;
        }
        Ok(())
    }

    /// One series of returns, and those after it of which `more` are taken.
    pub(crate) fn first_and<const MORE: usize, P: TakesSeries>(
        &mut self,
        place: &str,
    ) -> Result<(Vec<f64>, Vec<Vec<f64>>), Failure> {
        let (names, mut series) = self.returns::<P>(place)?;
        if series.len() > 1 + MORE {
            let rule = match MORE {
                0 => "must name one series".to_owned(),
                more => format!("must name 1 to {} series", more + 1),
            };
            let value = format!("{} series ({})", names.len(), names.join(", "));
            let example =
                format!("{}:{}", self.text.split(['@', '+', ':']).next().unwrap_or(""), names[0]);
            return Err(Failure::invalid("dataset", value, &rule, json!(example)));
        }
        let rest = series.split_off(1);
        Ok((series.swap_remove(0), rest))
    }

    /// One series of returns.
    pub(crate) fn one<P: TakesSeries>(&mut self, place: &str) -> Result<Vec<f64>, Failure> {
        Ok(self.first_and::<0, P>(place)?.0)
    }

    /// Open, high, low and close of each row.
    pub(crate) fn candles<P: TakesSeries>(
        &mut self,
        place: &str,
    ) -> Result<Vec<[f64; 4]>, Failure> {
        let selected = self.reference.read_candles(self.store).map_err(|error| refused(&error))?;
        let rows = selected.times.len();
        self.bounded::<P>(place, rows)?;
        self.say(&selected, 0, "bars");
        let price = |series: usize, row: usize| selected.series[series].values[row];
        Ok((0..rows).map(|row| std::array::from_fn(|series| price(series, row))).collect())
    }

    /// A tool's work is bounded by the length of what is given or named.
    fn bounded<P: TakesSeries>(&self, place: &str, length: usize) -> Result<(), Failure> {
        let mut node = &input_of::<P>();
        for part in place.split('.') {
            let member = &node["properties"][part];
            node = if member["items"]["properties"].is_object() && place.contains('.') {
                &member["items"]
            } else {
                member
            };
        }
        let inner = if node["items"]["type"] == "array" { &node["items"] } else { node };
        let max = inner["maxItems"].as_u64().and_then(|max| usize::try_from(max).ok());
        let max = max.map(|max| max.saturating_mul(P::LENGTHENED));
        match max.filter(|max| length > *max) {
            None => Ok(()),
            Some(max) => {
                let rule = format!("must select at most {max}: end it with a shorter @FROM..TO");
                let example = json!("btc_1h@2024-01-01..2024-07-01");
                let value = format!("{} with {length} values", self.text);
                Err(Failure::invalid("dataset", value, &rule, example))
            }
        }
    }

    fn say(&mut self, selected: &Selected, skipped: usize, what: &str) {
        let moment = |at: Option<&i64>| at.copied().map(rfc3339).unwrap_or_default();
        let count = selected.times.len() - skipped;
        let missing = match selected.missing_rows() {
            Some(0) => String::new(),
            Some(missing) => format!(", {missing} rows missing between them"),
            None => ", at uneven distances".to_owned(),
        };
        let hashes = selected.manifests.iter();
        let hashes: Vec<&str> = hashes.map(|of| of.sha256.get(..12).unwrap_or_default()).collect();
        self.read = Some(format!(
            "{}: {count} {what} from {} to {}{missing}, sha256 {}",
            self.text,
            moment(selected.times.get(skipped)),
            moment(selected.times.last()),
            hashes.join(" ")
        ));
    }
}

impl JsonSchema for Dataset {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Dataset".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "examples": ["btc_1h"]})
    }
}
