//! TLS that cannot be agreed on, and certificates that do not hold.

pub mod certificate;
pub mod chain;
pub mod client;
pub mod demanding;
pub mod foreign_home;
pub mod other_clients;
pub mod session;

use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};
use openssl::pkey::{PKey, Private};
use openssl::symm::Cipher;
use openssl::x509::X509;
use serde_json::{Value, json};

use crate::process::{Service, Tool};
use crate::{
    Ca, Case, CertSpec, Conn, Expect, Fault, HaProxy, Issued, KeyKind, Lab, Need, Oracle, Peer,
    Postgres, Scenario, Usage,
};

/// A server with this certificate, and a client that verifies it in full against the lab's CA.
fn with_cert(lab: &Lab, issued: Issued) -> Result<Case> {
    let pg = lab.new_postgres().tls(issued).start()?;
    Ok(Case::check(verified(lab, pg.conn()))
        .password(lab.password())
        .keep(pg))
}

fn verified(lab: &Lab, conn: Conn) -> Conn {
    conn.set("sslmode", "verify-full")
        .set("sslrootcert", lab.ca_file().display())
}

/// A case against a server with this certificate, verified with these settings.
fn verifying(lab: &Lab, issued: Issued, settings: &[(&str, &str)]) -> Result<Case> {
    let pg = lab.new_postgres().tls(issued).start()?;
    let conn = set(verified(lab, pg.conn()), settings);
    Ok(Case::check(conn).password(lab.password()).keep(pg))
}

/// A connection with further settings.
fn set(conn: Conn, settings: &[(&str, &str)]) -> Conn {
    settings
        .iter()
        .fold(conn, |conn, (name, value)| conn.set(name, value))
}

/// The shared server, verified, with further settings.
fn shared(lab: &Lab, settings: &[(&str, &str)]) -> Result<Case> {
    let pg = lab.postgres()?;
    let conn = set(verified(lab, pg.conn()), settings);
    Ok(Case::check(conn).password(lab.password()).keep(pg))
}

/// The shared server with the settings of the caller alone.
fn plainly(lab: &Lab, settings: &[(&str, &str)]) -> Result<Case> {
    let pg = lab.postgres()?;
    let conn = set(pg.conn(), settings);
    Ok(Case::check(conn).password(lab.password()).keep(pg))
}

/// The bytes of a finding's evidence by name, in the finding of this cause.
fn evidence(report: &Value, cause: &str, name: &str) -> Value {
    let stages = report["stages"].as_array().into_iter().flatten();
    stages
        .flat_map(|stage| stage["findings"].as_array().into_iter().flatten())
        .find(|finding| finding["cause"] == cause)
        .map_or(Value::Null, |finding| finding["evidence"][name].clone())
}

/// Evidence of this name must be there.
fn tells(cause: &'static str, name: &'static str) -> impl Fn(&Value) -> Result<()> + Send {
    move |report| {
        let value = evidence(report, cause, name);
        ensure!(!value.is_null(), "{cause} does not tell its {name}");
        Ok(())
    }
}

/// This finding must be there too.
fn also(cause: &'static str) -> impl Fn(&Value) -> Result<()> + Send {
    move |report| {
        let stages = report["stages"].as_array().into_iter().flatten();
        let mut all = stages.flat_map(|stage| stage["findings"].as_array().into_iter().flatten());
        ensure!(
            all.any(|finding| finding["cause"] == cause),
            "{cause} is not told"
        );
        Ok(())
    }
}

/// A fact of the `tls` stage must have this value.
fn fact(name: &'static str, value: Value) -> impl Fn(&Value) -> Result<()> + Send {
    move |report| {
        let stages = report["stages"].as_array().into_iter().flatten();
        let mut tls = stages.filter(|stage| stage["stage"] == "tls");
        let is = tls.next().map_or(Value::Null, |s| s["facts"][name].clone());
        ensure!(is == value, "{name} is {is}, not {value}");
        Ok(())
    }
}

/// An HAProxy that ends TLS with these words on its `bind` line, in front of a server without,
/// and behind somebody who answers the request for TLS in its place.
fn terminating(lab: &Lab, bind: &str, settings: &[(&str, &str)]) -> Result<Case> {
    let pg = lab.new_postgres().start()?;
    let bundle = lab.dir("tls")?.join("server.pem");
    lab.issue(lab.cert())?.write_bundle(&bundle)?;
    let bind = bind
        .replace("{bundle}", &bundle.to_string_lossy())
        .replace("{ca}", &lab.ca_file().to_string_lossy());
    let proxy = HaProxy::start(
        lab,
        &format!(
            "defaults\n mode tcp\n timeout connect 5s\n timeout client 1m\n timeout server 1m\n\
             listen database\n bind 127.0.0.1:{{port}} ssl {bind}\n server one {}\n",
            pg.addr()
        ),
    )?;
    let near = Peer::forward_after(format!("127.0.0.1:{}", proxy.port()), |client, _| {
        client.read_exact(&mut [0; 8])?;
        client.write_all(b"S")
    })?;
    let conn = set(pg.conn().set("port", near.port()), settings);
    Ok(Case::check(conn)
        .password(lab.password())
        .keep((near, proxy, pg)))
}

/// An openssl.cnf with these lines in its section for TLS, for one of the sides.
fn openssl_cnf(lab: &Lab, lines: &str) -> Result<String> {
    let text = format!(
        "openssl_conf = init\n[init]\nssl_conf = ssl\n[ssl]\nsystem_default = policy\n[policy]\n{lines}\n"
    );
    let file = lab.file("openssl.cnf", text, 0o644)?;
    Ok(file.to_string_lossy().into_owned())
}

/// libpq 15 has no say where newer settings are asked for.
const NEWER: Oracle = Oracle::None("the installed psql does not know this setting");
const PROXY: &[Need] = &[Need::Postgres, Need::HaProxy];
const PASS: Expect = Expect::Pass;
const HOSTNAME: Expect = Expect::Fail("tls.cert.hostname");
const UNKNOWN_CA: Expect = Expect::Fail("tls.cert.unknown-ca");
const INCOMPLETE: Expect = Expect::Fail("tls.cert.incomplete-chain");
