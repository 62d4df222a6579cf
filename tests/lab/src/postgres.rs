//! Real PostgreSQL servers.

use std::fs;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};

use crate::certs::{Issued, write_mode};
use crate::conn::Conn;
use crate::lab::Lab;
use crate::netns::Netns;
use crate::process::{Service, Tool};
use crate::proxy::free_port;

/// The user that servers run as: they refuse to run as root.
const OWNER: &str = "postgres";

/// The directory of the newest installed server's programs; `LAB_PG_BIN` overrides it.
pub fn bin_dir() -> Option<PathBuf> {
    if let Some(dir) = std::env::var_os("LAB_PG_BIN") {
        return Some(dir.into());
    }
    let versions = fs::read_dir("/usr/lib/postgresql").ok()?.flatten();
    let number = |dir: &PathBuf| -> Option<u32> { dir.file_name()?.to_str()?.parse().ok() };
    let newest = versions
        .map(|v| v.path())
        .filter(|d| d.join("bin/postgres").exists());
    newest.max_by_key(number).map(|dir| dir.join("bin"))
}

fn program(name: &str) -> Result<Tool> {
    let dir = bin_dir().context("no PostgreSQL server is installed")?;
    Ok(Tool::new(dir.join(name).to_string_lossy()).user(OWNER))
}

fn give_to_owner(path: &Path) -> Result<()> {
    if crate::process::is_root() {
        Tool::new("chown")
            .args(["-R", OWNER])
            .arg(path.display())
            .succeed()?;
    }
    Ok(())
}

/// Makes the data directory that all servers are copies of.
pub(crate) fn make_template(lab: &Lab) -> Result<PathBuf> {
    let dir = lab.dir("template")?;
    give_to_owner(&dir)?;
    let data = dir.join("data");
    let initdb = program("initdb")?
        .args([
            "--no-sync",
            "--auth=trust",
            "--locale=C.UTF-8",
            "--encoding=UTF8",
        ])
        .args(["--wal-segsize=1", "--username=postgres", "-D"]);
    initdb.arg(data.display()).succeed()?; // every copy gets a pg_hba.conf of its own
    let sql = format!(
        "create role app login password '{0}';\n\ncreate database appdb owner app;\n\n\
         alter role postgres password '{0}';\n\n",
        lab.password()
    );
    // A standby must not have fewer slots than its primary had, so this one has very few.
    let single =
        program("postgres")?.args(["--single", "-j", "-F", "-c", "max_connections=4", "-D"]);
    let single = single.arg(data.display());
    single.arg("postgres").stdin(sql).succeed()?;
    Ok(data)
}

/// A server to be started.
pub struct PostgresBuilder<'a> {
    lab: &'a Lab,
    conf: Vec<(String, String)>,
    hba: Vec<String>,
    files: Vec<(String, Vec<u8>)>,
    tls: Option<Issued>,
    listen: String,
    host: Option<String>,
    netns: Option<String>,
    port: Option<u16>,
    sql: Vec<String>,
    unready: bool,
    own_cluster: bool,
    language: Option<String>,
    env: Vec<(String, String)>,
    args: Vec<String>,
}

impl<'a> PostgresBuilder<'a> {
    pub(crate) fn new(lab: &'a Lab) -> Self {
        PostgresBuilder {
            lab,
            conf: Vec::new(),
            hba: Vec::new(),
            files: Vec::new(),
            tls: None,
            listen: "127.0.0.1".to_owned(),
            host: None,
            netns: None,
            port: None,
            sql: Vec::new(),
            unready: false,
            own_cluster: false,
            language: None,
            env: Vec::new(),
            args: Vec::new(),
        }
    }

    /// An argument of the server's program (`-b`).
    pub fn arg(mut self, arg: &str) -> Self {
        self.args.push(arg.to_owned());
        self
    }

    /// A variable of the server's environment (`OPENSSL_CONF`).
    pub fn env(mut self, name: &str, value: impl ToString) -> Self {
        self.env.push((name.to_owned(), value.to_string()));
        self
    }

    /// A line of `postgresql.conf`.
    pub fn conf(mut self, name: &str, value: impl ToString) -> Self {
        self.conf.push((name.to_owned(), value.to_string()));
        self
    }

    /// A line of `pg_hba.conf`, in place of the default of SCRAM from everywhere. The first
    /// line is always the lab's own way in, for `postgres` through the socket.
    pub fn hba(mut self, line: &str) -> Self {
        self.hba.push(line.to_owned());
        self
    }

    /// Speaks this language (`de`, `fr`): `lc_messages` is C.UTF-8, and `LANGUAGE` chooses the
    /// message catalogue, so that no locale has to be installed.
    pub fn language(mut self, language: &str) -> Self {
        self.language = Some(language.to_owned());
        self
    }

    /// A file in the data directory (`standby.signal`, `pg_ident.conf`).
    pub fn file(mut self, name: &str, content: impl AsRef<[u8]>) -> Self {
        self.files
            .push((name.to_owned(), content.as_ref().to_vec()));
        self
    }

    /// Turns TLS on, with this certificate.
    pub fn tls(mut self, issued: Issued) -> Self {
        self.tls = Some(issued);
        self
    }

    /// Listens on these addresses; the first is what [`Postgres::conn`] names.
    pub fn listen(mut self, addresses: &str) -> Self {
        self.listen = addresses.to_owned();
        self
    }

    /// Runs inside a network namespace, on all of its addresses.
    pub fn netns(mut self, netns: &Netns) -> Self {
        self.netns = Some(netns.name().to_owned());
        self.listen = "*".to_owned();
        self.host = Some(netns.ip());
        self
    }

    /// Listens on this port, for hosts whose ports are all the lab's.
    pub fn port(mut self, port: u16) -> Self {
        self.port = Some(port);
        self
    }

    /// Runs this as superuser in `appdb` once the server is up.
    pub fn sql(mut self, sql: &str) -> Self {
        self.sql.push(sql.to_owned());
        self
    }

    /// Does not wait until it accepts sessions, only until it listens: for servers that never
    /// get ready.
    pub fn never_ready(mut self) -> Self {
        self.unready = true;
        self
    }

    /// Is initialised by itself, and so has a system identifier of its own.
    pub fn own_cluster(mut self) -> Self {
        self.own_cluster = true;
        self
    }

    /// Starts it.
    pub fn start(self) -> Result<Postgres> {
        let dir = self.lab.dir("pg")?;
        let data = dir.join("data");
        let template = match self.own_cluster {
            true => make_template(self.lab)?,
            false => self.lab.template()?,
        };
        Tool::new("cp")
            .args(["-a", "--reflink=auto"])
            .args([template.display(), data.display()])
            .succeed()?;

        let port = self.port.unwrap_or_else(free_port);
        let first = self.listen.split(',').next().unwrap_or_default().to_owned();
        let host = self.host.unwrap_or(if first == "*" {
            "127.0.0.1".to_owned()
        } else {
            first
        });
        let mut conf = String::new();
        let mut set = |name: &str, value: &str| {
            conf += &format!("{name} = '{}'\n", value.replace('\'', "''"));
        };
        set("listen_addresses", &self.listen);
        set("port", &port.to_string());
        set("unix_socket_directories", &dir.to_string_lossy());
        set("max_connections", "20");
        set("shared_buffers", "8MB");
        set("fsync", "off");
        set("log_connections", "on");
        set("log_min_messages", "debug1"); // says why a log-in was refused
        set("autovacuum", "off");
        if self.language.is_some() {
            set("lc_messages", "C.UTF-8"); // not "C", which knows one language only
        }
        if let Some(issued) = &self.tls {
            issued.write(&data, "server")?;
            set("ssl", "on");
        }
        for (name, value) in &self.conf {
            set(name, value); // a later line wins
        }
        write_mode(&data.join("postgresql.auto.conf"), conf, 0o600)?;
        let mut hba = String::from("local all postgres trust\n");
        if self.hba.is_empty() {
            hba += "local all all scram-sha-256\nhost all all all scram-sha-256\n";
            hba += "local replication all scram-sha-256\nhost replication all all scram-sha-256\n";
        }
        for line in &self.hba {
            hba += &format!("{line}\n");
        }
        write_mode(&data.join("pg_hba.conf"), hba, 0o600)?;
        for (name, content) in &self.files {
            write_mode(&data.join(name), content, 0o600)?;
        }
        give_to_owner(&dir)?;

        let tool = program("postgres")?
            .arg("-D")
            .arg(data.display())
            .netns(self.netns.clone());
        let tool = self.args.iter().fold(tool, |tool, arg| tool.arg(arg));
        let tool = match &self.language {
            Some(language) => tool.env("LANGUAGE", language),
            None => tool,
        };
        let tool = self
            .env
            .iter()
            .fold(tool, |tool, (name, value)| tool.env(name, value));
        // Immediate shutdown: nobody needs the data any more.
        let service = tool.serve(dir.join("log"), "QUIT")?;
        let postgres = Postgres {
            service,
            tool,
            dir,
            host,
            port,
            password: self.lab.password().to_owned(),
            foreign: self.language.is_some(),
        };
        postgres.wait(self.unready)?;
        for sql in &self.sql {
            postgres.sql(sql)?;
        }
        Ok(postgres)
    }
}

/// A running server.
pub struct Postgres {
    service: Service,
    tool: Tool,
    dir: PathBuf,
    host: String,
    port: u16,
    password: String,
    foreign: bool,
}

impl Postgres {
    /// The port it listens on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The address it listens on.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// `127.0.0.1:PORT`, for forwards.
    pub fn addr(&self) -> String {
        let host = &self.host;
        if host.contains(':') {
            format!("[{host}]:{}", self.port)
        } else {
            format!("{host}:{}", self.port)
        }
    }

    /// The directory of its unix socket.
    pub fn socket_dir(&self) -> &Path {
        &self.dir
    }

    /// Its data directory.
    pub fn data_dir(&self) -> PathBuf {
        self.dir.join("data")
    }

    /// How `app` connects to `appdb`, without the password.
    pub fn conn(&self) -> Conn {
        Conn::new()
            .set("host", &self.host)
            .set("port", self.port)
            .set("user", "app")
            .set("dbname", "appdb")
    }

    /// Runs SQL as superuser in `appdb`, one transaction for each call.
    pub fn sql(&self, sql: &str) -> Result<String> {
        self.psql("appdb").arg("-c").arg(sql).succeed()
    }

    fn psql(&self, database: &str) -> Tool {
        let conn = Conn::new()
            .set("host", self.dir.display())
            .set("port", self.port);
        let conn = conn.set("user", "postgres").set("dbname", database);
        Tool::new("psql")
            .args(["-XAtqw", "-v", "ON_ERROR_STOP=1", "-d"])
            .arg(conn)
    }

    /// A session of `app` that first runs this query and then stays until dropped.
    pub fn session(&self, sql: &str) -> Result<Service> {
        let session = self.start_session(sql)?;
        session.wait_ready(|| session.log().contains("at rest"))?;
        Ok(session)
    }

    /// So many sessions of `app`, which stay until dropped.
    pub fn sessions(&self, count: usize) -> Result<Vec<Service>> {
        let sessions = (0..count)
            .map(|_| self.start_session("select 1"))
            .collect::<Result<Vec<_>>>()?;
        for session in &sessions {
            session.wait_ready(|| session.log().contains("at rest"))?;
        }
        Ok(sessions)
    }

    /// A session of the superuser that runs this until dropped. It is there once it has printed
    /// `sign`.
    pub fn superuser_session(&self, sql: &str, sign: &str) -> Result<Service> {
        let log = tempfile::NamedTempFile::new_in(&self.dir)?
            .into_temp_path()
            .keep()?;
        let tool = self.psql("appdb").args(["-c", sql]);
        let session = tool.serve(log, "TERM")?;
        session.wait_ready(|| session.log().contains(sign))?;
        Ok(session)
    }

    fn start_session(&self, sql: &str) -> Result<Service> {
        let conn = self.conn().set("password", &self.password);
        let tool = Tool::new("psql")
            .args(["-XAtqw", "-v", "ON_ERROR_STOP=1", "-d"])
            .arg(conn);
        let tool = tool.args([
            "-c",
            sql,
            "-c",
            r"\warn at rest",
            "-c",
            "select pg_sleep(3600)",
        ]);
        let log = tempfile::NamedTempFile::new_in(&self.dir)?
            .into_temp_path()
            .keep()?;
        tool.netns(self.tool.netns.clone()).serve(log, "TERM")
    }

    /// Waits until the server has logged this.
    pub fn wait_for_log(&self, text: &str) -> Result<()> {
        self.service.wait_ready(|| self.log().contains(text))
    }

    /// What the server has logged.
    pub fn log(&self) -> String {
        self.service.log()
    }

    /// Puts another certificate in the place of its own, to be read with the configuration.
    pub fn install(&self, issued: &Issued) -> Result<()> {
        issued.write(&self.data_dir(), "server")?;
        give_to_owner(&self.data_dir())
    }

    /// Reads the configuration again.
    pub fn reload(&self) -> Result<()> {
        self.service.signal("HUP")
    }

    /// Stops it; the port then refuses.
    pub fn stop(&self) {
        self.service.stop();
    }

    /// Starts it again after [`Postgres::stop`], or anew.
    pub fn restart(&mut self) -> Result<()> {
        self.relaunch()?;
        self.wait(false)
    }

    /// The same, without waiting for it.
    pub fn relaunch(&mut self) -> Result<()> {
        self.service.stop();
        self.service = self.tool.serve(self.dir.join("log"), "QUIT")?;
        Ok(())
    }

    /// The process id of the postmaster.
    pub fn pid(&self) -> u32 {
        self.service.pid()
    }

    fn wait(&self, unready: bool) -> Result<()> {
        if unready {
            return self.service.wait_ready(|| match self.tool.netns {
                Some(_) => self.foreign || self.log().contains("listening on"),
                None => TcpStream::connect(self.addr()).is_ok(),
            });
        }
        let probe = self.psql("postgres").args(["-c", "select 1"]);
        // In another language the log says it differently.
        let log = || self.foreign || self.log().contains("ready to accept");
        self.service.wait_ready(|| {
            log()
                && probe
                    .run(Duration::from_secs(5))
                    .is_ok_and(|d| d.status == Some(0))
        })
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.service.stop();
        let _ = fs::remove_dir_all(&self.dir); // some dozens of megabytes
    }
}
