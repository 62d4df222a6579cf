//! The scenarios, one file for each stage.
//!
//! A scenario takes servers from the [`Lab`](crate::Lab), the shared ones where nothing about
//! them is changed, breaks one thing, and returns the [`Case`](crate::Case): how dbdoctor and
//! the reference client are called. What must live until they are done is given to
//! [`Case::keep`](crate::Case::keep).
//!
//! ```no_run
//! use dbdoctor_lab::{Case, Expect, Need, Scenario};
//!
//! Scenario::new(
//!     "auth-hba-reject",
//!     "pg_hba.conf rejects this user",
//!     Expect::Fail("auth.hba.reject"),
//!     &[Need::Postgres],
//!     |lab| {
//!         let pg = lab.new_postgres().hba("host all app all reject").start()?;
//!         Ok(Case::check(pg.conn()).password(lab.password()).keep(pg))
//!     },
//! );
//! ```
//!
//! `dbdoctor-lab oracle NAME` shows whether the fault is one, `dbdoctor-lab serve NAME` lets one
//! try things on it, and `dbdoctor-lab run NAME --bin PATH` holds dbdoctor to it.

mod across;
mod auth;
mod ci;
mod client;
mod config;
mod config_files;
mod config_pasted;
mod config_scheme;
mod crash_loop;
mod demo;
mod dns;
mod dns_compose;
mod dns_failover;
mod dns_families;
mod dns_odd;
mod dns_search;
mod driver_parameter;
mod driver_scheme;
mod guards;
mod haproxy;
mod healthy;
mod host_list;
pub mod idle;
mod idle_own;
mod idle_ssh;
mod key;
mod key_mangled;
mod key_run;
mod kubernetes;
mod one_at_a_time;
mod pid;
mod pooler;
mod pooler_pasted;
mod pooler_queue;
mod pooler_secret;
mod pooler_told;
mod protocol;
mod provider;
mod provider_rows;
mod proxy_protocol;
mod replication;
mod server;
pub mod server_log;
mod slow;
mod sockets;
mod ssh;
mod ssh_account;
mod ssh_agent;
mod ssh_announced;
mod ssh_auth;
mod ssh_bind;
mod ssh_certificate;
mod ssh_config;
mod ssh_exec;
mod ssh_home;
mod ssh_hostkey;
mod ssh_known_hosts;
mod ssh_known_hosts_command;
mod ssh_pasted;
mod ssh_proxy;
mod ssh_second_opinion;
mod ssh_stranger;
mod ssh_trust;
mod ssh_who;
pub mod stress;
pub mod stress_servers;
mod tap;
mod tcp;
mod tcp_pasted;
mod thresholds;
mod through_driver;
mod through_stack;
mod timeline;
mod tls;
mod tunnel;
mod tunnel_end;

use serde_json::Value;

use crate::case::Scenario;

/// Every stage's name and scenarios.
pub const STAGES: &[(&str, &[Scenario])] = &[
    ("healthy", healthy::SCENARIOS),
    ("timeline", timeline::SCENARIOS),
    ("config", config::SCENARIOS),
    ("config", config_pasted::SCENARIOS),
    ("config", driver_scheme::SCENARIOS),
    ("config", driver_parameter::SCENARIOS),
    ("driver", through_driver::SCENARIOS),
    ("driver", through_stack::SCENARIOS),
    ("config", config_files::SCENARIOS),
    ("config", config_scheme::SCENARIOS),
    ("config", host_list::SCENARIOS),
    ("key", key::SCENARIOS),
    ("key", key_mangled::SCENARIOS),
    ("key", key_run::SCENARIOS),
    ("dns", dns::SCENARIOS),
    ("dns", dns_odd::SCENARIOS),
    ("dns", slow::DNS),
    ("dns", dns_families::SCENARIOS),
    ("dns", dns_compose::SCENARIOS),
    ("dns", dns_search::SCENARIOS),
    ("dns", dns_failover::SCENARIOS),
    ("guards", guards::SCENARIOS),
    ("thresholds", thresholds::SCENARIOS),
    ("tcp", tcp::SCENARIOS),
    ("tcp", slow::TCP),
    ("tcp", tcp_pasted::SCENARIOS),
    ("kubernetes", kubernetes::SCENARIOS),
    ("ci", ci::SCENARIOS),
    ("protocol", protocol::SCENARIOS),
    ("protocol", one_at_a_time::SCENARIOS),
    ("protocol", proxy_protocol::SCENARIOS),
    ("ssh", proxy_protocol::SSH),
    ("ssh", one_at_a_time::SSH),
    ("ssh", ssh::SCENARIOS),
    ("ssh", ssh_hostkey::SCENARIOS),
    ("ssh", ssh_announced::SCENARIOS),
    ("ssh", ssh_auth::SCENARIOS),
    ("ssh", ssh_stranger::SCENARIOS),
    ("ssh", ssh_account::SCENARIOS),
    ("ssh", ssh_agent::SCENARIOS),
    ("ssh", ssh_certificate::SCENARIOS),
    ("ssh", ssh_config::SCENARIOS),
    ("ssh", ssh_proxy::SCENARIOS),
    ("ssh", ssh_second_opinion::SCENARIOS),
    ("ssh", ssh_exec::SCENARIOS),
    ("ssh", ssh_bind::SCENARIOS),
    ("ssh", ssh_known_hosts_command::SCENARIOS),
    ("ssh", ssh_pasted::SCENARIOS),
    ("ssh", ssh_home::SCENARIOS),
    ("ssh", ssh_known_hosts::SCENARIOS),
    ("ssh", ssh_trust::SCENARIOS),
    ("ssh", ssh_who::SCENARIOS),
    ("ssh", slow::SSH),
    ("tunnel", tunnel::SCENARIOS),
    ("tunnel", tunnel_end::SCENARIOS),
    ("tls", tls::session::SCENARIOS),
    ("tls", tls::certificate::SCENARIOS),
    ("tls", tls::chain::SCENARIOS),
    ("tls", tls::client::SCENARIOS),
    ("tls", tls::demanding::SCENARIOS),
    ("tls", tls::foreign_home::SCENARIOS),
    ("tls", tls::other_clients::SCENARIOS),
    ("auth", auth::SCENARIOS),
    ("auth", auth::token::SCENARIOS),
    ("auth", slow::AUTH),
    ("auth", auth::pasted::SCENARIOS),
    ("auth-spoken", auth::spoken::SPOKEN),
    ("auth-german", auth::spoken::GERMAN),
    ("auth-french", auth::spoken::FRENCH),
    ("server", server::SCENARIOS),
    ("server", server::slots::SCENARIOS),
    ("server", server::pasted::SCENARIOS),
    ("server", server::read_only::SCENARIOS),
    ("server", server::refusals::SCENARIOS),
    ("server", server::notices::SCENARIOS),
    ("server", server::notices_many::SCENARIOS),
    ("server", server::superuser::SCENARIOS),
    ("server", replication::SCENARIOS),
    ("server-spoken", server::spoken::SPOKEN),
    ("server-german", server::spoken::GERMAN),
    ("server-french", server::spoken::FRENCH),
    ("pooler", pooler::SCENARIOS),
    ("pooler", pooler_pasted::SCENARIOS),
    ("pooler", pooler_secret::SCENARIOS),
    ("pooler", pooler_told::SCENARIOS),
    ("pooler", provider::SCENARIOS),
    ("pooler", provider_rows::SCENARIOS),
    ("pooler", haproxy::SCENARIOS),
    ("pooler", pooler_queue::SCENARIOS),
    ("across", across::SCENARIOS),
    ("idle", idle::SCENARIOS),
    ("idle", idle_own::SCENARIOS),
    ("idle", idle_ssh::SCENARIOS),
    ("stress", stress::SCENARIOS),
    ("stress", crash_loop::SCENARIOS),
    ("stress", stress_servers::SCENARIOS),
    ("client", client::SCENARIOS),
    ("pid", pid::SCENARIOS),
    ("sockets", sockets::SCENARIOS),
    ("tap", tap::SCENARIOS),
    ("demo", demo::SCENARIOS),
];

/// Every scenario.
pub fn all() -> Vec<&'static Scenario> {
    STAGES
        .iter()
        .flat_map(|(_, scenarios)| scenarios.iter())
        .collect()
}

/// The findings of all stages of a report.
pub(crate) fn findings(report: &Value) -> impl DoubleEndedIterator<Item = &Value> {
    let stages = report["stages"].as_array().into_iter().flatten();
    stages.flat_map(|stage| stage["findings"].as_array().into_iter().flatten())
}
