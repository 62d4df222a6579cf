//! Of the client pages, which are `explain`'s: it is given an error message, and no target.

use super::{Excuse, FixRun, Then};

const NO_TARGET: &str =
    "explain fills in the target that a text names; else TARGET is the reader's";
const NO_FAULT: &str = "found in an error message alone: there is nothing to run it on";

pub(super) const RUN: &[FixRun] = &[
    FixRun::new(
        "client.leaked-socket",
        "ls -l",
        "client-sockets-leak",
        Then::Prints("-> socket:["),
    ),
    FixRun::new(
        "driver.key",
        "openssl pkcs8 -topk8 -nocrypt",
        "driver-key",
        Then::PassesWith("client.key", "client.plain.pk8"),
    ),
    FixRun::new(
        "driver.key",
        "openssl pkey",
        "driver-stack-key-native-tls",
        Then::PassesWith("client.key", "client.pkcs8.key"),
    ),
];

pub(super) const NOT_RUN: &[Excuse] = &[
    ("client.cached-settings", "dbdoctor config", NO_FAULT),
    ("client.fork-tls", "dbdoctor sockets", NO_FAULT),
    ("client.key-library", "dbdoctor key", NO_FAULT),
    ("client.key-library", "cp", NO_FAULT),
    ("client.loop-closed", "dbdoctor idle", NO_TARGET),
    ("client.pool-exhausted", "dbdoctor check", NO_TARGET),
    ("client.pool-exhausted", "dbdoctor stress", NO_TARGET),
    ("client.portforward", "kubectl", NO_FAULT),
    ("client.portproxy", "dbdoctor idle", NO_TARGET),
    ("client.portproxy", "netsh", "a command of Windows"),
    ("client.scram-unsupported", "dbdoctor auth", NO_TARGET),
    ("client.tunnel-library", "dbdoctor check", NO_TARGET),
];
