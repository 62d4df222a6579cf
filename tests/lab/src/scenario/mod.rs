//! The scenarios, one file for each stage. Writing one takes ten lines: see `auth.rs`.

mod auth;
mod config;
mod dns;
mod healthy;
mod key;
mod pooler;
mod protocol;
mod server;
mod ssh;
mod tcp;
mod tls;
mod tunnel;

use crate::case::Scenario;

/// Every stage's name and scenarios.
pub const STAGES: &[(&str, &[Scenario])] = &[
    ("healthy", healthy::SCENARIOS),
    ("config", config::SCENARIOS),
    ("key", key::SCENARIOS),
    ("dns", dns::SCENARIOS),
    ("tcp", tcp::SCENARIOS),
    ("protocol", protocol::SCENARIOS),
    ("ssh", ssh::SCENARIOS),
    ("tunnel", tunnel::SCENARIOS),
    ("tls", tls::SCENARIOS),
    ("auth", auth::SCENARIOS),
    ("server", server::SCENARIOS),
    ("pooler", pooler::SCENARIOS),
];

/// Every scenario.
pub fn all() -> Vec<&'static Scenario> {
    STAGES.iter().flat_map(|(_, scenarios)| scenarios.iter()).collect()
}
