//! The venue as its users see it: commands in, events and answers out.

mod floor;
mod orders;
