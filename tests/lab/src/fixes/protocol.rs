//! Of the protocol pages.

use super::{Excuse, FixRun, Then};

pub(super) const RUN: &[FixRun] = &[
    FixRun::new(
        "protocol.closed",
        "sudo ss",
        "protocol-closed",
        Then::Prints("LISTEN"),
    ),
    FixRun::new(
        "protocol.not-postgres",
        "sudo ss",
        "protocol-http",
        Then::Prints("LISTEN"),
    ),
    FixRun::new(
        "protocol.reset",
        "sudo ss",
        "protocol-reset",
        Then::Prints("LISTEN"),
    ),
    FixRun::new(
        "protocol.silent",
        "sudo ss",
        "protocol-silent",
        Then::Prints("LISTEN"),
    ),
];

pub(super) const NOT_RUN: &[Excuse] = &[(
    "protocol.stall",
    "ping",
    "ping is not among the programs that the tests install",
)];
