//! Settings for the common drivers, each with a number below the threshold.

use std::time::Duration;

use serde_json::{Map, Value, json};

/// HikariCP refuses a shorter `idleTimeout` (its documentation: 10 seconds).
const HIKARI_IDLE: u64 = 10_000;
/// HikariCP refuses a shorter `maxLifetime` and `keepaliveTime` (30 seconds).
const HIKARI_LIFE: u64 = 30_000;
/// Data that nobody acknowledges for this long means a dead connection,
/// milliseconds.
const USER_TIMEOUT: u64 = 30_000;

/// Numbers that stay below a threshold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Numbers {
    /// Seconds between keepalives: a third of what is safe.
    pub keepalive: u64,
    /// Seconds after which a pool should retire an idle connection: three
    /// quarters of what is safe.
    pub retire: u64,
}

impl Numbers {
    /// Numbers below a silence that is known to be safe, or below the
    /// threshold itself where that is known exactly.
    pub fn below(safe: Duration) -> Self {
        let seconds = safe.as_secs_f64();
        Self {
            keepalive: ((seconds / 3.0) as u64).max(1),
            retire: ((seconds * 0.75) as u64).max(1),
        }
    }
}

/// What the advice depends on beside the numbers.
#[derive(Clone, Copy, Debug, Default)]
pub struct Circumstances {
    /// Whether TCP keepalives prevented the drop.
    pub keepalive_helps: Option<bool>,
    /// Whether the drop is silent, so that a client waits for an answer that
    /// does not come.
    pub silent: bool,
    /// Whether the connection goes through an SSH tunnel: the application's
    /// own keepalives then end at the tunnel's near end.
    pub tunnel: bool,
    /// Whether keepalives of the SSH client would reach what drops the
    /// connection.
    pub ssh_keepalive: bool,
    /// Whether the connection goes through an SSH tunnel and TCP keepalives of
    /// the database prevent the drop.
    pub server_keepalive: bool,
    /// Whether a transaction was open: the application must end it, and no
    /// pool setting helps.
    pub in_transaction: bool,
}

/// The advice by driver. Where keepalives do not help, only retiring and
/// checking connections does.
pub fn settings(numbers: Numbers, circumstances: Circumstances) -> Value {
    let Circumstances {
        keepalive_helps,
        silent,
        tunnel,
        ssh_keepalive,
        server_keepalive,
        in_transaction,
    } = circumstances;
    let Numbers { keepalive, retire } = numbers;
    let keep = keepalive_helps != Some(false) && !tunnel;
    let mut advice = Map::new();
    let mut add = |driver: &str, text: String| {
        advice.insert(driver.to_owned(), json!(text));
    };
    let user_timeout = USER_TIMEOUT.min(retire * 1000);
    add(
        "libpq",
        match keep {
            true => format!(
                "keepalives_idle={keepalive} keepalives_interval={} keepalives_count=3 tcp_user_timeout={user_timeout}",
                (keepalive / 3).max(1)
            ),
            false if server_keepalive => format!("options='{}'", server_options(keepalive)),
            false if tunnel => {
                "keepalives and tcp_user_timeout do not reach through the tunnel".to_owned()
            }
            false if silent => {
                format!("tcp_user_timeout={user_timeout} (TCP keepalives do not help here)")
            }
            false => format!(
                "no setting of libpq prevents it: run a query at least every {keepalive} s, or reconnect"
            ),
        },
    );
    let short = match in_transaction {
        true => "; end transactions sooner than that",
        false => "",
    };
    add(
        "SQLAlchemy",
        format!("create_engine(..., pool_recycle={retire}, pool_pre_ping=True){short}"),
    );
    add(
        "asyncpg",
        format!("create_pool(..., max_inactive_connection_lifetime={retire}){short}"),
    );
    add(
        "node-postgres",
        match keep {
            true => format!(
                "new Pool({{ keepAlive: true, keepAliveInitialDelayMillis: {}, idleTimeoutMillis: {} }}){short}",
                keepalive * 1000,
                retire * 1000
            ),
            false => format!(
                "new Pool({{ idleTimeoutMillis: {} }}){short}",
                retire * 1000
            ),
        },
    );
    add("HikariCP", format!("{}{short}", hikari(numbers)));
    add(
        "Go database/sql",
        format!("db.SetConnMaxIdleTime({retire} * time.Second){short}"),
    );
    if ssh_keepalive {
        add(
            "ssh",
            format!("-o ServerAliveInterval={keepalive} -o ServerAliveCountMax=3"),
        );
        add("sshd", format!("ClientAliveInterval {keepalive}"));
    }
    if server_keepalive {
        add(
            "postgresql.conf",
            format!("tcp_keepalives_idle={keepalive} tcp_keepalives_interval={keepalive}"),
        );
    }
    Value::Object(advice)
}

/// What makes the server send TCP keepalives, as `options` takes it.
pub fn server_options(seconds: u64) -> String {
    format!("-c tcp_keepalives_idle={seconds} -c tcp_keepalives_interval={seconds}")
}

/// HikariCP's keepalive is a query, so that it helps where TCP's do not; each
/// of its settings has a least value.
fn hikari(numbers: Numbers) -> String {
    let (life, beat) = (numbers.retire * 1000, numbers.keepalive * 1000);
    if life < HIKARI_IDLE {
        return "cannot retire idle connections this early: set minimumIdle=0 and raise the threshold".to_owned();
    }
    let mut words = vec![format!("idleTimeout={life}")];
    if life >= HIKARI_LIFE {
        words.push(format!("maxLifetime={life}"));
    }
    if beat >= HIKARI_LIFE {
        words.push(format!("keepaliveTime={beat}"));
    }
    words.join(" ")
}

/// Where a drop is no matter of silence, the application must cope with it.
pub fn reconnect() -> Value {
    json!({
        "libpq": "PQreset() on CONNECTION_BAD, or reconnect",
        "SQLAlchemy": "create_engine(..., pool_pre_ping=True)",
        "asyncpg": "take connections from a pool, and retry on ConnectionDoesNotExistError",
        "node-postgres": "pool.on('error', ...), and retry",
        "HikariCP": "isValid() before use is the default; retry the statement on SQLState 08xxx and 57P01",
        "Go database/sql": "retries by itself on driver.ErrBadConn",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// The numbers behind these words, in the order they stand.
    fn numbers_in(text: &str) -> Vec<u64> {
        text.split(|c: char| !c.is_ascii_digit())
            .filter_map(|digits| digits.parse().ok())
            .collect()
    }

    #[test]
    fn numbers_lie_below_what_was_survived() {
        let numbers = Numbers::below(s(315));
        assert_eq!(
            numbers,
            Numbers {
                keepalive: 105,
                retire: 236
            }
        );
    }

    #[test]
    fn every_number_of_seconds_or_milliseconds_lies_below_the_threshold() {
        for threshold in [2, 3, 5, 15, 60, 350, 900, 3600] {
            for keepalive_helps in [Some(true), Some(false), None] {
                let advice = settings(
                    Numbers::below(s(threshold)),
                    Circumstances {
                        keepalive_helps,
                        ssh_keepalive: true,
                        ..Circumstances::default()
                    },
                );
                for (driver, text) in advice.as_object().unwrap() {
                    for number in numbers_in(text.as_str().unwrap()) {
                        // The number of keepalives is no time.
                        let is_count = number == 3;
                        assert!(
                            number < threshold
                                || number < threshold * 1000 && number >= 1000
                                || is_count,
                            "{driver}: {text} at {threshold}"
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn keepalives_that_do_not_help_are_not_advised() {
        let circumstances = Circumstances {
            keepalive_helps: Some(false),
            ..Circumstances::default()
        };
        let advice = settings(Numbers::below(s(60)), circumstances).to_string();
        assert!(!advice.contains("keepalives_idle") && !advice.contains("keepAlive:"));
        assert!(!advice.contains("tcp_user_timeout"));
        let silent = Circumstances {
            silent: true,
            ..circumstances
        };
        let advice = settings(Numbers::below(s(60)), silent).to_string();
        assert!(advice.contains("tcp_user_timeout=30000"));
    }

    #[test]
    fn a_tunnel_needs_keepalives_of_its_own() {
        let circumstances = Circumstances {
            keepalive_helps: Some(true),
            tunnel: true,
            ssh_keepalive: true,
            ..Circumstances::default()
        };
        let advice = settings(Numbers::below(s(60)), circumstances).to_string();
        assert!(!advice.contains("keepalives_idle"));
        assert!(advice.contains("ServerAliveInterval=20"));
    }
}
