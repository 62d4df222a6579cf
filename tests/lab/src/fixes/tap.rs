//! Of the tap's pages, which are about what applications send.

use super::{Excuse, FixRun, Then};

const A_LOOK: &str = "looks at the target as the application's settings would have it: there is nothing to mend here";

pub(super) const RUN: &[FixRun] = &[FixRun::new(
    "tap.listen",
    "ss -tanp",
    "tap-port-taken",
    Then::Prints("LISTEN"),
)];

pub(super) const NOT_RUN: &[Excuse] = &[
    ("tap.certificate", "dbdoctor tls", A_LOOK),
    ("tap.certificate", "dbdoctor tls --as all", A_LOOK),
    ("tap.no-answer", "dbdoctor check", A_LOOK),
    ("tap.no-tls", "dbdoctor config --as all", A_LOOK),
    ("tap.tls-abandoned", "dbdoctor config", A_LOOK),
];
