//! Who listens to what, and what they are sent.

mod hub;
mod topic;

pub(crate) use hub::{ConnId, Frame, Hub, Kind, NewConn, Subscriber};
pub(crate) use topic::{Feed, Topic};
