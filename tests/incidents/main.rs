//! The five incidents that dbdoctor was made for, replayed on real parts: the application's own
//! drivers fail with their own words, and dbdoctor's commands must lead to the cause.
//! `docs/incidents.md` tells each of them.

mod forked_pool;
mod handler_crash;
mod home_made_tunnel;
mod late_configuration;
mod portproxy;
mod replay;
#[path = "../common/trials.rs"]
mod trials;

use replay::Replay;

const TRIALS: &[trials::Named<Replay>] = &[
    ("1_the_tunnel_handler_crashes", handler_crash::replay),
    ("2_the_tunnel_resets_connections", home_made_tunnel::replay),
    ("2_the_key_is_taken_for_another_type", home_made_tunnel::key),
    ("3_the_forward_drops_idle_connections", portproxy::replay),
    ("4_the_settings_come_too_late", late_configuration::replay),
    ("5_workers_share_a_connection", forked_pool::replay),
    ("5_innocent_set_ups_are_not_accused", forked_pool::innocent),
];

fn main() {
    trials::run(3, Replay::new(), TRIALS);
}
