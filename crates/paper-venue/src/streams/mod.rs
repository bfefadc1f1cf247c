//! Who listens to what, and what they are sent.

mod hub;
mod topic;

pub(crate) use hub::{ConnId, FRAMES_MAX, Frame, Hub, NewConn, Subscriber};
pub(crate) use topic::{Feed, Topic};
