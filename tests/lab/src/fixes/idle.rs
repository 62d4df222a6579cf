//! Of the idle pages.

use super::{Excuse, FixRun, Then};

pub(super) const RUN: &[FixRun] = &[
    // Longer than the firewall remembers.
    FixRun::new(
        "idle.black-hole",
        "psql",
        "idle-firewall-silent",
        Then::Prints("still here"),
    )
    .typing("select 'begin';\n\\! sleep 5\nselect 'still ' || 'here';\n"),
    FixRun::new(
        "idle.server-timeout",
        "psql",
        "idle-server-timeout-role",
        Then::Prints("idle_session_timeout | 3000 | ms | user"),
    ),
];

pub(super) const NOT_RUN: &[Excuse] = &[(
    "idle.ssh-closed",
    "ssh",
    "stays open for as long as the tunnel is wanted",
)];
