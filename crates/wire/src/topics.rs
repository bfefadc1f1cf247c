//! The channels and keys of the bus, all of them.
//!
//! | name | kind | who writes | who reads |
//! |---|---|---|---|
//! | `bot4:rpc:{agent}:{instance}` | channel | callers | that instance |
//! | `bot4:ask:{agent}:{instance}` | channel | agents that may ask it | that instance |
//! | `bot4:reply:{caller}:{nonce}` | channel | instances that were asked | that caller |
//! | `bot4:presence:{agent}:{instance}` | key with time to live | that instance | callers |
//! | `bot4:topic:{agent}:{topic}` | channel | instances of that agent | anybody allowed |
//! | `bot4:lease:{agent}:{name}` | key with time to live | the instance that holds it | instances of that agent |
//! | `bot4:fence:{agent}:{name}` | key | whoever takes the lease | instances of that agent |
//! | `bot4:rate:{agent}:{window}` | key with time to live | instances of that agent | the same |

use crate::{AgentName, InstanceId};

/// What every channel and key starts with.
pub const PREFIX: &str = "bot4:";

/// The topic on which an instance says that it joins, is alive, or leaves.
pub const PRESENCE: &str = "presence";

/// Matches the presence key of every instance of every agent.
pub const PRESENCE_KEYS: &str = "bot4:presence:*";

/// Matches the presence topic of every agent.
pub const PRESENCE_TOPICS: &str = "bot4:topic:*:presence";

/// Where an instance is asked.
#[must_use]
pub fn inbox(agent: &AgentName, instance: &InstanceId) -> String {
    format!("bot4:rpc:{agent}:{instance}")
}

/// Where an instance is asked by other agents: it answers its questions there and none of its tools,
/// so that an agent which may ask cannot make it act.
#[must_use]
pub fn questions(agent: &AgentName, instance: &InstanceId) -> String {
    format!("bot4:ask:{agent}:{instance}")
}

/// Where a caller is answered; `nonce` makes it one process's own.
#[must_use]
pub fn reply(caller: &AgentName, nonce: &InstanceId) -> String {
    format!("bot4:reply:{caller}:{nonce}")
}

/// Where an instance says that it is there.
#[must_use]
pub fn presence_key(agent: &AgentName, instance: &InstanceId) -> String {
    format!("bot4:presence:{agent}:{instance}")
}

/// Where instances of an agent publish what others may listen to.
#[must_use]
pub fn topic(agent: &AgentName, name: &str) -> String {
    format!("bot4:topic:{agent}:{name}")
}

/// Who of an agent's instances holds something that only one may have.
#[must_use]
pub fn lease_key(agent: &AgentName, name: &str) -> String {
    format!("bot4:lease:{agent}:{name}")
}

/// How often that lease has been taken.
#[must_use]
pub fn fence_key(agent: &AgentName, name: &str) -> String {
    format!("bot4:fence:{agent}:{name}")
}

/// How much of a limit the instances of an agent have used up together.
#[must_use]
pub fn rate_key(agent: &AgentName, window: &str) -> String {
    format!("bot4:rate:{agent}:{window}")
}

/// What an agent has written down for others to read at their own pace.
#[must_use]
pub fn log_key(agent: &AgentName, name: &str) -> String {
    format!("bot4:log:{agent}:{name}")
}

/// Splits a topic channel into its agent and topic.
#[must_use]
pub fn parse_topic(channel: &str) -> Option<(AgentName, &str)> {
    let (agent, name) = channel.strip_prefix("bot4:topic:")?.split_once(':')?;
    Some((agent.parse().ok()?, name))
}

/// A reply channel must be one: an inbox or topic named in `reply_to` would let a caller make an
/// agent speak where the caller itself may not.
#[must_use]
pub fn is_reply(channel: &str) -> bool {
    channel.strip_prefix("bot4:reply:").and_then(|rest| rest.split_once(':')).is_some_and(
        |(caller, nonce)| {
            caller.parse::<AgentName>().is_ok() && nonce.parse::<InstanceId>().is_ok()
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_reply_channel_is_a_reply_channel() {
        let caller: AgentName = "coordinator".parse().unwrap();
        assert!(is_reply(&reply(&caller, &InstanceId::random())));
        for bad in
            ["bot4:rpc:riskquant:1", "bot4:reply:x", "bot4:reply:x:", "other", "bot4:reply:*:1"]
        {
            assert!(!is_reply(bad), "{bad:?}");
        }
    }

    #[test]
    fn a_topic_is_split_into_agent_and_name() {
        let (agent, name) = parse_topic("bot4:topic:exchangespec:fills").unwrap();
        assert_eq!((agent.as_str(), name), ("exchangespec", "fills"));
        assert!(parse_topic("bot4:rpc:exchangespec:fills").is_none());
    }
}
