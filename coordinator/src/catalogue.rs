//! The tools of all agents, under the names that MCP clients see.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use bus::Client;
use rmcp::model::{JsonObject, Tool, ToolAnnotations};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use wire::{AgentName, Effect, Failure, Presence, PresenceState, ToolInfo, schema};

/// How long an instance may take to list its tools.
const LIST_TIMEOUT: Duration = Duration::from_secs(2);

/// How soon an agent that did not list its tools is asked again.
const ASK_AGAIN: Duration = Duration::from_secs(1);

/// The tools that there are.
#[derive(Debug, Default)]
pub struct Catalogue {
    /// By their names for MCP clients, in order.
    pub tools: BTreeMap<String, Listed>,
    /// Agents that were there once and are not now.
    pub gone: BTreeSet<AgentName>,
}

/// A tool as it is listed.
#[derive(Debug, Clone)]
pub struct Listed {
    /// Whose it is.
    pub agent: AgentName,
    /// What the agent says of it.
    pub info: ToolInfo,
    /// The same for MCP clients.
    pub mcp: Tool,
}

/// What is known of one agent's tools.
struct Known {
    hash: String,
    tools: Vec<ToolInfo>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ToolsList {
    tools: Vec<ToolInfo>,
}

/// The parameter that every tool that acts has for its callers, besides its own.
pub(crate) const COMMAND_ID: &str = "command_id";

// === impl Catalogue ===

impl Catalogue {
    /// Keeps a catalogue up to date for as long as `stop` is not cancelled.
    pub(crate) async fn keep(
        client: Arc<Client>,
        tell: watch::Sender<Arc<Self>>,
        stop: CancellationToken,
    ) {
        let mut version = client.directory().version();
        let mut known: BTreeMap<AgentName, Known> = BTreeMap::new();
        let mut seen: BTreeSet<AgentName> = BTreeSet::new();
        loop {
            version.mark_unchanged();
            let complete = learn(&client, &mut known).await;
            let tools = known.iter().flat_map(|(agent, of)| {
                of.tools.iter().map(move |info| (agent.clone(), info.clone()))
            });
            let mut now = Self::of(tools);
            seen.extend(known.keys().cloned());
            now.gone = seen.iter().filter(|agent| !known.contains_key(*agent)).cloned().collect();
            let now = Arc::new(now);
            tell.send_if_modified(|before| {
                let is_news = !before.is_same(&now);
                if is_news {
                    tracing::info!(tools = now.tools.len(), "the tool list changed");
                    *before = Arc::clone(&now);
                }
                is_news
            });
            let again = async {
                if complete {
                    std::future::pending::<()>().await;
                }
                tokio::time::sleep(ASK_AGAIN).await;
            };
            tokio::select! {
                () = stop.cancelled() => return,
                () = again => {}
                changed = version.changed() => {
                    if changed.is_err() {
                        return;
                    }
                }
            }
        }
    }

    /// The catalogue of these tools.
    #[must_use]
    pub fn of(tools: impl IntoIterator<Item = (AgentName, ToolInfo)>) -> Self {
        let listed = tools.into_iter().map(|(agent, info)| {
            let name = format!("{agent}_{}", info.name);
            let mcp = for_mcp(&name, &info);
            (name, Listed { agent, info, mcp })
        });
        Self { tools: listed.collect(), gone: BTreeSet::new() }
    }

    /// Whether the same tools are listed.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        self.names_and_infos() == other.names_and_infos()
    }

    fn names_and_infos(&self) -> Vec<(&String, &ToolInfo)> {
        self.tools.iter().map(|(name, listed)| (name, &listed.info)).collect()
    }

    /// Why a tool of an agent that was there once cannot be called now; `None` for an agent that
    /// never was.
    #[must_use]
    pub fn why_gone(&self, agent: &str) -> Option<Failure> {
        let agent = self.gone.iter().find(|gone| gone.as_str() == agent)?;
        Some(Failure::unavailable(format!("no instance of {agent} is there now")))
    }

    /// A tool by its agent and its own name.
    #[must_use]
    pub fn find(&self, agent: &str, tool: &str) -> Option<&Listed> {
        self.tools.get(&format!("{agent}_{tool}"))
    }
}

/// Asks the agents whose tools changed; false when one did not answer.
async fn learn(client: &Client, known: &mut BTreeMap<AgentName, Known>) -> bool {
    let agents = client.directory().all();
    // Whoever is there keeps its tools, ready or not: a call then says why it cannot be served.
    known.retain(|agent, _| agents.contains_key(agent));
    let mut complete = true;
    for (agent, instances) in agents {
        let presences = instances.into_iter().map(|instance| instance.presence);
        let listing = presences.filter(|p| p.state != PresenceState::Draining).max_by(newer);
        let Some(presence) = listing else { continue };
        if known.get(&agent).is_some_and(|known| known.hash == presence.tools_hash) {
            continue;
        }
        match ask(client, &presence).await {
            Ok(tools) => {
                known.insert(agent, Known { hash: presence.tools_hash, tools });
            }
            Err(why) => {
                tracing::warn!(%agent, instance = %presence.instance, %why, "no tool list");
                complete = false;
            }
        }
    }
    complete
}

/// During an update the tools of the newest program are listed.
fn newer(one: &Presence, other: &Presence) -> std::cmp::Ordering {
    (one.started_unix_ms, &one.instance).cmp(&(other.started_unix_ms, &other.instance))
}

async fn ask(client: &Client, presence: &Presence) -> Result<Vec<ToolInfo>, String> {
    let answer = client.tools(&presence.agent, &presence.instance, LIST_TIMEOUT).await;
    let answer = answer.map_err(|failure| failure.to_string())?;
    let list: ToolsList = serde_json::from_str(answer.get()).map_err(|error| error.to_string())?;
    // One tool with a shape that clients do not take would cost them all others.
    let legal = list.tools.into_iter().filter(|tool| match not_listable(tool) {
        None => true,
        Some(why) => {
            tracing::error!(agent = %presence.agent, tool = %tool.name, %why, "a tool is left out");
            false
        }
    });
    Ok(legal.collect())
}

fn not_listable(tool: &ToolInfo) -> Option<String> {
    for schema in [&tool.input_schema, &tool.output_schema] {
        if let Err(why) = schema::is_plain(schema) {
            return Some(why.to_string());
        }
    }
    let own = tool.input_schema.get("properties").and_then(|p| p.get(COMMAND_ID));
    (tool.effect.acts() && own.is_some()).then(|| format!("it has a parameter {COMMAND_ID}"))
}

/// A tool in the words of MCP, with all four hints.
fn for_mcp(name: &str, info: &ToolInfo) -> Tool {
    let (input, output) = (input_for_callers(info), as_object(&shape(&info.output_schema)));
    let hints = ToolAnnotations::from_raw(
        Some(info.title.clone()),
        Some(!info.effect.acts()),
        Some(info.effect == Effect::MovesMoney),
        // A command id makes every repetition harmless, and a read changes nothing.
        Some(true),
        Some(info.open_world),
    );
    Tool::new(name.to_owned(), info.description.clone(), Arc::new(input))
        .with_title(info.title.clone())
        .with_raw_output_schema(Arc::new(output))
        .with_annotations(hints)
}

/// The schema of a tool's own parameters; one that acts also takes the command's name.
fn input_for_callers(info: &ToolInfo) -> JsonObject {
    let mut schema = as_object(&brief(&info.input_schema));
    if info.effect.acts()
        && let Some(Value::Object(properties)) = schema.get_mut("properties")
    {
        let parameter = json!({
            "type": "string",
            "minLength": 1,
            "maxLength": 64,
            "description": "Your own name for this command, so that it acts once: the same name \
                            with the same arguments gives the first answer again. Made for you \
                            when absent.",
            "examples": ["buy-btc-2024-08-09-1"],
        });
        properties.insert(COMMAND_ID.to_owned(), parameter);
    }
    schema
}

/// A parameter's schema with the examples of texts only, which show how they are written. Bounds and
/// members show as much of anything else, and a refusal names an example for every parameter.
fn brief(schema: &Value) -> Value {
    let Value::Object(node) = schema else { return schema.clone() };
    let is_text = |node: &serde_json::Map<String, Value>| {
        let of = node.get("items").unwrap_or(&Value::Null);
        let kind = node.get("type").filter(|kind| *kind != "array").or_else(|| of.get("type"));
        kind.is_some_and(|kind| kind == "string") && !node.contains_key("enum")
    };
    let kept = node.iter().filter(|(key, _)| key.as_str() != "examples" || is_text(node));
    let briefed = kept.map(|(key, value)| {
        let value = match (key.as_str(), value) {
            ("properties", Value::Object(members)) => {
                members.iter().map(|(name, of)| (name.clone(), brief(of))).collect()
            }
            ("items", _) => brief(value),
            _ => value.clone(),
        };
        (key.clone(), value)
    });
    Value::Object(briefed.collect())
}

/// A result's schema without its prose, and without the members of what stands inside it. A model
/// pays for every word of the list in every conversation, and sees a result when it has it; what all
/// of it means stands in `/api/tools` and `docs/tools.md`.
fn shape(schema: &Value) -> Value {
    let Value::Object(node) = schema else { return schema.clone() };
    let left_out = |key: &str| PROSE.contains(&key) || MEMBERS[1..].contains(&key);
    let kept = node.iter().filter(|(key, _)| !left_out(key.as_str()));
    let shaped = kept.map(|(key, value)| {
        let value = match (key.as_str(), value) {
            // Here the keys are names of results, whatever they are called.
            ("properties", Value::Object(members)) => {
                members.iter().map(|(name, of)| (name.clone(), outline(of))).collect()
            }
            _ => shape(value),
        };
        (key.clone(), value)
    });
    Value::Object(shaped.collect())
}

/// What kind of value it is, without its members.
fn outline(schema: &Value) -> Value {
    let Value::Object(node) = schema else { return schema.clone() };
    let kept = node
        .iter()
        .filter(|(key, _)| !PROSE.contains(&key.as_str()) && !MEMBERS.contains(&key.as_str()));
    Value::Object(kept.map(|(key, value)| (key.clone(), outline(value))).collect())
}

/// The keywords of a schema that name the members of an object.
const MEMBERS: [&str; 3] = ["properties", "required", "additionalProperties"];

/// The keywords of a schema that explain, or bound what only its maker could break.
const PROSE: [&str; 5] = ["description", "enum", "examples", "minimum", "pattern"];

fn as_object(value: &Value) -> JsonObject {
    value.as_object().cloned().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_keep_their_examples_and_numbers_and_objects_show_themselves() {
        let schema = json!({"type": "object", "properties": {
            "symbol": {"type": "string", "examples": ["BTCUSDT"]},
            "names": {"type": "array", "items": {"type": "string"}, "examples": [["A", "B"]]},
            "side": {"type": "string", "enum": ["buy", "sell"], "examples": ["buy"]},
            "returns": {"type": "array", "items": {"type": "number"}, "examples": [[0.1]]},
            "legs": {"type": "array", "examples": [[{"price": "1", "count": 2}]], "items": {
                "type": "object",
                "properties": {
                    "price": {"type": "string", "examples": ["1"]},
                    "examples": {"type": "integer", "minimum": 1, "examples": [2]}
                }
            }}
        }});
        let listed = &brief(&schema)["properties"];
        assert_eq!(listed["symbol"]["examples"], json!(["BTCUSDT"]));
        assert_eq!(listed["names"]["examples"], json!([["A", "B"]]));
        for dropped in ["side", "returns", "legs"] {
            assert_eq!(listed[dropped].get("examples"), None, "{dropped}");
        }
        let members = &listed["legs"]["items"]["properties"];
        assert_eq!(members["price"]["examples"], json!(["1"]));
        assert_eq!(members["examples"], json!({"type": "integer", "minimum": 1}));
    }

    #[test]
    fn a_result_is_listed_by_names_and_kinds_alone() {
        let schema = json!({
            "type": "object", "additionalProperties": false, "required": ["side"],
            "properties": {
                "side": {"type": "string", "enum": ["buy"], "description": "Which."},
                "required": {"type": "number", "minimum": 0}
            }
        });
        assert_eq!(
            shape(&schema),
            json!({
                "type": "object",
                "properties": {"side": {"type": "string"}, "required": {"type": "number"}}
            })
        );
    }
}
