//! What agents may ask the owner of the accounts about the house: its limits, its breakers, and what
//! an order would do.
//!
//! The questions are asked in the inbox for questions, and each is also a tool of the agent that
//! shows it to people: both read the same types here.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::money::{AmountText, PriceText, QuantityText, TimeText};

/// The agent that answers.
pub const OWNER: &str = "exchangespec";

/// Asks for the limits in force: [`LimitsAsked`], [`LimitsView`].
pub const LIMITS: &str = "limits";
/// Lowers a limit: [`LimitLowered`], [`LimitChangedView`].
pub const LOWER_LIMIT: &str = "lower_limit";
/// Asks for the breakers: [`BreakersAsked`], [`BreakersView`].
pub const BREAKERS: &str = "breakers";
/// Asks what an order would do: [`OrderAsked`], [`OrderRiskView`].
pub const RISK_OF_ORDER: &str = "risk_of_order";

/// Trips the breaker of tools: [`ToolingTripped`], [`ToolingView`].
pub const TRIP_TOOLING: &str = "trip_tooling";
/// Asks for the breaker of tools alone: [`Nothing`], [`ToolingView`].
pub const TOOLING: &str = "tooling";

/// A question without parameters.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Nothing {}

/// Trouble with tools.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ToolingTripped {
    /// What was seen, with its numbers.
    #[schemars(length(min = 1, max = 200))]
    pub reason: String,
}

/// The breaker of tools.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ToolingView {
    /// Closed, half_open, open, needs_person, missing or unreadable.
    pub state: String,
    /// Whether it stops tools.
    pub stops: bool,
}

/// Which limits are shown.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LimitsAsked {
    /// One limit; all when left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64), extend("examples" = ["max_order_notional"]))]
    pub limit: Option<String>,
    /// How many of the latest changes to show, 0 when left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 100), extend("examples" = [10]))]
    pub changes: Option<u32>,
}

/// The limits in force.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct LimitsView {
    /// Counts the changes.
    pub version: u64,
    /// When they were read.
    pub as_of: TimeText,
    /// The limits.
    pub limits: Vec<LimitView>,
    /// The latest changes, the newest first.
    pub changes: Vec<LimitChangeView>,
}

/// One limit.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct LimitView {
    /// Its key in the configuration.
    pub limit: String,
    /// Its value; absent when it is not set, which is no limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// What the configuration says, where that is something else.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub configured: Option<String>,
    /// Who changed it: a tool, which only lowers, or a person; absent when nobody did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub changed_by: Option<&'static str>,
}

/// One change of a limit.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct LimitChangeView {
    /// The version that it made.
    pub version: u64,
    /// Which limit; absent for the beginning of the record.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<String>,
    /// Its value since; absent where it was taken away or given back to the configuration.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// Who.
    pub by: String,
    /// Why.
    pub reason: String,
    /// When.
    pub at: TimeText,
}

/// A limit that is to allow less.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LimitLowered {
    /// Its key, as get_limits has it.
    #[schemars(length(min = 1, max = 64), extend("examples" = ["max_order_notional"]))]
    pub limit: String,
    /// Its new value.
    #[schemars(length(min = 1, max = 32), extend("examples" = ["5000"]))]
    pub value: String,
    /// Why, for whoever wonders later.
    #[schemars(length(min = 1, max = 200), extend("examples" = ["volatility doubled"]))]
    pub reason: String,
}

/// What a change made.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct LimitChangedView {
    /// Which limit.
    pub limit: String,
    /// The value before; absent when it was not set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    /// The value in force.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// Whether anything changed.
    pub changed: bool,
    /// The version of the limits.
    pub version: u64,
}

/// Which breakers are shown.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BreakersAsked {
    /// How many of the latest changes of each to show, 0 when left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 100), extend("examples" = [10]))]
    pub changes: Option<u32>,
}

/// The breakers.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct BreakersView {
    /// When they were read.
    pub as_of: TimeText,
    /// Trading and tooling.
    pub breakers: Vec<BreakerView>,
}

/// One breaker.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct BreakerView {
    /// Trading, which stops new exposure, or tooling, which stops tools.
    pub breaker: &'static str,
    /// Closed, half_open, open, needs_person, missing or unreadable.
    pub state: &'static str,
    /// Whether it stops what it guards.
    pub stops: bool,
    /// Why it was tripped; absent while it is closed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<&'static str>,
    /// When it is looked at anew by itself; absent when time alone changes nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<TimeText>,
    /// What went wrong when it was read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// The latest changes, the newest first.
    pub changes: Vec<BreakerChangeView>,
}

/// One change of a breaker.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct BreakerChangeView {
    /// The version that it made.
    pub version: u64,
    /// The state since.
    pub state: &'static str,
    /// Why it was tripped; absent for a reset.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<&'static str>,
    /// Who.
    pub by: String,
    /// What was seen, or why it was reset.
    pub reason: String,
    /// When.
    pub at: TimeText,
}

/// Which side an order is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum OrderSide {
    /// It buys.
    Buy,
    /// It sells.
    Sell,
}

/// An order that nobody has placed.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OrderAsked {
    /// The venue, by its name in the configuration.
    #[schemars(length(min = 1, max = 24), extend("examples" = ["paper"]))]
    pub exchange: String,
    /// What to trade.
    #[schemars(length(min = 1, max = 24), extend("examples" = ["BTCUSDT"]))]
    pub symbol: String,
    /// Buy or sell.
    pub side: OrderSide,
    /// How much of the base asset.
    pub quantity: QuantityText,
    /// Limit price in quote asset; a market order when left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub price: Option<PriceText>,
}

/// What an order would do.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct OrderRiskView {
    /// When this was so.
    pub as_of: TimeText,
    /// What the order is worth at most, in quote asset.
    pub notional: AmountText,
    /// Whether it only gives away what is held.
    pub reduces: bool,
    /// Whether the gate would let it pass now.
    pub passes: bool,
    /// Why not: the gate's own answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refusal: Option<RefusalView>,
    /// The largest quantity that would pass, where a smaller one would.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quantity_passing: Option<QuantityText>,
    /// What it does, each before and after it has traded whole.
    pub effects: Vec<EffectView>,
    /// What else the account holds that its symbol is correlated with most; absent when it holds
    /// nothing else.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub closest: Option<CorrelationView>,
    /// The model behind value at risk and correlation; absent when none can be made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<ModelView>,
    /// Why there is no model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub no_model: Option<String>,
}

/// Why the gate would refuse.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct RefusalView {
    /// Its stable code.
    pub code: String,
    /// The same with the numbers.
    pub message: String,
}

/// One measure before and after.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct EffectView {
    /// What is measured: position, exposure, open_orders, leverage, concentration, value_at_risk,
    /// expected_shortfall, correlated_exposure, or drawdown_after_shortfall: what is lost from the top
    /// when a day loses the shortfall.
    pub measure: &'static str,
    /// Quote_asset, share_of_equity, times_equity, share_of_exposure, share_of_peak or count.
    pub unit: &'static str,
    /// Now, open orders counted in full.
    pub before: AmountText,
    /// After it has traded.
    pub after: AmountText,
    /// The limit on it; absent when none is set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<AmountText>,
}

/// How two symbols move together.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct CorrelationView {
    /// The other symbol.
    pub symbol: String,
    /// The correlation of returns, -1 to 1.
    pub correlation: AmountText,
}

/// A risk model.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct ModelView {
    /// When it was made.
    pub as_of: TimeText,
    /// Over what its returns are: hours, or minutes where the market is too young.
    pub returns_over: &'static str,
    /// The confidence of value at risk and shortfall, of one day, by a normal law.
    pub confidence: &'static str,
}
