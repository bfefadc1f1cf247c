//! The journal as its users meet it, on a real file and a real PostgreSQL server.

#[cfg(test)]
mod account;
#[cfg(test)]
mod breakers;
#[cfg(test)]
mod commands;
#[cfg(test)]
mod halt;
#[cfg(test)]
mod limits;
#[cfg(test)]
mod opening;
#[cfg(test)]
mod orders;
#[cfg(test)]
mod peaks;
#[cfg(test)]
mod places;
#[cfg(test)]
mod processes;
