//! Where a connection to an SSH server comes from (`BindAddress`, `BindInterface`).

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::{Case, Expect, Lab, Need, Oracle, Scenario, SshRoute, Sshd};

/// To the shared database through the shared server by the name `bastion`,
/// with these lines before those that lead there.
fn by(lab: &Lab, lines: &str) -> Result<Case> {
    let sshd = lab.sshd()?;
    let case = to(lab, &sshd, lines)?;
    Ok(case.keep(sshd))
}

fn to(lab: &Lab, sshd: &Sshd, lines: &str) -> Result<Case> {
    let config = format!(
        "{lines}\nHost *\n  HostName {}\n  Port {}\n  User {}\n  IdentityFile {}\n  UserKnownHostsFile {}\n",
        sshd.host(),
        sshd.port(),
        lab.user()?,
        lab.client_key()?.display(),
        sshd.known_hosts().display(),
    );
    let route = SshRoute::new("bastion").config(lab.file("config", config, 0o600)?);
    let case = Case::check(lab.postgres()?.conn()).password(lab.password());
    Ok(case
        .ssh(route)
        .args(&["--timeout", "2s"])
        .forbids("config.ssh.unsupported")
        .forbids("tcp.local")
        .forbids("tcp.unreachable"))
}

/// A server that lets nobody in but from this address.
fn only_from(lab: &Lab, address: &str, lines: &str) -> Result<Case> {
    let sshd = lab.new_sshd();
    let sshd = sshd.config(&format!("AllowUsers *@{address}")).start()?;
    Ok(to(lab, &sshd, lines)?.keep(sshd))
}

/// What the evidence holds, where it was set, and what the first fix names.
fn names(case: Case, keyword: &'static str, value: &'static str, why: &'static str) -> Case {
    case.assert(move |report| {
        let stages = report["stages"].as_array().context("no stages")?;
        let tcp = stages.iter().find(|stage| stage["stage"] == "tcp");
        let finding: &Value = &tcp.context("no stage tcp")?["findings"][0];
        let evidence = &finding["evidence"];
        ensure!(evidence["keyword"] == keyword, "{evidence}");
        ensure!(evidence["value"] == value, "{evidence}");
        ensure!(evidence["line"] == 1, "{evidence}");
        let error = evidence["error"].as_str().unwrap_or_default();
        ensure!(error.contains(why), "no {why:?} in {error:?}");
        let first = finding["fixes"][0].to_string();
        ensure!(first.contains(keyword), "{first}");
        Ok(())
    })
}

/// An interface without addresses, which is down.
const VPN: &[&str] = &["ip", "link", "add", "vpn0", "type", "veth", "peer", "vpn1"];

const BOTH: &[Need] = &[Need::Postgres, Need::Sshd];
const ACROSS: &[Need] = &[Need::Postgres, Need::Sshd, Need::Netns];

macro_rules! scenario {
    ($name:literal, $about:literal, $expect:expr, $setup:expr) => {
        scenario!($name, $about, $expect, BOTH, $setup)
    };
    ($name:literal, $about:literal, $expect:expr, $needs:expr, $setup:expr) => {
        Scenario::new($name, $about, $expect, $needs, $setup).oracle(Oracle::Ssh)
    };
}

/// The addresses.
pub const SCENARIOS: &[Scenario] = &[
    scenario!(
        "ssh-bind-address",
        "a server that lets in from one address, which is bound",
        Expect::Pass,
        |lab| only_from(lab, "127.0.0.9", "BindAddress 127.0.0.9")
    ),
    scenario!(
        "ssh-bind-not-bound",
        "a server that lets in from one address, and nothing is bound",
        Expect::Fail("ssh.auth.publickey"),
        |lab| only_from(lab, "127.0.0.9", "")
    ),
    scenario!(
        "ssh-bind-first-counts",
        "the first BindAddress counts, and not the interface",
        Expect::Pass,
        |lab| only_from(
            lab,
            "127.0.0.9",
            "BindInterface nowhere0\nBindAddress 127.0.0.9\nBindAddress 127.0.0.8"
        )
    ),
    scenario!(
        "ssh-bind-name",
        "a name for the address",
        Expect::Pass,
        |lab| by(lab, "BindAddress localhost")
    ),
    scenario!(
        "ssh-bind-interface",
        "the interface that leads there",
        Expect::Pass,
        |lab| by(lab, "BindInterface lo")
    ),
    scenario!(
        "ssh-bind-second-opinion",
        "other SSH clients connect from the address too",
        Expect::Pass,
        |lab| {
            let case = only_from(lab, "127.0.0.9", "BindAddress 127.0.0.9")?;
            Ok(case.arg("--second-opinion").assert(|report| {
                let stages = report["stages"].as_array().context("no stages")?;
                let client = stages.iter().find(|stage| stage["stage"] == "client");
                let rows = &client.context("no stage client")?["facts"]["second_opinion"];
                for stack in ["libssh2", "ssh"] {
                    let mut rows = rows.as_array().context("no rows")?.iter();
                    let row = rows.find(|row| row["stack"] == stack);
                    let row = row.with_context(|| format!("no row of {stack}"))?;
                    ensure!(row["outcome"] == "passed", "{row}");
                }
                Ok(())
            }))
        }
    ),
    scenario!(
        "ssh-bind-foreign",
        "an address of another machine",
        Expect::Fail("tcp.bind"),
        |lab| Ok(names(
            by(lab, "BindAddress 198.51.100.7")?,
            "BindAddress",
            "198.51.100.7",
            "not an address of this machine"
        ))
    ),
    scenario!(
        "ssh-bind-family",
        "an address of the other family",
        Expect::Fail("tcp.bind"),
        |lab| Ok(names(
            by(lab, "BindAddress ::1")?,
            "BindAddress",
            "::1",
            "family"
        ))
    ),
    scenario!(
        "ssh-bind-scope",
        "an address without the interface that it is of",
        Expect::Fail("tcp.bind"),
        |lab| {
            let lines = "BindAddress fe80::1\nHostName ::1";
            Ok(names(by(lab, lines)?, "BindAddress", "fe80::1", "fe80::1"))
        }
    ),
    scenario!(
        "ssh-bind-unknown-name",
        "a name that nobody knows",
        Expect::Fail("tcp.bind"),
        |lab| Ok(names(
            by(lab, "BindAddress nobody.invalid")?,
            "BindAddress",
            "nobody.invalid",
            "nobody.invalid"
        ))
    ),
    scenario!(
        "ssh-bind-no-interface",
        "an interface that is not there",
        Expect::Fail("tcp.bind"),
        |lab| Ok(names(
            by(lab, "BindInterface tun9")?,
            "BindInterface",
            "tun9",
            "no interface of that name"
        ))
    ),
    scenario!(
        "ssh-bind-interface-down",
        "an interface that is down",
        Expect::Fail("tcp.bind"),
        ACROSS,
        |lab| {
            let ns = lab.netns()?;
            ns.run(VPN)?;
            let case = by(lab, "BindInterface vpn0")?;
            Ok(names(case, "BindInterface", "vpn0", "is down").netns(ns))
        }
    ),
    scenario!(
        "ssh-bind-interface-family",
        "an interface with no address of the server's family",
        Expect::Fail("tcp.bind"),
        ACROSS,
        |lab| {
            let ns = lab.netns()?;
            ns.run(VPN)?;
            ns.run(&["ip", "link", "set", "vpn0", "up"])?;
            let case = by(lab, "BindInterface vpn0")?;
            Ok(names(case, "BindInterface", "vpn0", "family").netns(ns))
        }
    ),
    scenario!(
        "ssh-bind-loopback",
        "a loopback address, and a server elsewhere",
        Expect::Fail("tcp.bind"),
        ACROSS,
        |lab| {
            let ns = lab.netns()?;
            let sshd = lab.new_sshd().netns(&ns).start()?;
            let case = to(lab, &sshd, "BindAddress 127.0.0.1")?;
            let case = names(case, "BindAddress", "127.0.0.1", "loopback");
            Ok(case.keep((sshd, ns)))
        }
    ),
    scenario!(
        "ssh-bind-dropped",
        "an address whose packets a firewall drops, and others come through",
        Expect::Fail("tcp.bind"),
        ACROSS,
        |lab| from_a_filtered_address(lab, "drop")
    ),
    scenario!(
        "ssh-bind-rejected",
        "an address whose packets a firewall rejects, and others come through",
        Expect::Fail("tcp.bind"),
        ACROSS,
        |lab| from_a_filtered_address(lab, "meta l4proto tcp reject with tcp reset")
    ),
    scenario!(
        "ssh-bind-refused",
        "an address that does, and nobody listens",
        Expect::Fail("tcp.refused"),
        |lab| by(lab, "BindAddress 127.0.0.9\nHostName 127.0.0.1\nPort 1")
    ),
    scenario!(
        "ssh-bind-behind-a-jump",
        "an address for a server that is reached through another",
        Expect::Pass,
        |lab| by(
            lab,
            "Host bastion\n  ProxyJump near\n  BindAddress 198.51.100.7"
        )
    ),
    scenario!(
        "ssh-bind-jump",
        "an address for the jump host",
        Expect::Fail("tcp.bind"),
        |lab| by(
            lab,
            "Host bastion\n  ProxyJump near\nHost near\n  BindAddress 198.51.100.7"
        )
    ),
    scenario!(
        "ssh-bind-proxy-command",
        "an address for a server that a command reaches",
        Expect::Pass,
        |lab| {
            let sshd = lab.sshd()?;
            let forward = "import os,socket,sys,threading\n\
                s = socket.create_connection((sys.argv[1], int(sys.argv[2])))\n\
                def up():\n    while d := os.read(0, 65536): s.sendall(d)\n\
                threading.Thread(target=up, daemon=True).start()\n\
                while d := s.recv(65536): os.write(1, d)\n";
            let forward = lab.file("forward.py", forward, 0o644)?;
            let lines = format!(
                "BindAddress 198.51.100.7\nProxyCommand python3 {} %h %p",
                forward.display()
            );
            Ok(to(lab, &sshd, &lines)?.keep(sshd))
        }
    ),
];

/// A client and a server in one namespace, whose firewall treats one address so.
fn from_a_filtered_address(lab: &Lab, verdict: &str) -> Result<Case> {
    let ns = lab.netns()?;
    let sshd = lab.new_sshd().netns(&ns).start()?;
    ns.input(&format!("ip saddr 127.0.0.9 {verdict}"))?;
    let case = to(lab, &sshd, "BindAddress 127.0.0.9")?.patience(4);
    let case = names(case, "BindAddress", "127.0.0.9", "other addresses");
    Ok(case.netns(ns).keep(sshd))
}
