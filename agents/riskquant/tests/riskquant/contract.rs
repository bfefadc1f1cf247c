//! What `tools.list` promises, held for every tool by asking over the bus.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use agent::{Config, Host, Running, ToolTable, start};
use bus::{Bus, CallOptions, Client};
use dataset::{Import, Name, Store, import};
use riskquant::DEFINITION;
use serde_json::value::to_raw_value;
use serde_json::{Value, json};
use telemetry::Metrics;
use tempfile::TempDir;
use testkit::WallClock;
use wire::schema::{check, example_of, is_plain};
use wire::{AgentName, Code, Effect, Failure, InstanceId, ToolInfo};

struct World {
    _running: Running,
    state: TempDir,
    client: Client,
}

/// Three hundred hours of two assets, and one of returns; examples name `btc_1h`.
fn import_datasets(state: &Path) {
    let mut candles = "time,open,high,low,close\n".to_owned();
    let mut returns = "time,return\n".to_owned();
    for (hour, change) in clustered().into_iter().enumerate() {
        let time = 1_704_067_200 + 3_600 * hour;
        let (open, close) = (100.0, 100.0 * (1.0 + change / 2.0));
        let (high, low) = (f64::max(open, close) + 0.5, f64::min(open, close) - 0.5);
        candles.push_str(&format!("{time},{open},{high},{low},{close}\n"));
        returns.push_str(&format!("{time},{change}\n"));
    }
    put(state, "btc_1h", &candles);
    put(state, "mine", &returns);
}

fn put(state: &Path, name: &str, text: &str) {
    let file = state.join(format!("{name}.csv"));
    fs::write(&file, text).unwrap();
    let files = vec![file];
    let of = Import { files, format: None, values: None, columns: None, interval_ms: None };
    let store = Store::new(state.join("datasets"));
    store.put(&name.parse::<Name>().unwrap(), import(&of).unwrap()).unwrap();
}

impl World {
    async fn new(config: Config) -> Self {
        let bus = Bus::memory(Arc::new(WallClock));
        let state = TempDir::new().unwrap();
        import_datasets(state.path());
        let host = Host {
            config: Arc::new(config),
            state_dir: state.path().to_owned(),
            clock: Arc::new(WallClock),
            metrics: Metrics::new(),
            bus: bus.clone(),
        };
        let running = start(&DEFINITION, host).await.unwrap();
        let client = Client::start(&bus, &name("tester")).await.unwrap();
        Self { _running: running, state, client }
    }

    async fn call(&self, tool: &str, args: &Value) -> Result<Value, Failure> {
        let options = CallOptions {
            timeout: Duration::from_secs(20),
            effect: Effect::Reads,
            command_id: Some(InstanceId::random().as_str().parse().unwrap()),
            traceparent: None,
        };
        let (tool, args) = (tool.parse().unwrap(), to_raw_value(args).unwrap());
        let answer = self.client.call(&name("riskquant"), &tool, args, &options).await?;
        Ok(serde_json::from_str(answer.get()).unwrap())
    }
}

fn name(text: &str) -> AgentName {
    text.parse().unwrap()
}

/// The tools as they are listed over the bus.
async fn listed(world: &World) -> Vec<ToolInfo> {
    let instances = world.client.directory().all();
    let instance = instances[&name("riskquant")][0].presence.instance.clone();
    let timeout = Duration::from_secs(5);
    let listed = world.client.tools(&name("riskquant"), &instance, timeout).await.unwrap();
    let listed: Value = serde_json::from_str(listed.get()).unwrap();
    serde_json::from_value(listed["tools"].clone()).unwrap()
}

/// Every parameter within a schema with its path, through objects and lists of objects.
fn parameters(schema: &Value, path: &str) -> Vec<(String, Value)> {
    let mut found = Vec::new();
    let properties = schema.get("properties").and_then(Value::as_object);
    for (name, parameter) in properties.into_iter().flatten() {
        let path = format!("{path}.{name}");
        found.extend(parameters(parameter, &path));
        found.extend(parameters(&parameter["items"], &path));
        found.push((path, parameter.clone()));
    }
    found
}

#[tokio::test]
async fn the_tools_are_listed_in_their_order_and_none_moves_money() {
    let world = World::new(Config::default()).await;
    let tools = listed(&world).await;
    let names: Vec<&str> = tools.iter().map(|tool| tool.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "calculate_kelly",
            "calculate_var",
            "optimize_portfolio",
            "calculate_risk_metrics",
            "monte_carlo_simulation",
            "backtest_var",
            "fit_volatility",
            "estimate_covariance",
            "efficient_frontier",
            "stress_test",
            "performance_report",
            "position_size",
            "list_datasets",
            "risk_of_order",
            "get_limits",
            "set_limit",
            "get_breakers",
            "reset_breaker",
        ]
    );
    for tool in &tools {
        let changes = ["set_limit", "reset_breaker"].contains(&tool.name.as_str());
        let effect = if changes { Effect::Changes } else { Effect::Reads };
        assert_eq!(tool.effect, effect, "{}", tool.name);
        assert_eq!(tool.open_world, tool.name.as_str() == "risk_of_order", "{}", tool.name);
    }
    assert_eq!(tools.len(), ToolTable::new(DEFINITION.tools).infos().len());
}

#[tokio::test]
async fn every_schema_is_plain_and_every_parameter_documented_with_an_example() {
    let world = World::new(Config::default()).await;
    for tool in listed(&world).await {
        assert_eq!(is_plain(&tool.input_schema), Ok(()), "{}", tool.name);
        assert_eq!(is_plain(&tool.output_schema), Ok(()), "{}", tool.name);
        for (path, parameter) in parameters(&tool.input_schema, tool.name.as_str()) {
            assert!(parameter["description"].is_string(), "{path} has no description");
            // A list of fixed texts shows them, and a list of objects has those of its members.
            let has_example = parameter["examples"].is_array()
                || parameter["enum"].is_array()
                || !parameters(&parameter["items"], "").is_empty();
            assert!(has_example, "{path} has no example");
            for example in parameter["examples"].as_array().into_iter().flatten() {
                assert_eq!(check(&parameter, example), Vec::new(), "{path}");
            }
            if parameter["type"] == "array" {
                assert!(parameter["maxItems"].is_u64(), "{path} has no bound");
            }
        }
        for (path, member) in parameters(&tool.output_schema, tool.name.as_str()) {
            assert!(member["description"].is_string(), "{path} has no description");
        }
    }
}

/// What goes together, tool by tool: arguments that stand in for their examples, and parameters
/// that are given by theirs.
fn combinations(tool: &str) -> Vec<(Value, &'static [&'static str])> {
    match tool {
        "calculate_kelly" => vec![
            (json!({}), &["win_probability", "win_return", "loss_return", "kelly_fraction"]),
            (json!({"method": "exclusive"}), &["bets"]),
            (json!({"method": "sample"}), &["returns"]),
            (json!({"method": "sample", "dataset": "mine"}), &[]),
            (json!({"method": "continuous"}), &["mean_excess", "covariance", "standard_error"]),
        ],
        "calculate_var" => vec![
            (json!({}), &["returns", "portfolio_value", "quantile_rule", "plot"]),
            (json!({"method": "normal"}), &["asset_returns", "weights", "detail"]),
            (json!({"method": "ewma"}), &["returns", "decay"]),
            (json!({}), &["dataset"]),
            (json!({"dataset": "btc_1h+mine", "weights": [0.5, 0.5]}), &[]),
            (
                json!({"method": "filtered", "horizon": 2}),
                &["returns", "filter", "decay", "paths", "seed"],
            ),
            (
                json!({"method": "hill", "tail_share": 0.4, "confidence": 0.8,
                    "returns": [-0.1, -0.08, -0.06, -0.04, -0.02, 0.01, 0.02]}),
                &[],
            ),
            (
                json!({"method": "monte_carlo", "law": "t_copula"}),
                &["asset_returns", "weights", "degrees_of_freedom", "paths", "seed"],
            ),
        ],
        "optimize_portfolio" => optimizations(),
        "calculate_risk_metrics" => {
            vec![(json!({}), &["benchmark_returns", "equity", "detail"]), (held(), &["dataset"])]
        }
        "monte_carlo_simulation" => vec![
            (json!({}), &["initial_value", "drift", "volatility", "seed", "antithetic"]),
            (json!({}), &["holdings", "correlation"]),
            (json!({}), &["initial_value", "drift", "volatility", "jumps"]),
            (json!({}), &["initial_value", "drift", "variance"]),
            (json!({}), &["initial_value", "sample"]),
            (json!({"dataset": "mine"}), &["initial_value"]),
        ],
        other => combinations_of_later_tools(other),
    }
}

fn combinations_of_later_tools(tool: &str) -> Vec<(Value, &'static [&'static str])> {
    match tool {
        "backtest_var" => vec![
            (
                json!({}),
                &["returns", "value_at_risk", "expected_shortfall", "histories", "seed", "detail"],
            ),
            (
                json!({"method": "ewma"}),
                &["returns", "window", "decay", "histories", "degrees_of_freedom"],
            ),
            (json!({"method": "historical", "window": 100}), &["dataset"]),
        ],
        "fit_volatility" => vec![
            (json!({}), &["returns"]),
            (json!({"model": "parkinson"}), &["bars"]),
            (json!({"model": "yang_zhang"}), &["dataset"]),
            (json!({"model": "bipower", "dataset": "btc_1h:high"}), &[]),
            (json!({"model": "ewma"}), &["returns", "decay", "horizon", "detail"]),
            (
                json!({"model": "egarch", "returns": clustered()}),
                &["innovations", "horizon", "paths", "seed"],
            ),
        ],
        "estimate_covariance" => {
            vec![
                (json!({}), &["assets", "returns", "detail"]),
                (json!({"covariance": "ewma"}), &["assets", "returns", "covariance_parameter"]),
                (json!({"dataset": "btc_1h:close,high"}), &[]),
            ]
        }
        "efficient_frontier" => vec![
            (
                json!({"risk": "cvar"}),
                &["assets", "returns", "risk_confidence", "risk_free_rate", "weight_min", "plot"],
            ),
            (
                json!({"covariance": "ewma"}),
                &["assets", "returns", "covariance_parameter", "weight_max", "detail"],
            ),
            (json!({"dataset": "btc_1h+mine@2024-01-02..", "assets": ["BTC", "MINE"]}), &[]),
        ],
        "stress_test" => vec![
            (json!({}), &["scenarios", "portfolio_value", "detail"]),
            (json!({}), &["returns", "window", "factors", "correlation"]),
            (
                json!({"dataset": "btc_1h:close,open+mine",
                    "factors": [{"name": "market", "shock": -0.3}]}),
                &["window"],
            ),
        ],
        "performance_report" => vec![
            (
                json!({}),
                &[
                    "returns",
                    "benchmark_returns",
                    "trials",
                    "trials_sharpe_deviation",
                    "window",
                    "detail",
                ],
            ),
            (json!({"dataset": "mine+btc_1h"}), &["plot"]),
            (json!({"returns": clustered()}), &["resamples", "seed"]),
        ],
        other => combinations_of_small_tools(other),
    }
}

fn combinations_of_small_tools(tool: &str) -> Vec<(Value, &'static [&'static str])> {
    match tool {
        "position_size" => vec![
            (json!({}), &["stop_price", "atr", "atr_multiple", "risk_fraction", "lot_size"]),
            (json!({}), &["volatility_annual", "volatility_target"]),
            (json!({}), &["win_probability", "win_return", "loss_return", "kelly_fraction"]),
        ],
        "list_datasets" => vec![(json!({}), &[]), (json!({}), &["prefix", "detail"])],
        // A tool without any is found by its parameters, which none of them has.
        _ => vec![],
    }
}

/// Returns whose size comes in clusters, as fitted models need them.
fn clustered() -> Vec<f64> {
    let size = |period: u32| if (period / 50).is_multiple_of(2) { 0.01 } else { 0.04 };
    (0..300).map(|t| size(t) * (f64::from(t * 37 % 101) / 50.0 - 1.0)).collect()
}

fn optimizations() -> Vec<(Value, &'static [&'static str])> {
    vec![
        (json!({}), &["assets", "returns", "risk_free_rate", "weight_min", "weight_max", "detail"]),
        (json!({"objective": "target_return"}), &["assets", "returns", "target_return"]),
        (
            json!({"covariance": "ewma"}),
            &["assets", "returns", "covariance_parameter", "black_litterman"],
        ),
        (
            json!({"objective": "minimum_cvar"}),
            &["assets", "returns", "risk_confidence", "constraints"],
        ),
        (json!({"objective": "minimum_semivariance"}), &["assets", "returns", "threshold_return"]),
        (json!({"objective": "maximum_utility"}), &["assets", "returns", "risk_aversion"]),
        (
            json!({"objective": "minimum_tracking_error"}),
            &["assets", "returns", "benchmark_weights"],
        ),
        (json!({"objective": "risk_parity"}), &["assets", "returns", "risk_budgets"]),
        (
            json!({"objective": "hierarchical_equal_risk"}),
            &["assets", "returns", "linkage", "clusters"],
        ),
        (json!({"dataset": "btc_1h+mine"}), &[]),
    ]
}

/// Two positions without returns of their own, and a series more than they are.
fn held() -> Value {
    json!({
        "positions": [
            {"symbol": "BTCUSDT", "value": "700.50"}, {"symbol": "ETHUSDT", "value": "-20"}
        ],
        "dataset": "btc_1h:open,close+mine",
    })
}

/// Those that answer from their arguments alone.
async fn computing(world: &World) -> Vec<ToolInfo> {
    let all = listed(world).await.into_iter();
    all.filter(|tool| !ASKING.contains(&tool.name.as_str())).collect()
}

/// Those that ask the owner of the accounts.
const ASKING: [&str; 5] =
    ["risk_of_order", "get_limits", "set_limit", "get_breakers", "reset_breaker"];

#[tokio::test]
async fn what_the_owner_of_the_accounts_must_answer_is_unavailable_without_one() {
    let world = World::new(Config::default()).await;
    for tool in listed(&world).await {
        if ASKING.contains(&tool.name.as_str()) {
            let args = example_of(&tool.input_schema);
            let failure = world.call(tool.name.as_str(), &args).await.unwrap_err();
            assert_eq!(failure.code, Code::Unavailable, "{}: {failure}", tool.name);
            assert!(failure.message.contains("exchangespec"), "{}: {failure}", tool.name);
        }
    }
}

/// The required parameters with each combination of others, as their own examples give them.
#[tokio::test]
async fn the_examples_of_every_tool_run_and_keep_the_output_schema() {
    let world = World::new(Config::default()).await;
    for tool in computing(&world).await {
        let properties = tool.input_schema["properties"].as_object().unwrap();
        let required = example_of(&tool.input_schema);
        let mut unseen: BTreeSet<&str> = properties.keys().map(String::as_str).collect();
        for (given, names) in combinations(tool.name.as_str()) {
            let mut args = required.clone();
            for name in names {
                args[*name] = example_of(&properties[*name]);
            }
            for (name, value) in given.as_object().unwrap() {
                args[name] = value.clone();
            }
            unseen.retain(|name| args.get(name).is_none());
            let result = world.call(tool.name.as_str(), &args).await;
            let result = result.unwrap_or_else(|failure| panic!("{} {args}: {failure}", tool.name));
            assert_eq!(check(&tool.output_schema, &result), Vec::new(), "{}: {result}", tool.name);
            let assumptions = result["assumptions"].as_array().unwrap();
            assert!(!assumptions.is_empty(), "{} states no assumption", tool.name);
        }
        assert!(unseen.is_empty(), "{}: no combination has {unseen:?}", tool.name);
    }
}

/// What is named gives what its numbers give, and the answer says what was read.
#[tokio::test]
async fn a_dataset_answers_as_its_numbers_do_and_is_named_in_the_answer() {
    let world = World::new(Config::default()).await;
    let asked = json!({"periods_per_year": 8760.0, "risk_free_rate": 0.0});
    let with = |name: &str, value: Value| {
        let mut args = asked.clone();
        args[name] = value;
        args
    };
    let mut named = world
        .call("performance_report", &with("dataset", json!("mine@2024-01-02..")))
        .await
        .unwrap();
    let given = with("returns", json!(clustered()[24..]));
    let given = world.call("performance_report", &given).await.unwrap();
    let read = named.as_object_mut().unwrap().remove("dataset").unwrap();
    assert_eq!(named, given);
    let read = read.as_str().unwrap();
    let expect = "mine@2024-01-02..: 276 returns from 2024-01-02T00:00:00Z to \
                  2024-01-13T11:00:00Z, sha256 ";
    assert!(read.starts_with(expect) && read.len() == expect.len() + 12, "{read}");
}

/// Years of hours are more than anybody gives as numbers.
#[tokio::test]
async fn a_series_that_is_named_may_be_longer_where_the_work_allows() {
    let world = World::new(Config::default()).await;
    let mut text = "time,return\n".to_owned();
    for hour in 0..30_000_u32 {
        let change = f64::from(hour * 37 % 101) / 5_000.0 - 0.01;
        text.push_str(&format!("{},{change}\n", 1_600_000_000 + 3_600 * hour));
    }
    put(world.state.path(), "years", &text);
    let named = |mut args: Value| {
        args["dataset"] = json!("years");
        args
    };
    let year = json!({"periods_per_year": 8760.0, "risk_free_rate": 0.0});
    let mut held = year.clone();
    held["positions"] = json!([{"symbol": "BTCUSDT", "value": "1"}]);
    let model = json!({"model": "realised", "periods_per_year": 8760.0});
    let tail = json!({"confidence": 0.95, "horizon": 1, "method": "historical"});
    for (tool, args) in [
        ("performance_report", year),
        ("calculate_risk_metrics", held),
        ("fit_volatility", model),
        ("calculate_var", tail),
    ] {
        let answer = world.call(tool, &named(args)).await.unwrap();
        let read = answer["dataset"].as_str().unwrap();
        assert!(read.starts_with("years: 30000 returns"), "{tool}: {read}");
    }
    let wide = json!({"periods_per_year": 8760.0, "risk_free_rate": 0.0, "window": 15_000});
    let wide = world.call("performance_report", &named(wide)).await.unwrap_err().to_string();
    let rule = "`window` is 15000 but times the 15001 windows of it must be at most 200000000";
    assert!(wide.contains(rule), "{wide}");
    let windows =
        json!({"confidence": 0.95, "method": "historical", "window": 100, "significance": 0.05});
    let refused = world.call("backtest_var", &named(windows)).await.unwrap_err().to_string();
    let rule = "must select at most 10000: end it with a shorter @FROM..TO";
    assert!(refused.contains(rule), "{refused}");
}

#[tokio::test]
async fn what_cannot_be_named_is_refused_by_the_field_that_names_it() {
    let world = World::new(Config::default()).await;
    let base = json!({"confidence": 0.95, "horizon": 1, "method": "historical"});
    for (more, expect) in [
        (json!({}), "`returns` is missing but is required, for example [0.012,"),
        (
            json!({"dataset": "mine", "returns": [0.1, 0.2]}),
            "`dataset` is mine but must be left out when returns is given",
        ),
        (
            json!({"dataset": "nothing"}),
            "`dataset` is nothing but must be the name of a dataset that was imported, see \
             list_datasets, for example \"btc_1h\"",
        ),
        (json!({"dataset": "../secrets"}), "`dataset` is ../secrets but must be NAME"),
        (
            json!({"dataset": "btc_1h:open,close"}),
            "`dataset` is 2 series (open, close) but must name one series, for example \
             \"btc_1h:open\"",
        ),
        (json!({"dataset": 7}), "`dataset` is 7 but must be a string"),
    ] {
        let mut args = base.clone();
        args.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let failure = world.call("calculate_var", &args).await.unwrap_err();
        assert_eq!(failure.code, Code::InvalidParams);
        assert!(failure.message.starts_with(expect), "{}\n{expect}", failure.message);
    }
    let factors = json!([{"name": "market", "shock": -0.3}]);
    let args = json!({"assets": ["A"], "weights": [1.0], "returns": [[0.1, 0.2]],
                      "factors": factors});
    let failure = world.call("stress_test", &args).await.unwrap_err();
    let expect = "`factors[0].returns` is missing but is required, or dataset in the place of all";
    assert!(failure.message.starts_with(expect), "{failure}");
    let args = json!({"confidence": 0.95, "significance": 0.05, "value_at_risk": [0.1]});
    let failure = world.call("backtest_var", &args).await.unwrap_err();
    let expect = "`returns` is missing but is required, or dataset in its place, for example [";
    assert!(failure.message.starts_with(expect), "{failure}");
}

#[tokio::test]
async fn the_list_of_datasets_says_what_there_is_and_what_is_damaged() {
    let world = World::new(Config::default()).await;
    fs::write(world.state.path().join("datasets/odd.dataset"), "odd").unwrap();
    let list = world.call("list_datasets", &json!({})).await.unwrap();
    assert_eq!((&list["count"], &list["datasets"][1]["name"]), (&json!(3), &json!("mine")));
    let first = &list["datasets"][0];
    assert_eq!(first["columns"], json!(["open", "high", "low", "close"]));
    assert_eq!((&first["rows"], &first["interval"]), (&json!(300), &json!("1h")));
    assert_eq!(
        (&first["from"], &first["to"]),
        (&json!("2024-01-01T00:00:00Z"), &json!("2024-01-13T11:00:00Z"))
    );
    assert!(list["unreadable"][0].as_str().unwrap().starts_with("odd: "), "{list}");
    let args = json!({"prefix": "mi", "detail": true});
    let list = world.call("list_datasets", &args).await.unwrap();
    assert_eq!(
        (&list["count"], &list["datasets"][0]["columns"]),
        (&json!(1), &json!(["return (return)"]))
    );
    assert!(list["datasets"][0]["sources"][0].as_str().unwrap().starts_with("mine.csv sha256 "));
    // What was damaged since is refused by whoever reads it, and nothing is computed.
    let path = world.state.path().join("datasets/mine.dataset");
    let mut bytes = fs::read(&path).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&path, bytes).unwrap();
    let args = json!({"dataset": "mine", "model": "realised", "periods_per_year": 365.0});
    let failure = world.call("fit_volatility", &args).await.unwrap_err();
    assert_eq!(failure.reason(), Some("DATASET_DAMAGED"), "{failure}");
}

/// Every number of a series times a factor.
fn scaled(args: &Value, factor: f64) -> Value {
    const SERIES: [&str; 8] = [
        "returns",
        "asset_returns",
        "benchmark_returns",
        "value_at_risk",
        "expected_shortfall",
        "mean_excess",
        "covariance",
        "shocks",
    ];
    fn times(value: &Value, factor: f64) -> Value {
        match value {
            Value::Array(items) => items.iter().map(|item| times(item, factor)).collect(),
            Value::Number(number) => number.as_f64().map_or(Value::Null, |n| json!(n * factor)),
            other => other.clone(),
        }
    }
    match args {
        Value::Object(members) => {
            let members = members.iter().map(|(name, value)| {
                let is_series = SERIES.contains(&name.as_str());
                let of = if is_series { times(value, factor) } else { scaled(value, factor) };
                (name.clone(), of)
            });
            Value::Object(members.collect())
        }
        Value::Array(items) => items.iter().map(|item| scaled(item, factor)).collect(),
        other => other.clone(),
    }
}

/// No size of returns leads to a number that JSON cannot hold: what cannot be said is refused.
#[tokio::test]
async fn series_of_any_size_are_answered_or_refused() {
    let world = World::new(Config::default()).await;
    for tool in computing(&world).await {
        let properties = tool.input_schema["properties"].as_object().unwrap();
        let required = example_of(&tool.input_schema);
        for (given, names) in combinations(tool.name.as_str()) {
            let mut args = required.clone();
            for name in names {
                args[*name] = example_of(&properties[*name]);
            }
            for (name, value) in given.as_object().unwrap() {
                args[name] = value.clone();
            }
            for factor in [1e30, 1e20, 40.0, -30.0, 0.0, 1e-12, 1e-160, 1e-300] {
                let args = scaled(&args, factor);
                if let Err(failure) = world.call(tool.name.as_str(), &args).await {
                    assert_ne!(failure.code, Code::Internal, "{} {args}: {failure}", tool.name);
                    assert_ne!(failure.code, Code::Unknown, "{} {args}: {failure}", tool.name);
                }
            }
        }
    }
}

#[tokio::test]
async fn an_unknown_parameter_is_refused_by_every_tool() {
    let world = World::new(Config::default()).await;
    for tool in listed(&world).await {
        let mut args = example_of(&tool.input_schema);
        args["made_up"] = json!(1);
        let failure = world.call(tool.name.as_str(), &args).await.unwrap_err();
        assert_eq!(failure.code, Code::InvalidParams);
        assert!(failure.message.starts_with("`made_up` is 1 but is not a parameter"), "{failure}");
    }
}

#[tokio::test]
async fn the_limits_come_from_the_configuration() {
    let mut config = Config::default();
    config.limits.max_position_size = "0.01".to_owned();
    config.limits.kelly_fraction = "0.1".to_owned();
    config.limits.kelly_fraction_max = "0.2".to_owned();
    let world = World::new(config).await;
    let bet = json!({"win_probability": 0.6, "win_return": 1, "loss_return": -1});
    let size = world.call("calculate_kelly", &bet).await.unwrap();
    assert_eq!(size["kelly_fraction"], 0.1);
    assert_eq!(size["final_position_size"], 0.01);
    let mut greedy = bet;
    greedy["kelly_fraction"] = json!(0.25);
    let failure = world.call("calculate_kelly", &greedy).await.unwrap_err();
    assert!(failure.message.contains("at most limits.kelly_fraction_max, 0.2"), "{failure}");
}

/// The caller stops waiting; the simulation notices within a block of paths.
#[tokio::test]
async fn a_simulation_ends_when_nobody_waits_for_it() {
    let world = World::new(Config::default()).await;
    let args = json!({
        "holdings": [{"name": "BTC", "value": "1", "drift": 0.0, "volatility": 0.5}],
        "time_horizon": 1, "steps": 2500, "num_simulations": 2_000_000, "confidence": 0.95,
    });
    let options = CallOptions {
        timeout: Duration::from_millis(300),
        effect: Effect::Reads,
        command_id: None,
        traceparent: None,
    };
    let tool = "monte_carlo_simulation".parse().unwrap();
    let raw = to_raw_value(&args).unwrap();
    let failure = world.client.call(&name("riskquant"), &tool, raw, &options).await.unwrap_err();
    assert_eq!(failure.code, Code::Unavailable);
}
