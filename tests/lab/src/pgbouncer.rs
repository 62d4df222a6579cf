//! Real PgBouncers.

use std::net::TcpStream;

use anyhow::Result;

use crate::certs::{Issued, write_mode};
use crate::conn::Conn;
use crate::lab::Lab;
use crate::netns::Netns;
use crate::process::{Service, Tool, is_root};
use crate::proxy::free_port;

/// A PgBouncer to be started.
pub struct PgBouncerBuilder<'a> {
    lab: &'a Lab,
    databases: Vec<String>,
    users: Vec<(String, String)>,
    settings: Vec<String>,
    tls: Option<Issued>,
    netns: Option<String>,
    port: Option<u16>,
}

impl<'a> PgBouncerBuilder<'a> {
    pub(crate) fn new(lab: &'a Lab) -> Self {
        let users = vec![("app".to_owned(), lab.password().to_owned())];
        PgBouncerBuilder {
            lab,
            databases: Vec::new(),
            users,
            settings: Vec::new(),
            tls: None,
            netns: None,
            port: None,
        }
    }

    /// A line of `[databases]`: `database("appdb", "host=127.0.0.1 port=5432")`.
    pub fn database(mut self, name: &str, target: impl std::fmt::Display) -> Self {
        self.databases.push(format!("{name} = {target}"));
        self
    }

    /// A further user it knows, beside `app` with the lab's password.
    pub fn user(mut self, name: &str, password: &str) -> Self {
        self.users.push((name.to_owned(), password.to_owned()));
        self
    }

    /// A line of `[pgbouncer]`; it comes after the lab's own and wins.
    pub fn set(mut self, name: &str, value: impl std::fmt::Display) -> Self {
        self.settings.push(format!("{name} = {value}"));
        self
    }

    /// Offers TLS, with this certificate.
    pub fn tls(mut self, issued: Issued) -> Self {
        self.tls = Some(issued);
        self
    }

    /// Runs inside a network namespace, on this port.
    pub fn netns(mut self, netns: &Netns, port: u16) -> Self {
        self.netns = Some(netns.name().to_owned());
        self.port = Some(port);
        self
    }

    /// Starts it.
    pub fn start(self) -> Result<PgBouncer> {
        let dir = self.lab.dir("pgbouncer")?;
        let port = self.port.unwrap_or_else(free_port);
        let users: String = self
            .users
            .iter()
            .map(|(u, p)| format!("\"{u}\" \"{p}\"\n"))
            .collect();
        write_mode(&dir.join("users.txt"), users, 0o600)?;
        let d = dir.display();
        let mut ini = format!(
            "[databases]\n{}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\n\
             unix_socket_dir = \nauth_type = scram-sha-256\nauth_file = {d}/users.txt\n",
            self.databases.join("\n"),
        );
        if let Some(issued) = &self.tls {
            let (cert, key) = issued.write(&dir, "server")?;
            ini += &format!(
                "client_tls_sslmode = prefer\nclient_tls_cert_file = {}\nclient_tls_key_file = {}\n",
                cert.display(),
                key.display()
            );
        }
        ini += &(self.settings.join("\n") + "\n");
        write_mode(&dir.join("pgbouncer.ini"), ini, 0o600)?;
        if is_root() {
            Tool::new("chown")
                .args(["-R", "postgres"])
                .arg(d)
                .succeed()?;
        }
        let tool = Tool::new("pgbouncer")
            .arg(dir.join("pgbouncer.ini").display())
            .netns(self.netns.clone())
            .user("postgres");
        let service = tool.serve(dir.join("log"), "TERM")?;
        service.wait_ready(|| match self.netns {
            Some(_) => service.log().contains("process up"),
            None => TcpStream::connect(("127.0.0.1", port)).is_ok(),
        })?;
        Ok(PgBouncer { service, port })
    }
}

/// A running PgBouncer.
pub struct PgBouncer {
    service: Service,
    port: u16,
}

impl PgBouncer {
    /// The port it listens on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// How `app` connects to `appdb` through it, without the password.
    pub fn conn(&self) -> Conn {
        Conn::new()
            .set("host", "127.0.0.1")
            .set("port", self.port)
            .set("user", "app")
            .set("dbname", "appdb")
    }

    /// What it has logged.
    pub fn log(&self) -> String {
        self.service.log()
    }
}
