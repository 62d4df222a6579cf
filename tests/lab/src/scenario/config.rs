//! What is wrong before any packet leaves.

use crate::{Case, Expect, Oracle, Scenario};

/// Settings.
pub const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "config-url-syntax",
        about: "a URI without its closing bracket",
        expect: Expect::Fail("config.url.syntax"),
        oracle: Oracle::Psql,
        needs: &[],
        setup: |_| Ok(Case::target("postgresql://app@[::1/appdb")),
    },
    Scenario {
        name: "config-port-range",
        about: "port 99999",
        expect: Expect::Fail("config.param.invalid"),
        oracle: Oracle::Psql,
        needs: &[],
        setup: |_| Ok(Case::target("postgresql://app@127.0.0.1:99999/appdb")),
    },
    Scenario {
        name: "config-sslmode",
        about: "sslmode=requires",
        expect: Expect::Fail("config.param.invalid"),
        oracle: Oracle::Psql,
        needs: &[],
        setup: |_| Ok(Case::target("host=127.0.0.1 user=app sslmode=requires")),
    },
    Scenario {
        name: "config-param-unknown",
        about: "a parameter that nobody knows",
        expect: Expect::Fail("config.param.unknown"),
        oracle: Oracle::Psql,
        needs: &[],
        setup: |_| Ok(Case::target("host=127.0.0.1 user=app hots=127.0.0.1")),
    },
];
