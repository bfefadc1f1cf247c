//! probe
#[cfg(test)]
mod tests;
