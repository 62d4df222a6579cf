//! Of the pooler pages.

use super::{Excuse, FixRun, Then};

pub(super) const RUN: &[FixRun] = &[
    FixRun::new(
        "pooler.database",
        "psql",
        "pooler-database-switched-off",
        Then::Passes,
    ),
    FixRun::new(
        "pooler.database",
        "psql",
        "pooler-database-console",
        Then::Prints("appdb | 127.0.0.1"),
    ),
    FixRun::new(
        "pooler.secret",
        "psql",
        "pooler-secret-md5",
        Then::Prints("app | SCRAM-SHA-256"),
    )
    .on_server(),
    FixRun::new(
        "pooler.wait",
        "psql",
        "pooler-wait-console",
        Then::Prints("appdb | app | 1"),
    ),
];

pub(super) const NOT_RUN: &[Excuse] = &[];
