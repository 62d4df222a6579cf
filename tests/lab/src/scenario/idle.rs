//! What happens to connections that are left alone. All timeouts are three seconds, so that
//! dbdoctor must find this number.

use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::{
    Case, Conn, Expect, Fault, HaProxy, IdleEnd, Lab, Need, Netns, Oracle, Peer, Postgres,
    Scenario, SshRoute, Sshd,
};

const NOBODY: Oracle = Oracle::None("no other client leaves its connections alone");
/// The time-out of everything here, in milliseconds.
const TRUTH: f64 = 3_000.0;

/// The facts of the idle test.
pub fn facts(report: &Value) -> Result<&Value> {
    stage(report, "idle")
}

fn stage<'a>(report: &'a Value, name: &str) -> Result<&'a Value> {
    let stages = report["stages"].as_array().context("no stages")?;
    let stage = stages.iter().find(|stage| stage["stage"] == name);
    Ok(&stage.with_context(|| format!("no stage {name}"))?["facts"])
}

/// `dbdoctor idle --for 6s`, with a second of patience for what does not answer.
pub(super) fn idle(lab: &Lab, conn: Conn) -> Case {
    let case = Case::check(conn).password(lab.password());
    case.command("idle")
        .args(&["--for", "6s", "--timeout", "2s"])
}

fn number(value: &Value, what: &str) -> Result<f64> {
    value.as_f64().with_context(|| format!("{what} is {value}"))
}

/// The drop was told and timed, and is of this kind.
pub(super) fn told(kind: &'static str) -> impl Fn(&Value) -> Result<()> {
    move |report| {
        let facts = facts(report)?;
        let drop = &facts["drop"];
        ensure!(drop["kind"] == kind, "the drop is {drop}");
        let at = number(&drop["at_ms"], "at_ms")?;
        ensure!((at - TRUTH).abs() < 1_000.0, "told after {at} ms");
        bracket(facts)?;
        advice(facts)
    }
}

/// The drop was found at waking up, and is of this kind; the bracket contains the truth.
pub(super) fn found(kind: &'static str) -> impl Fn(&Value) -> Result<()> {
    move |report| {
        let facts = facts(report)?;
        let drop = &facts["drop"];
        ensure!(drop["kind"] == kind, "the drop is {drop}");
        bracket(facts)?;
        advice(facts)
    }
}

/// The threshold's bracket contains the truth, with what timers are late by.
fn bracket(facts: &Value) -> Result<()> {
    let threshold = &facts["threshold"];
    let survived = number(&threshold["survived_ms"], "survived_ms")?;
    let dropped = number(&threshold["dropped_ms"], "dropped_ms")?;
    ensure!(
        survived <= TRUTH + 500.0 && (TRUTH - 1_000.0..TRUTH + 1_500.0).contains(&dropped),
        "the bracket is {threshold}"
    );
    Ok(())
}

/// The numbers of the advice lie below the truth.
fn advice(facts: &Value) -> Result<()> {
    let advice = facts["advice"].as_object().context("no advice")?;
    let drivers = [
        "libpq",
        "SQLAlchemy",
        "asyncpg",
        "node-postgres",
        "HikariCP",
        "Go database/sql",
    ];
    for driver in drivers {
        ensure!(advice.contains_key(driver), "no advice for {driver}");
    }
    let seconds = [
        "keepalives_idle=",
        "pool_recycle=",
        "_lifetime=",
        "MaxIdleTime(",
        "Interval=",
    ];
    for text in advice.values().filter_map(Value::as_str) {
        for name in seconds {
            let Some((_, rest)) = text.split_once(name) else {
                continue;
            };
            let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
            let number: f64 = digits.parse().with_context(|| text.to_owned())?;
            ensure!(number * 1_000.0 < TRUTH, "{text}");
        }
    }
    Ok(())
}

/// What helps and what does not.
pub(super) fn helps(keepalive: bool, heartbeat: bool) -> impl Fn(&Value) -> Result<()> {
    move |report| {
        let facts = facts(report)?;
        let (found_keepalive, found_heartbeat) =
            (&facts["keepalive_helps"], &facts["heartbeat_helps"]);
        ensure!(
            *found_keepalive == keepalive && *found_heartbeat == heartbeat,
            "keepalives {found_keepalive}, heartbeats {found_heartbeat}"
        );
        Ok(())
    }
}

/// Nothing was dropped in so many milliseconds.
pub(super) fn lasted(silence: f64) -> impl Fn(&Value) -> Result<()> {
    move |report| {
        let facts = facts(report)?;
        let survived = number(&facts["threshold"]["survived_ms"], "survived_ms")?;
        ensure!(survived >= silence, "survived {survived} ms");
        ensure!(facts["threshold"]["dropped_ms"].is_null() && facts["drop"].is_null());
        ensure!(facts["keepalive_helps"].is_null() && facts["heartbeat_helps"].is_null());
        Ok(())
    }
}

/// The part of the way that the drop is put down to.
pub(super) fn part(part: &'static str) -> impl Fn(&Value) -> Result<()> {
    move |report| {
        let found = &facts(report)?["drop"]["part"];
        ensure!(*found == part, "the part is {found}");
        Ok(())
    }
}

/// A forward to `to` that ends what is idle.
pub(super) fn forgetful(to: &str, end: IdleEnd) -> Result<Peer> {
    Peer::forward(to, Fault::Idle(Duration::from_millis(TRUTH as u64), end))
}

/// Through a forward that stands before the SSH server.
pub(super) fn before_ssh(sshd: &Sshd, peer: &Peer, lab: &Lab) -> Result<SshRoute> {
    let user = lab.user()?;
    let known = std::fs::read_to_string(sshd.known_hosts())?;
    let known = known.replace(
        &format!("[{}]:{}", sshd.host(), sshd.port()),
        &format!("[127.0.0.1]:{}", peer.port()),
    );
    Ok(SshRoute::new(&format!("{user}@127.0.0.1:{}", peer.port()))
        .key(lab.client_key()?)
        .known_hosts(lab.file("known_hosts", known, 0o644)?))
}

/// A firewall of the namespace that forgets idle connections to the port after three seconds.
pub(super) fn forget(ns: &Netns, port: u16, verdict: &str) -> Result<()> {
    ns.nft(&format!(
        "add table inet lab\n\
         add chain inet lab in {{ type filter hook input priority 0; }}\n\
         add rule inet lab in iif lo accept\n\
         add rule inet lab in tcp dport {port} ct state established accept\n\
         add rule inet lab in tcp dport {port} tcp flags & (syn | ack) == syn accept\n\
         add rule inet lab in tcp dport {port} {verdict}\n"
    ))?;
    // What it forgot it does not pick up again; its clock is what it is.
    ns.run(&["sysctl", "-qw", "net.netfilter.nf_conntrack_tcp_loose=0"])?;
    ns.run(&[
        "sysctl",
        "-qw",
        "net.netfilter.nf_conntrack_tcp_timeout_established=3",
    ])?;
    Ok(())
}

/// A server behind a firewall that forgets idle connections after three seconds; `verdict` is
/// what it does with what it does not know.
pub(super) fn behind_firewall(
    lab: &Lab,
    verdict: &str,
    conf: &[(&str, &str)],
) -> Result<(Postgres, Netns)> {
    let ns = lab.netns()?;
    let mut pg = lab.new_postgres().netns(&ns);
    for (name, value) in conf {
        pg = pg.conf(name, value);
    }
    let pg = pg.start()?;
    forget(&ns, pg.port(), verdict)?;
    Ok((pg, ns))
}

/// Ends all sessions of `app` once, when the oldest of those that are there together has waited
/// for three seconds.
fn executioner(pg: &Postgres) -> impl FnOnce() + Send + 'static {
    let sql = "select count(pg_terminate_backend(pid)) from pg_stat_activity \
               where usename = 'app' and exists (select from pg_stat_activity \
               where usename = 'app' and application_name = 'dbdoctor' and state = 'idle' \
               and state_change < now() - interval '3 s')";
    let tool = crate::Tool::new("psql")
        .args(["-XAtqw", "-d"])
        .arg(
            Conn::new()
                .set("host", pg.socket_dir().display())
                .set("port", pg.port())
                .set("user", "postgres")
                .set("dbname", "postgres"),
        )
        .args(["-c", sql]);
    move || {
        for _ in 0..600 {
            match tool.succeed() {
                Ok(count) if count.trim() == "0" => thread::sleep(Duration::from_millis(100)),
                _ => return,
            }
        }
    }
}

/// Left alone.
pub const SCENARIOS: &[Scenario] = &[
    Scenario::new(
        "idle-healthy",
        "nobody drops anything",
        Expect::Pass,
        &[Need::Postgres],
        |lab| {
            let conn = lab.postgres()?.conn().set("sslmode", "require");
            let case = Case::check(conn).password(lab.password()).command("idle");
            Ok(case
                .args(&["--for", "2s"])
                .forbids("idle.keepalive")
                .assert(lasted(2_000.0)))
        },
    )
    .oracle(NOBODY),
    Scenario::new(
        "idle-check-healthy",
        "check --idle, through the unix socket",
        Expect::Pass,
        &[Need::Postgres],
        |lab| {
            let pg = lab.postgres()?;
            let conn = pg.conn().set("host", pg.socket_dir().display());
            let case = Case::check(conn).password(lab.password());
            Ok(case.args(&["--idle", "2s"]).assert(lasted(2_000.0)))
        },
    )
    .oracle(NOBODY),
    Scenario::new(
        "idle-haproxy",
        "HAProxy closes what is idle",
        Expect::Fail("idle.closed"),
        &[Need::Postgres, Need::HaProxy],
        |lab| {
            let pg = lab.postgres()?;
            let proxy = HaProxy::tcp(lab, &pg.addr(), "timeout client 3s\n timeout server 3s")?;
            let case = idle(lab, pg.conn().set("port", proxy.port()));
            Ok(case
                .assert(told("closed"))
                .assert(helps(false, true))
                .warns("idle.keepalive")
                .keep(proxy))
        },
    )
    .oracle(NOBODY),
    Scenario::new(
        "idle-haproxy-tls",
        "HAProxy closes what is idle, TLS passes through it",
        Expect::Fail("idle.closed"),
        &[Need::Postgres, Need::HaProxy],
        |lab| {
            let pg = lab.postgres()?;
            let proxy = HaProxy::tcp(lab, &pg.addr(), "timeout client 3s\n timeout server 3s")?;
            let conn = pg.conn().set("port", proxy.port());
            let case = Case::check(conn.set("sslmode", "require")).password(lab.password());
            Ok(case
                .args(&["--idle", "6s", "--timeout", "2s"])
                .assert(told("closed"))
                .keep(proxy))
        },
    )
    .oracle(NOBODY),
    Scenario::new(
        "idle-haproxy-healthy",
        "HAProxy has more patience than the test",
        Expect::Pass,
        &[Need::Postgres, Need::HaProxy],
        |lab| {
            let pg = lab.postgres()?;
            let proxy = HaProxy::tcp(lab, &pg.addr(), "timeout client 9s\n timeout server 9s")?;
            let case = idle(lab, pg.conn().set("port", proxy.port()));
            Ok(case.assert(lasted(6_000.0)).keep(proxy))
        },
    )
    .oracle(NOBODY),
    Scenario::new(
        "idle-reset",
        "a forward resets what is idle",
        Expect::Fail("idle.reset"),
        &[Need::Postgres],
        |lab| {
            let pg = lab.postgres()?;
            let peer = forgetful(&pg.addr(), IdleEnd::Reset)?;
            let case = idle(lab, pg.conn().set("port", peer.port()));
            Ok(case
                .assert(told("reset"))
                .assert(helps(false, true))
                .keep(peer))
        },
    )
    .oracle(NOBODY),
    Scenario::new(
        "idle-forward-silent",
        "a forward, which ends TCP itself, passes nothing any more",
        Expect::Fail("idle.black-hole"),
        &[Need::Postgres],
        |lab| {
            let pg = lab.postgres()?;
            let peer = forgetful(&pg.addr(), IdleEnd::Silence)?;
            let case = idle(lab, pg.conn().set("port", peer.port()));
            Ok(case
                .assert(found("silent"))
                .assert(helps(false, true))
                .keep(peer))
        },
    )
    .oracle(NOBODY),
    Scenario::new(
        "idle-firewall-silent",
        "a firewall forgets what is idle and drops its packets",
        Expect::Fail("idle.black-hole"),
        &[Need::Postgres, Need::Nft],
        |lab| {
            let (pg, ns) = behind_firewall(lab, "drop", &[])?;
            let case = idle(lab, pg.conn());
            Ok(case
                .assert(found("silent"))
                .assert(helps(true, true))
                .warns("idle.keepalive")
                .keep((pg, ns)))
        },
    )
    .oracle(NOBODY),
    Scenario::new(
        "idle-firewall-reset",
        "a firewall forgets what is idle and resets it when it is woken",
        Expect::Fail("idle.reset"),
        &[Need::Postgres, Need::Nft],
        |lab| {
            let (pg, ns) = behind_firewall(lab, "reject with tcp reset", &[])?;
            let case = idle(lab, pg.conn());
            Ok(case
                .assert(found("reset"))
                .assert(helps(true, true))
                .keep((pg, ns)))
        },
    )
    .oracle(NOBODY),
    Scenario::new(
        "idle-firewall-narrowed",
        "a wide bracket is looked into once more",
        Expect::Fail("idle.black-hole"),
        &[Need::Postgres, Need::Nft],
        |lab| {
            let (pg, ns) = behind_firewall(lab, "drop", &[])?;
            let case = Case::check(pg.conn()).password(lab.password());
            let case = case
                .command("idle")
                .args(&["--for", "24s", "--timeout", "2s"]);
            Ok(case
                .assert(found("silent"))
                .assert(helps(true, true))
                .assert(|report| {
                    let threshold = &facts(report)?["threshold"];
                    let width = number(&threshold["dropped_ms"], "dropped_ms")?
                        - number(&threshold["survived_ms"], "survived_ms")?;
                    ensure!(width < 1_500.0, "the bracket is {width} ms wide");
                    Ok(())
                })
                .keep((pg, ns)))
        },
    )
    .oracle(NOBODY),
    Scenario::new(
        "idle-firewall-server-keepalives",
        "a firewall forgets what is idle, and the server's own keepalives prevent it",
        Expect::Pass,
        &[Need::Postgres, Need::Nft],
        |lab| {
            let (pg, ns) = behind_firewall(
                lab,
                "drop",
                &[
                    ("tcp_keepalives_idle", "1"),
                    ("tcp_keepalives_interval", "1"),
                ],
            )?;
            Ok(idle(lab, pg.conn()).assert(lasted(6_000.0)).keep((pg, ns)))
        },
    )
    .oracle(NOBODY),
    Scenario::new(
        "idle-server-timeout",
        "idle_session_timeout",
        Expect::Fail("idle.server-timeout"),
        &[Need::Postgres],
        |lab| {
            let pg = lab
                .new_postgres()
                .conf("idle_session_timeout", "3s")
                .start()?;
            Ok(idle(lab, pg.conn())
                .assert(told("server"))
                .assert(helps(false, true))
                .keep(pg))
        },
    )
    .oracle(NOBODY),
    Scenario::new(
        "idle-server-timeout-role",
        "idle_session_timeout of a role",
        Expect::Fail("idle.server-timeout"),
        &[Need::Postgres],
        |lab| {
            let pg = lab
                .new_postgres()
                .sql("alter role app set idle_session_timeout = '3s'")
                .start()?;
            Ok(idle(lab, pg.conn()).assert(told("server")).keep(pg))
        },
    )
    .oracle(NOBODY),
    Scenario::new(
        "idle-in-transaction",
        "idle_in_transaction_session_timeout, with a transaction open",
        Expect::Fail("idle.server-timeout"),
        &[Need::Postgres],
        |lab| {
            let pg = lab
                .new_postgres()
                .conf("idle_in_transaction_session_timeout", "3s")
                .start()?;
            Ok(idle(lab, pg.conn())
                .arg("--in-transaction")
                .assert(told("server"))
                .assert(helps(false, true))
                .keep(pg))
        },
    )
    .oracle(NOBODY),
    Scenario::new(
        "idle-in-transaction-healthy",
        "idle_in_transaction_session_timeout, without a transaction",
        Expect::Pass,
        &[Need::Postgres],
        |lab| {
            let pg = lab
                .new_postgres()
                .conf("idle_in_transaction_session_timeout", "1s")
                .start()?;
            let case = Case::check(pg.conn()).password(lab.password());
            Ok(case
                .args(&["--idle", "3s"])
                .assert(lasted(3_000.0))
                .keep(pg))
        },
    )
    .oracle(NOBODY),
    Scenario::new(
        "idle-terminated",
        "somebody ends every session",
        Expect::Fail("idle.terminated"),
        &[Need::Postgres],
        |lab| {
            let pg = lab.new_postgres().start()?;
            thread::spawn(executioner(&pg));
            let case = idle(lab, pg.conn()).assert(helps(false, false));
            Ok(case
                .assert(|report| {
                    let facts = facts(report)?;
                    let drop = &facts["drop"];
                    ensure!(drop["kind"] == "server" && drop["sqlstate"] == "57P01");
                    let at = number(&drop["at_ms"], "at_ms")?;
                    ensure!((at - TRUTH).abs() < 1_000.0, "told after {at} ms");
                    ensure!(facts["threshold"]["dropped_ms"].is_null());
                    Ok(())
                })
                .keep(pg))
        },
    )
    .oracle(NOBODY),
    Scenario::new(
        "idle-pooler",
        "PgBouncer's client_idle_timeout",
        Expect::Fail("idle.pooler-timeout"),
        &[Need::Postgres, Need::PgBouncer],
        |lab| {
            let pg = lab.postgres()?;
            let bouncer = lab
                .new_pgbouncer()
                .database("appdb", pg.conn().without("user"))
                .set("client_idle_timeout", 3)
                .start()?;
            Ok(idle(lab, bouncer.conn())
                .assert(told("pooler"))
                .assert(helps(false, true))
                .keep(bouncer))
        },
    )
    .oracle(NOBODY),
    Scenario::new(
        "idle-pooler-transaction",
        "PgBouncer's idle_transaction_timeout, with a transaction open",
        Expect::Fail("idle.pooler-timeout"),
        &[Need::Postgres, Need::PgBouncer],
        |lab| {
            let pg = lab.postgres()?;
            let bouncer = lab
                .new_pgbouncer()
                .database("appdb", pg.conn().without("user"))
                .set("idle_transaction_timeout", 3)
                .start()?;
            Ok(idle(lab, bouncer.conn())
                .arg("--in-transaction")
                .assert(told("pooler"))
                .keep(bouncer))
        },
    )
    .oracle(NOBODY),
    Scenario::new(
        "idle-pooler-transaction-mode",
        "PgBouncer's client_idle_timeout, with transaction pooling",
        Expect::Fail("idle.pooler-timeout"),
        &[Need::Postgres, Need::PgBouncer],
        |lab| {
            let pg = lab.postgres()?;
            let bouncer = lab
                .new_pgbouncer()
                .database("appdb", pg.conn().without("user"))
                .set("pool_mode", "transaction")
                .set("client_idle_timeout", 3)
                .start()?;
            Ok(idle(lab, bouncer.conn())
                .assert(told("pooler"))
                .assert(helps(false, true))
                .keep(bouncer))
        },
    )
    .oracle(NOBODY),
    Scenario::new(
        "idle-pooler-server-timeout",
        "the server's idle_session_timeout, with PgBouncer's session pooling before it",
        Expect::Fail("idle.server-timeout"),
        &[Need::Postgres, Need::PgBouncer],
        |lab| {
            let pg = lab
                .new_postgres()
                .conf("max_connections", 60)
                .conf("idle_session_timeout", "3s")
                .start()?;
            let bouncer = lab
                .new_pgbouncer()
                .database("appdb", pg.conn().without("user"))
                .start()?;
            Ok(idle(lab, bouncer.conn())
                .assert(told("server"))
                .keep((bouncer, pg)))
        },
    )
    .oracle(NOBODY),
    Scenario::new(
        "idle-pooler-server-healthy",
        "PgBouncer's server_idle_timeout, which no client sees",
        Expect::Pass,
        &[Need::Postgres, Need::PgBouncer],
        |lab| {
            let pg = lab.postgres()?;
            let bouncer = lab
                .new_pgbouncer()
                .database("appdb", pg.conn().without("user"))
                .set("pool_mode", "transaction")
                .set("server_idle_timeout", 1)
                .start()?;
            let case = Case::check(bouncer.conn()).password(lab.password());
            Ok(case
                .args(&["--idle", "4s"])
                .assert(lasted(4_000.0))
                .keep(bouncer))
        },
    )
    .oracle(NOBODY),
    Scenario::new(
        "idle-pooler-small-healthy",
        "a pool of two servers, which the test may not use up",
        Expect::Pass,
        &[Need::Postgres, Need::PgBouncer],
        |lab| {
            let pg = lab.postgres()?;
            let bouncer = lab
                .new_pgbouncer()
                .database("appdb", pg.conn().without("user"))
                .set("default_pool_size", 2)
                .start()?;
            let case = Case::check(bouncer.conn()).password(lab.password());
            Ok(case
                .args(&["--idle", "3s", "--timeout", "2s"])
                .assert(lasted(3_000.0))
                .keep(bouncer))
        },
    )
    .oracle(NOBODY),
    Scenario::new(
        "idle-pooler-one-healthy",
        "a pool of one server, which the run gives back before the test takes it",
        Expect::Pass,
        &[Need::Postgres, Need::PgBouncer],
        |lab| {
            let pg = lab.postgres()?;
            let bouncer = lab
                .new_pgbouncer()
                .database("appdb", pg.conn().without("user"))
                .set("default_pool_size", 1)
                .start()?;
            let case = Case::check(bouncer.conn()).password(lab.password());
            Ok(case
                .args(&["--idle", "3s", "--timeout", "2s"])
                .assert(lasted(3_000.0))
                .keep(bouncer))
        },
    )
    .oracle(NOBODY),
    Scenario::new(
        "idle-pooler-one",
        "PgBouncer's client_idle_timeout, and a pool of one server",
        Expect::Fail("idle.pooler-timeout"),
        &[Need::Postgres, Need::PgBouncer],
        |lab| {
            let pg = lab.postgres()?;
            let bouncer = lab
                .new_pgbouncer()
                .database("appdb", pg.conn().without("user"))
                .set("default_pool_size", 1)
                .set("client_idle_timeout", 2)
                .start()?;
            let case = Case::check(bouncer.conn()).password(lab.password());
            Ok(case
                .args(&["--idle", "4s", "--timeout", "2s"])
                .assert(|report| {
                    let drop = &facts(report)?["drop"];
                    ensure!(drop["kind"] == "pooler", "the drop is {drop}");
                    Ok(())
                })
                .keep(bouncer))
        },
    )
    .oracle(NOBODY),
    Scenario::new(
        "idle-few-slots-healthy",
        "a server with few slots, most of which stay free",
        Expect::Pass,
        &[Need::Postgres],
        |lab| {
            let pg = lab
                .new_postgres()
                .conf("max_connections", 9)
                .conf("superuser_reserved_connections", 1)
                .start()?;
            let case = Case::check(pg.conn()).password(lab.password());
            let case = case.command("idle").args(&["--for", "2s"]);
            Ok(case
                .assert(lasted(2_000.0))
                .assert(|report| {
                    let facts = facts(report)?;
                    ensure!(facts["fewer"].is_string(), "nothing is said of fewer");
                    let rungs = facts["rungs"].as_array().map(Vec::len);
                    ensure!(rungs.is_some_and(|n| n <= 4), "{rungs:?} rungs");
                    Ok(())
                })
                .keep(pg))
        },
    )
    .oracle(NOBODY),
    Scenario::new(
        "idle-ssh-channel-timeout",
        "the SSH server closes forwards that are idle: ChannelTimeout",
        Expect::Fail("idle.ssh-closed"),
        &[Need::Postgres, Need::Sshd],
        |lab| {
            let sshd = lab
                .new_sshd()
                .config("ChannelTimeout direct-tcpip=3s")
                .start()?;
            let case = idle(lab, lab.postgres()?.conn()).ssh(sshd.route());
            Ok(case
                .assert(told("ssh"))
                .assert(part("the forward in the SSH session"))
                .assert(helps(false, true))
                .keep(sshd))
        },
    )
    .oracle(NOBODY),
    Scenario::new(
        "idle-ssh-closed",
        "a proxy before the SSH server closes what is idle",
        Expect::Fail("idle.ssh-closed"),
        &[Need::Postgres, Need::Sshd],
        |lab| {
            let sshd = lab.sshd()?;
            let peer = forgetful(&sshd.addr(), IdleEnd::Close)?;
            let route = before_ssh(&sshd, &peer, lab)?;
            let case = idle(lab, lab.postgres()?.conn()).ssh(route);
            Ok(case
                .assert(told("ssh"))
                .assert(part("the SSH session"))
                .keep(peer))
        },
    )
    .oracle(NOBODY),
    Scenario::new(
        "idle-ssh-reset",
        "a forward before the SSH server resets what is idle",
        Expect::Fail("idle.reset"),
        &[Need::Postgres, Need::Sshd],
        |lab| {
            let sshd = lab.sshd()?;
            let peer = forgetful(&sshd.addr(), IdleEnd::Reset)?;
            let route = before_ssh(&sshd, &peer, lab)?;
            let case = idle(lab, lab.postgres()?.conn()).ssh(route);
            Ok(case
                .assert(told("reset"))
                .assert(part("the SSH session"))
                .assert(helps(false, true))
                .keep(peer))
        },
    )
    .oracle(NOBODY),
    Scenario::new(
        "idle-ssh-silent",
        "a forward before the SSH server passes nothing any more",
        Expect::Fail("idle.black-hole"),
        &[Need::Postgres, Need::Sshd],
        |lab| {
            let sshd = lab.sshd()?;
            let peer = forgetful(&sshd.addr(), IdleEnd::Silence)?;
            let route = before_ssh(&sshd, &peer, lab)?;
            let case = idle(lab, lab.postgres()?.conn()).ssh(route);
            Ok(case
                .assert(found("silent"))
                .assert(part("the SSH session"))
                .assert(helps(false, true))
                .keep(peer))
        },
    )
    .oracle(NOBODY),
    Scenario::new(
        "idle-beyond-ssh-closed",
        "HAProxy between the SSH server and the database closes what is idle",
        Expect::Fail("idle.closed"),
        &[Need::Postgres, Need::Sshd, Need::HaProxy],
        |lab| {
            let pg = lab.postgres()?;
            let proxy = HaProxy::tcp(lab, &pg.addr(), "timeout client 3s\n timeout server 3s")?;
            let case = idle(lab, pg.conn().set("port", proxy.port()));
            Ok(case
                .ssh(lab.sshd()?.route())
                .assert(told("closed"))
                .assert(part("from the bastion to the database"))
                .assert(helps(false, true))
                .keep(proxy))
        },
    )
    .oracle(NOBODY),
    Scenario::new(
        "idle-beyond-ssh-reset",
        "a forward between the SSH server and the database resets what is idle",
        Expect::Fail("idle.closed"),
        &[Need::Postgres, Need::Sshd],
        |lab| {
            let pg = lab.postgres()?;
            let peer = forgetful(&pg.addr(), IdleEnd::Reset)?;
            let case = idle(lab, pg.conn().set("port", peer.port()));
            Ok(case
                .ssh(lab.sshd()?.route())
                .assert(told("closed"))
                .assert(part("from the bastion to the database"))
                .keep(peer))
        },
    )
    .oracle(NOBODY),
    Scenario::new(
        "idle-beyond-ssh-silent",
        "a firewall between the SSH server and the database forgets what is idle",
        Expect::Fail("idle.black-hole"),
        &[Need::Postgres, Need::Sshd, Need::Nft],
        |lab| {
            let (pg, ns) = behind_firewall(lab, "drop", &[])?;
            let case = idle(lab, pg.conn()).ssh(lab.sshd()?.route());
            Ok(case
                .assert(found("silent"))
                .assert(part("from the bastion to the database"))
                .assert(helps(false, true))
                .keep((pg, ns)))
        },
    )
    .oracle(NOBODY),
    Scenario::new(
        "idle-beyond-ssh-server",
        "idle_session_timeout behind an SSH server",
        Expect::Fail("idle.server-timeout"),
        &[Need::Postgres, Need::Sshd],
        |lab| {
            let pg = lab
                .new_postgres()
                .conf("idle_session_timeout", "3s")
                .start()?;
            let case = idle(lab, pg.conn()).ssh(lab.sshd()?.route());
            Ok(case.assert(told("server")).keep(pg))
        },
    )
    .oracle(NOBODY),
    Scenario::new(
        "idle-ssh-healthy",
        "ClientAliveInterval and UnusedConnectionTimeout, which end nothing that is in use",
        Expect::Pass,
        &[Need::Postgres, Need::Sshd],
        |lab| {
            let sshd = lab
                .new_sshd()
                .config("ClientAliveInterval 1")
                .config("ClientAliveCountMax 2")
                .config("UnusedConnectionTimeout 2s")
                .start()?;
            let case = idle(lab, lab.postgres()?.conn()).ssh(sshd.route());
            Ok(case.assert(lasted(6_000.0)).keep(sshd))
        },
    )
    .oracle(NOBODY),
    Scenario::new(
        "idle-ssh-jump",
        "the second of two SSH servers closes forwards that are idle",
        Expect::Fail("idle.ssh-closed"),
        &[Need::Postgres, Need::Sshd],
        |lab| {
            let first = lab.sshd()?;
            let second = lab
                .new_sshd()
                .config("ChannelTimeout direct-tcpip=3s")
                .start()?;
            let mut known = std::fs::read_to_string(first.known_hosts())?;
            known += &std::fs::read_to_string(second.known_hosts())?;
            let route = first.route().then(&second.destination());
            let route = route.known_hosts(lab.file("known_hosts", known, 0o644)?);
            let case = idle(lab, lab.postgres()?.conn()).ssh(route);
            Ok(case.assert(told("ssh")).keep(second))
        },
    )
    .oracle(NOBODY),
    Scenario::new(
        "idle-login-fails",
        "what cannot log in has nothing to leave alone",
        Expect::Fail("auth.password.wrong"),
        &[Need::Postgres],
        |lab| {
            let case = Case::check(lab.postgres()?.conn()).password("wr0ng-canary");
            Ok(case.command("idle").args(&["--for", "1m"]))
        },
    ),
];
