//! The host on which everybody is run: real servers on ports of its own, certificates, names
//! and a trust store, in a network namespace.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use anyhow::{Context, Result};
use dbdoctor_lab::process::Service;
use dbdoctor_lab::{
    Ca, CertSpec, Issued, KeyKind, Lab, Netns, PgBouncer, Postgres, PostgresBuilder, Tool,
    write_mode,
};
use openssl::symm::Cipher;

/// The names that set-ups give to ports. A port is 5401 and its place here, so that the texts
/// of an old record and of a new one name the same.
const SERVERS: [&str; 32] = [
    "plain",
    "tls",
    "selfsigned",
    "wrongname",
    "expired",
    "notyet",
    "cnonly",
    "v1",
    "ipsan",
    "chain",
    "incomplete",
    "ed25519",
    "public",
    "tls11",
    "hostssl",
    "hostnossl",
    "cert",
    "starting",
    "readonly",
    "v4",
    "v6",
    "auth",
    "otherpw",
    "nodb",
    "nohba",
    "bouncer",
    "bouncertls",
    "pool",
    "http",
    "closes",
    "closed", // nobody listens
    "dead",   // nor here, behind PgBouncer
];

/// A role of the server `auth`, its password, and the method that pg_hba.conf asks of it.
const ROLES: [(&str, &str, &str); 25] = [
    ("at", "p@w", "scram-sha-256"),
    ("colon", "p:w", "scram-sha-256"),
    ("slash", "p/w", "scram-sha-256"),
    ("percent", "p%w", "scram-sha-256"),
    ("plus", "p+w", "scram-sha-256"),
    ("space", "p w", "scram-sha-256"),
    ("hash", "p#w", "scram-sha-256"),
    ("question", "p?w", "scram-sha-256"),
    ("ampersand", "p&w", "scram-sha-256"),
    ("umlaut", "p\u{e9}w", "scram-sha-256"),
    ("ligature", "\u{fb01}x", "scram-sha-256"),
    ("half", "\u{bd}x", "scram-sha-256"),
    ("nbsp", "a\u{a0}b", "scram-sha-256"),
    ("softhyphen", "a\u{ad}b", "scram-sha-256"),
    ("joe@corp.test", "pw", "scram-sha-256"),
    ("clear", "pw", "password"),
    ("trusted", "pw", "trust"),
    ("rejected", "pw", "reject"),
    ("unlisted", "pw", ""),
    ("nopassword", "", "scram-sha-256"),
    ("outdated", "pw", "scram-sha-256"),
    ("nologin", "pw", "scram-sha-256"),
    ("limited", "pw", "scram-sha-256"),
    ("identuser", "pw", "ident"),
    ("gssuser", "pw", "gss"),
];

/// The host with all that runs on it.
pub struct Host {
    // Fields drop in this order: servers before their host.
    _services: Vec<Service>,
    _bouncers: Vec<PgBouncer>,
    _servers: BTreeMap<&'static str, Postgres>,
    netns: Netns,
    socket: PathBuf,
    /// The folder of certificates and keys.
    pub dir: PathBuf,
    /// The lab, for homes and logs.
    pub lab: Lab,
}

impl Host {
    /// Raises everything.
    pub fn raise() -> Result<Self> {
        let lab = Lab::new()?;
        let netns = lab.netns()?;
        netns.hosts(
            "127.0.0.1 localhost\n::1 localhost\n127.0.0.1 db.test other.test db_1.test two.test\n\
             ::1 six.test two.test\n",
        )?;
        // No name server: names that are not in the file are unknown at once.
        netns.etc_file(
            "nsswitch.conf",
            "passwd: files\ngroup: files\nhosts: files\n",
        )?;
        let dir = lab.dir("certificates")?;
        let certificates = Certificates::write(&lab, &dir)?;
        trust(&netns, &certificates.public)?;

        let servers = postgres(&lab, &netns, &certificates)?;
        let bouncers = bouncers(&lab, &netns, &certificates)?;
        let services = vec![
            serve(&lab, &netns, "http", HTTP)?,
            serve(&lab, &netns, "closes", CLOSES)?,
        ];
        let socket = servers["plain"].socket_dir().to_owned();
        Ok(Host {
            _services: services,
            _bouncers: bouncers,
            _servers: servers,
            netns,
            socket,
            dir,
            lab,
        })
    }

    /// A program that runs there.
    pub fn tool(&self, program: &str) -> Tool {
        self.netns.tool(program)
    }

    /// A set-up's text with ports and paths in the place of their names.
    pub fn fill(&self, text: &str, home: &Path) -> String {
        let socket = self.socket.to_string_lossy();
        let mut text = text
            .replace("{dir}", &self.dir.to_string_lossy())
            .replace("{home}", &home.to_string_lossy())
            .replace("{socket}", &socket)
            .replace("{%socket}", &socket.replace('/', "%2F"));
        for name in SERVERS {
            text = text.replace(&format!("{{{name}}}"), &port(name).to_string());
        }
        text
    }

    /// A text without what differs between two runs: the reverse of [`Host::fill`] for paths.
    pub fn strip(&self, text: &str, home: &Path) -> String {
        let socket = self.socket.to_string_lossy();
        text.replace(&*home.to_string_lossy(), "{home}")
            .replace(&*self.dir.to_string_lossy(), "{dir}")
            .replace(&*socket, "{socket}")
            .replace(&*socket.replace('/', "%2F"), "{%socket}")
            .replace(&*socket.replace('/', "%2f"), "{%socket}")
            .replace(&*self.lab.root().to_string_lossy(), "{lab}")
    }
}

/// The port of a server.
fn port(name: &str) -> u16 {
    let at = SERVERS.iter().position(|server| *server == name);
    5401 + at.and_then(|at| u16::try_from(at).ok()).expect("a server")
}

/// What the servers show, and the authority that the system trusts.
struct Certificates {
    of: BTreeMap<&'static str, Issued>,
    public: Ca,
}

impl Certificates {
    /// Issues them, and writes what set-ups name by `{dir}`.
    fn write(lab: &Lab, dir: &Path) -> Result<Self> {
        let spec = || CertSpec::server("db.test", &["db.test"], &[]);
        let public = Ca::new("Public CA")?;
        let between = lab.ca().intermediate("Lab CA 2")?;
        // It signs with Ed25519, which has no digest for channel binding.
        let ed25519 = Ca::with(&CertSpec {
            key: KeyKind::Ed25519,
            ..CertSpec::authority("Ed CA")
        })?;
        let client = |cn: &str, key| CertSpec {
            key,
            ..CertSpec::client(cn)
        };
        let of = BTreeMap::from([
            ("tls", lab.issue(spec())?),
            ("selfsigned", Issued::self_signed(&spec())?),
            (
                "wrongname",
                lab.issue(CertSpec::server("other.test", &["other.test"], &[]))?,
            ),
            (
                "expired",
                lab.issue(CertSpec {
                    not_after: -2,
                    ..spec()
                })?,
            ),
            (
                "notyet",
                lab.issue(CertSpec {
                    not_before: 2,
                    ..spec()
                })?,
            ),
            ("cnonly", lab.issue(CertSpec::server("db.test", &[], &[]))?),
            (
                "v1",
                lab.issue(CertSpec {
                    version_1: true,
                    ..spec()
                })?,
            ),
            (
                "ipsan",
                lab.issue(CertSpec::server("db", &[], &["127.0.0.1"]))?,
            ),
            ("chain", between.issue(&spec())?),
            ("incomplete", between.issue(&spec())?.without_chain()),
            ("ed25519", ed25519.issue(&spec())?),
            ("public", public.issue(&spec())?),
        ]);

        lab.ca().write(&dir.join("ca.crt"))?;
        let pem = |ca: &Ca| ca.cert().to_pem();
        write_mode(&dir.join("intermediate.crt"), pem(&between)?, 0o644)?;
        let both = [pem(lab.ca())?, pem(&between)?].concat();
        write_mode(&dir.join("both.crt"), both, 0o644)?;
        ed25519.write(&dir.join("ed-ca.crt"))?;
        Ca::new("Other CA")?.write(&dir.join("other-ca.crt"))?;
        write_mode(&dir.join("empty.crt"), "", 0o644)?;
        write_mode(&dir.join("damaged.crt"), &pem(lab.ca())?[..200], 0o644)?;
        for (file, server) in [("tls-leaf.crt", "tls"), ("selfsigned.crt", "selfsigned")] {
            write_mode(&dir.join(file), of[server].cert.to_pem()?, 0o644)?;
        }

        let app = lab.issue(client("app", KeyKind::Rsa(2048)))?;
        app.write(dir, "app")?;
        let key = |name: &str, bytes: Vec<u8>, mode| write_mode(&dir.join(name), bytes, mode);
        let pkcs8 = || app.key.private_key_to_pem_pkcs8();
        key("app.pem", pkcs8()?, 0o600)?;
        key("app-open.key", pkcs8()?, 0o644)?;
        key("app.pk8", app.key.private_key_to_pkcs8()?, 0o600)?;
        key("app-pkcs1.key", app.key.rsa()?.private_key_to_pem()?, 0o600)?;
        let locked =
            (app.key).private_key_to_pem_pkcs8_passphrase(Cipher::aes_256_cbc(), b"keypw")?;
        key("app-encrypted.key", locked, 0o600)?;
        let ec = lab.issue(client("app", KeyKind::P256))?;
        ec.write(dir, "app-ec")?;
        let sec1 = ec.key.ec_key()?.private_key_to_pem()?;
        key("app-sec1.key", sec1, 0o600)?;
        lab.issue(client("other", KeyKind::Rsa(2048)))?
            .write(dir, "other")?;
        let stranger = Ca::new("Stranger CA")?;
        (stranger.issue(&client("app", KeyKind::Rsa(2048)))?).write(dir, "stranger")?;
        let expired = CertSpec {
            not_after: -2,
            ..client("app", KeyKind::Rsa(2048))
        };
        lab.issue(expired)?.write(dir, "expired")?;
        Ok(Certificates { of, public })
    }

    fn get(&self, server: &str) -> Result<Issued> {
        let own = self.of.get(server).or(self.of.get("tls"));
        own.cloned().context("no certificate")
    }
}

/// Adds an authority to those that the host's programs trust.
fn trust(netns: &Netns, ca: &Ca) -> Result<()> {
    let ssl = PathBuf::from(format!("/etc/netns/{}/ssl", netns.name()));
    Tool::new("cp")
        .args(["-a", "/etc/ssl"])
        .arg(ssl.display())
        .succeed()?;
    let bundle = ssl.join("certs/ca-certificates.crt");
    let mut all = fs::read(&bundle).unwrap_or_default();
    all.extend(ca.cert().to_pem()?);
    fs::write(&bundle, all)?;
    let hash = format!("certs/{:08x}.0", ca.cert().subject_name_hash());
    ca.write(&ssl.join(hash))?;
    Ok(())
}

/// The PostgreSQL servers, started by several at once.
fn postgres(
    lab: &Lab,
    netns: &Netns,
    certificates: &Certificates,
) -> Result<BTreeMap<&'static str, Postgres>> {
    drop(new(lab, netns, "plain").start()?); // the template that the others are copies of
    let names = SERVERS.iter().filter(|name| is_postgres(name));
    let names = Mutex::new(names.collect::<Vec<_>>());
    let started = Mutex::new(Ok(BTreeMap::new()));
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                loop {
                    let Some(name) = names.lock().expect("names").pop() else {
                        return;
                    };
                    let server = configured(lab, netns, certificates, name)
                        .and_then(PostgresBuilder::start)
                        .with_context(|| format!("the server {name}"));
                    let mut started = started.lock().expect("servers");
                    match (&mut *started, server) {
                        (Ok(servers), Ok(server)) => drop(servers.insert(*name, server)),
                        (started, Err(error)) => *started = Err(error),
                        _ => {}
                    }
                }
            });
        }
    });
    started.into_inner().expect("servers")
}

fn is_postgres(name: &str) -> bool {
    let others = [
        "bouncer",
        "bouncertls",
        "pool",
        "http",
        "closes",
        "closed",
        "dead",
    ];
    !others.contains(&name)
}

fn new<'a>(lab: &'a Lab, netns: &Netns, name: &str) -> PostgresBuilder<'a> {
    lab.new_postgres()
        .netns(netns)
        .port(port(name))
        .conf("max_connections", 100)
        .conf("log_min_messages", "warning")
}

fn configured<'a>(
    lab: &'a Lab,
    netns: &Netns,
    certificates: &Certificates,
    name: &str,
) -> Result<PostgresBuilder<'a>> {
    let pg = new(lab, netns, name);
    let own = |pg: PostgresBuilder<'a>| pg.sql("alter role app password 'pw'");
    let tls = || certificates.get(name);
    Ok(match name {
        "plain" => own(pg),
        "tls11" => own(pg)
            .tls(tls()?)
            .env("OPENSSL_CONF", old_openssl(lab)?.display())
            .conf("ssl_ciphers", "ALL:@SECLEVEL=0")
            .conf("ssl_min_protocol_version", "TLSv1")
            .conf("ssl_max_protocol_version", "TLSv1.1"),
        "hostssl" | "hostnossl" => own(pg)
            .tls(tls()?)
            .hba(&format!("{name} all all all scram-sha-256")),
        "cert" => own(pg)
            .tls(tls()?)
            .conf("ssl_ca_file", lab.ca_file().display())
            .hba("hostssl all all all cert"),
        "starting" => pg
            .file("recovery.signal", "")
            .conf("restore_command", "sleep 1000")
            .never_ready(),
        "readonly" => own(pg).sql("alter role app set default_transaction_read_only = on"),
        "v4" => own(pg).conf("listen_addresses", "127.0.0.1"),
        "v6" => own(pg).conf("listen_addresses", "::1"),
        "otherpw" => pg.sql("alter role app password 'other'"),
        "nodb" => own(pg).sql("update pg_database set datname = 'gone' where datname = 'appdb'"),
        "nohba" => pg.hba("local all all trust"),
        "auth" => auth(own(pg)),
        _ => own(pg).tls(tls()?),
    })
}

/// The server with a role for each kind of password and method.
fn auth(mut pg: PostgresBuilder<'_>) -> PostgresBuilder<'_> {
    for (role, password, method) in ROLES {
        if !method.is_empty() {
            pg = pg.hba(&format!("host all \"{role}\" all {method}"));
        }
        let password = match password {
            "" => String::new(),
            password => format!("password '{password}'"),
        };
        pg = pg.sql(&format!("create role \"{role}\" login {password}"));
    }
    pg.hba("host all md5user all md5")
        .hba("host all app,root,nobody all scram-sha-256")
        .sql("set password_encryption = 'md5'; create role md5user login password 'pw'")
        .sql("alter role outdated valid until '2001-01-01'")
        .sql("alter role nologin nologin")
        .sql("alter role limited connection limit 0")
        .sql("create database closed")
        .sql("revoke connect on database closed from public")
}

/// An OpenSSL that still speaks TLS 1.1.
fn old_openssl(lab: &Lab) -> Result<PathBuf> {
    let text = "openssl_conf = all\n[all]\nssl_conf = ssl\n[ssl]\nsystem_default = old\n[old]\n\
                CipherString = ALL:@SECLEVEL=0\nMinProtocol = TLSv1\n";
    lab.file("openssl.cnf", text, 0o644)
}

/// The poolers, all before `plain`.
fn bouncers(lab: &Lab, netns: &Netns, certificates: &Certificates) -> Result<Vec<PgBouncer>> {
    let target = |name| format!("host=127.0.0.1 port={} password=pw", port(name));
    let new = |name| {
        lab.new_pgbouncer()
            .netns(netns, port(name))
            .user("app", "pw")
            .database("appdb", target("plain"))
            .database("dead", target("dead"))
            .set("server_login_retry", 0)
    };
    Ok(vec![
        new("bouncer").set("query_wait_timeout", 3).start()?,
        new("bouncertls").tls(certificates.get("tls")?).start()?,
        // Nothing of a session survives a transaction, as where another connection serves the
        // next one.
        new("pool")
            .set("pool_mode", "transaction")
            .set("server_reset_query_always", 1)
            .set("ignore_startup_parameters", "extra_float_digits,options")
            .start()?,
    ])
}

/// Answers as a web server does.
const HTTP: &str = "\
import socket, sys
listener = socket.create_server(('127.0.0.1', int(sys.argv[1])))
while True:
    peer, _ = listener.accept()
    peer.recv(4096)
    peer.sendall(b'HTTP/1.1 400 Bad Request\\r\\nContent-Length: 0\\r\\n\\r\\n')
    peer.close()
";

/// Ends every connection after the client's first message.
const CLOSES: &str = "\
import socket, sys
listener = socket.create_server(('127.0.0.1', int(sys.argv[1])))
while True:
    peer, _ = listener.accept()
    peer.recv(4096)
    peer.close()
";

fn serve(lab: &Lab, netns: &Netns, name: &str, script: &str) -> Result<Service> {
    let tool = netns.tool("python3").args(["-u", "-c", script]);
    tool.arg(port(name))
        .serve(lab.dir(name)?.join("log"), "TERM")
}
