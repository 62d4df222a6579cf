//! The five incidents that dbdoctor was made for, replayed on real parts: the application's own
//! drivers fail with their own words, and dbdoctor's commands must lead to the cause.
//! `docs/incidents.md` tells each of them.

mod forked_pool;
mod handler_crash;
mod home_made_tunnel;
mod late_configuration;
mod portproxy;
mod replay;

use std::sync::Arc;

use anyhow::Result;
use libtest_mimic::{Arguments, Failed, Trial};
use replay::Replay;

/// A test of its own.
type Test = fn(&Replay) -> Result<()>;

const TRIALS: &[(&str, Test)] = &[
    ("1_the_tunnel_handler_crashes", handler_crash::replay),
    ("2_the_tunnel_resets_connections", home_made_tunnel::replay),
    ("2_the_key_is_taken_for_another_type", home_made_tunnel::key),
    ("3_the_forward_drops_idle_connections", portproxy::replay),
    ("4_the_settings_come_too_late", late_configuration::replay),
    ("5_workers_share_a_connection", forked_pool::replay),
    ("5_innocent_set_ups_are_not_accused", forked_pool::innocent),
];

fn main() {
    let mut args = Arguments::from_args();
    args.test_threads.get_or_insert(3);
    let replay = Arc::new(Replay::new());
    let required = std::env::var_os("CI").is_some();
    if let Err(why) = &*replay {
        eprintln!("skipped: {why}");
    }
    let ignored = replay.is_err() && !required;
    let trials = TRIALS
        .iter()
        .map(|(name, test)| {
            let replay = replay.clone();
            let run = move || match &*replay {
                Err(why) => Err(Failed::from(format!("skipped: {why}"))),
                Ok(replay) => test(replay).map_err(|error| Failed::from(format!("{error:?}"))),
            };
            Trial::test(*name, run).with_ignored_flag(ignored)
        })
        .collect();
    let conclusion = libtest_mimic::run(&args, trials);
    drop(replay); // stops the shared servers: exiting would not
    conclusion.exit();
}
