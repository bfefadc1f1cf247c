//! Every metric of the product, declared in one place.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use prometheus::{
    Histogram, HistogramOpts, HistogramVec, IntCounterVec, IntGaugeVec, Opts, Registry, TextEncoder,
};

/// The metrics of a process; cloning shares them.
#[derive(Clone)]
pub struct Metrics(Arc<Families>);

struct Families {
    registry: Registry,
    tool_calls: IntCounterVec,
    tool_seconds: HistogramVec,
    tool_panics: IntCounterVec,
    tool_calls_in_flight: IntGaugeVec,
    calls_passed_on: IntCounterVec,
    mcp_messages: IntCounterVec,
    mcp_latency: HistogramVec,
    bus_events: IntCounterVec,
    bus_up: IntGaugeVec,
    instances: IntGaugeVec,
    orders: IntCounterVec,
}

/// From 10 microseconds to 50 seconds, where a tool call must end.
const SECONDS: [f64; 14] = [
    0.000_01, 0.000_025, 0.000_1, 0.000_25, 0.001, 0.002_5, 0.01, 0.025, 0.1, 0.25, 1.0, 2.5, 10.0,
    50.0,
];

impl Metrics {
    /// Metrics that stand at zero.
    ///
    /// # Panics
    /// Never: the families below have different, legal names.
    #[must_use]
    pub fn new() -> Self {
        let registry = Registry::new();
        let counter = |name: &str, help: &str, labels: &[&str]| {
            let family = IntCounterVec::new(Opts::new(name, help), labels);
            let family = family.expect("invariant: the name is legal");
            registry.register(Box::new(family.clone())).expect("invariant: the name is new");
            family
        };
        let gauge = |name: &str, help: &str, labels: &[&str]| {
            let family = IntGaugeVec::new(Opts::new(name, help), labels);
            let family = family.expect("invariant: the name is legal");
            registry.register(Box::new(family.clone())).expect("invariant: the name is new");
            family
        };
        let histogram = |name: &str, help: &str, labels: &[&str]| {
            let options = HistogramOpts::new(name, help).buckets(SECONDS.to_vec());
            let family = HistogramVec::new(options, labels).expect("invariant: the name is legal");
            registry.register(Box::new(family.clone())).expect("invariant: the name is new");
            family
        };
        let families = Families {
            tool_calls: counter(
                "tool_calls_total",
                "Tool calls by what came of them.",
                &["agent", "tool", "outcome"],
            ),
            tool_seconds: histogram(
                "tool_call_seconds",
                "How long tool calls took, in seconds.",
                &["agent", "tool"],
            ),
            tool_panics: counter(
                "tool_panics_total",
                "Tool calls that panicked and were answered `internal`.",
                &["agent", "tool"],
            ),
            tool_calls_in_flight: gauge(
                "tool_calls_in_flight",
                "Tool calls that are worked on now.",
                &["agent"],
            ),
            calls_passed_on: counter(
                "coordinator_tool_calls_total",
                "Tool calls that the coordinator passed on, by what came of them for the caller.",
                &["agent", "tool", "outcome"],
            ),
            mcp_messages: counter(
                "mcp_messages_total",
                "MCP messages by method and outcome.",
                &["method", "outcome"],
            ),
            mcp_latency: histogram(
                "mcp_message_latency_seconds",
                "How long MCP messages took to be answered, in seconds.",
                &["method"],
            ),
            bus_events: counter(
                "bus_events_total",
                "What did not go as planned on the bus, by kind.",
                &["agent", "event"],
            ),
            bus_up: gauge("bus_up", "Whether the bus hears its own heartbeat.", &["agent"]),
            instances: gauge("agent_instances", "Instances that are known.", &["agent", "state"]),
            orders: counter("orders_total", "Orders by what came of them.", &["venue", "outcome"]),
            registry,
        };
        Self(Arc::new(families))
    }

    /// A tool call ended.
    pub fn tool_call(&self, agent: &str, tool: &str, outcome: &str, took: Duration) {
        self.0.tool_calls.with_label_values(&[agent, tool, outcome]).inc();
        self.0.tool_seconds.with_label_values(&[agent, tool]).observe(took.as_secs_f64());
    }

    /// The coordinator passed a tool call on, and this came of it for the caller. An agent counts the
    /// calls that it ran; this also counts those that reached none.
    pub fn call_passed_on(&self, agent: &str, tool: &str, outcome: &str) {
        self.0.calls_passed_on.with_label_values(&[agent, tool, outcome]).inc();
    }

    /// A tool panicked.
    pub fn tool_panic(&self, agent: &str, tool: &str) {
        self.0.tool_panics.with_label_values(&[agent, tool]).inc();
    }

    /// So many calls are worked on now.
    pub fn tool_calls_in_flight(&self, agent: &str, count: u32) {
        self.0.tool_calls_in_flight.with_label_values(&[agent]).set(i64::from(count));
    }

    /// An MCP message was answered.
    pub fn mcp_message(&self, method: &str, outcome: &str, took: Duration) {
        self.0.mcp_messages.with_label_values(&[method, outcome]).inc();
        self.mcp_latency(method).observe(took.as_secs_f64());
    }

    fn mcp_latency(&self, method: &str) -> Histogram {
        self.0.mcp_latency.with_label_values(&[method])
    }

    /// What a bus counter stands at; it only grows.
    pub fn bus_event(&self, agent: &str, event: &str, total: u64) {
        let counter = self.0.bus_events.with_label_values(&[agent, event]);
        counter.inc_by(total.saturating_sub(counter.get()));
    }

    /// Whether the bus works.
    pub fn bus_up(&self, agent: &str, is_up: bool) {
        self.0.bus_up.with_label_values(&[agent]).set(i64::from(is_up));
    }

    /// How many instances are known, by agent and state; replaces what was said before.
    pub fn instances<'a>(&self, counts: impl IntoIterator<Item = (&'a str, &'a str, i64)>) {
        self.0.instances.reset();
        for (agent, state, count) in counts {
            self.0.instances.with_label_values(&[agent, state]).set(count);
        }
    }

    /// Something came of an order.
    pub fn order(&self, venue: &str, outcome: &str) {
        self.0.orders.with_label_values(&[venue, outcome]).inc();
    }

    /// All of them in the text format of Prometheus.
    #[must_use]
    pub fn render(&self) -> String {
        let families = self.0.registry.gather();
        // A family that cannot be written is left out rather than failing the whole page.
        TextEncoder::new().encode_to_string(&families).unwrap_or_default()
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Metrics")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_happened_is_written_under_its_labels() {
        let metrics = Metrics::new();
        metrics.tool_call("riskquant", "calculate_kelly", "ok", Duration::from_micros(20));
        metrics.bus_event("riskquant", "gaps", 3);
        metrics.bus_event("riskquant", "gaps", 5);
        let page = metrics.render();
        let call =
            "tool_calls_total{agent=\"riskquant\",outcome=\"ok\",tool=\"calculate_kelly\"} 1";
        assert!(page.contains(call), "{page}");
        assert!(page.contains("bus_events_total{agent=\"riskquant\",event=\"gaps\"} 5"), "{page}");
    }

    #[test]
    fn an_agent_that_left_is_no_longer_counted() {
        let metrics = Metrics::new();
        metrics.instances([("riskquant", "ready", 3)]);
        metrics.instances([("exchangespec", "ready", 1)]);
        assert!(!metrics.render().contains("riskquant"));
    }
}
