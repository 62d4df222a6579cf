//! Servers that do not start, that crash, or that refuse a replication client, for what they
//! and their tools print. There is no target: `dbdoctor explain` reads the text.

use std::any::Any;
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::postgres::bin_dir;
use crate::process::{Service, is_root};
use crate::{Conn, Lab, Postgres, PostgresBuilder, Tool, write_mode};

/// The user that servers run as.
const OWNER: &str = "postgres";
/// How long a server may take to give up.
const LIMIT: Duration = Duration::from_secs(20);

/// A fault that a text tells.
pub struct LogFault {
    /// Unique name.
    pub name: &'static str,
    /// What `explain` must say.
    pub cause: &'static str,
    /// Makes the fault, and the text.
    pub make: fn(&Lab) -> Result<Told>,
    /// Commands of the cause's page that are run on it: how each begins, and what it does.
    pub fixes: &'static [(&'static str, Done)],
}

/// What a command does.
#[derive(Clone, Copy, Debug)]
pub enum Done {
    /// It looks, and prints this, on either stream.
    Prints(&'static str),
    /// The server starts afterwards.
    Starts,
}

/// What was printed, and where to run commands.
#[derive(Default)]
pub struct Told {
    /// The text.
    pub text: String,
    /// The data directory of a server that is not running.
    data: Option<PathBuf>,
    /// A server that is running.
    server: Option<Postgres>,
    keep: Vec<Box<dyn Any + Send>>,
}

impl Told {
    /// Runs a command of a page where the fault is, as the server's user.
    pub fn run(&self, command: &str) -> Result<String> {
        let bin = bin_dir().context("no server is installed")?;
        let path = format!("{}:/usr/sbin:/usr/bin:/sbin:/bin", bin.display());
        let tool = Tool::new("bash").args(["-c", command]).user(OWNER);
        let tool = tool.env("PATH", path);
        let tool = match (&self.data, &self.server) {
            (Some(data), _) => tool.env("PGDATA", data.display()),
            (None, Some(server)) => tool
                .env("PGHOST", server.socket_dir().display())
                .env("PGPORT", server.port())
                .env("PGDATA", server.data_dir().display()),
            (None, None) => tool,
        };
        let done = tool.run(LIMIT)?;
        Ok(format!("{}{}", done.stdout, done.stderr))
    }

    /// Whether the server starts.
    pub fn starts(&self) -> Result<()> {
        let data = self
            .data
            .as_deref()
            .context("there is no server to start")?;
        let log = data.with_extension("log");
        let server = postgres()?
            .arg("-D")
            .arg(data.display())
            .serve(log, "QUIT")?;
        server.wait_ready(|| server.log().contains("ready to accept connections"))
    }

    fn keep(mut self, thing: impl Any + Send) -> Self {
        self.keep.push(Box::new(thing));
        self
    }
}

fn program(name: &str) -> Result<Tool> {
    let dir = bin_dir().context("no server is installed")?;
    Ok(Tool::new(dir.join(name).to_string_lossy()).user(OWNER))
}

fn postgres() -> Result<Tool> {
    program("postgres")
}

fn chown(path: &Path, owner: &str) -> Result<()> {
    let tool = Tool::new("chown").args(["-R", owner]).arg(path.display());
    tool.succeed().map(drop)
}

/// The data directory of a server that is not running.
struct Cluster {
    dir: PathBuf,
}

impl Cluster {
    /// One that would start.
    fn new(lab: &Lab) -> Result<Self> {
        let dir = lab.dir("cluster")?;
        let cluster = Cluster { dir };
        Tool::new("cp")
            .args(["-a", "--reflink=auto"])
            .args([lab.template()?.display(), cluster.data().display()])
            .succeed()?;
        chown(&cluster.dir, OWNER)?;
        let sockets = cluster.dir.display().to_string();
        cluster
            .conf("unix_socket_directories", &sockets)?
            .conf("listen_addresses", "127.0.0.1")?
            .conf("port", &crate::free_port().to_string())?
            .conf("max_connections", "20")
    }

    fn data(&self) -> PathBuf {
        self.dir.join("data")
    }

    fn path(&self, name: &str) -> PathBuf {
        self.data().join(name)
    }

    /// A line of its configuration.
    fn conf(self, name: &str, value: &str) -> Result<Self> {
        let line = format!("{name} = '{value}'\n");
        self.add("postgresql.auto.conf", &line)
    }

    /// Adds to a file, which need not be there.
    fn add(self, name: &str, text: &str) -> Result<Self> {
        let path = self.path(name);
        let before = fs::read_to_string(&path).unwrap_or_default();
        self.write(name, (before + text).as_bytes(), 0o600)
    }

    fn write(self, name: &str, content: &[u8], mode: u32) -> Result<Self> {
        write_mode(&self.path(name), content, mode)?;
        chown(&self.path(name), OWNER)?;
        Ok(self)
    }

    fn remove(self, name: &str) -> Result<Self> {
        let path = self.path(name);
        match path.is_dir() {
            true => fs::remove_dir_all(path)?,
            false => fs::remove_file(path)?,
        }
        Ok(self)
    }

    /// What it prints when it is started.
    fn fails(self) -> Result<Told> {
        let tool = postgres()?.arg("-D").arg(self.data().display());
        self.tells(tool)
    }

    /// The same in a namespace of mounts that this script makes first, with the data directory
    /// as `$1`.
    fn fails_after(self, mounts: &str) -> Result<Told> {
        let script = format!(
            "{mounts} && exec setpriv --reuid {OWNER} --regid {OWNER} \
             --init-groups \"$0\" -D \"$1\""
        );
        let tool = Tool::new("unshare")
            .args(["--mount", "--propagation=private", "sh", "-c", &script])
            .arg(postgres()?.program)
            .arg(self.data().display());
        self.tells(tool)
    }

    fn tells(self, tool: Tool) -> Result<Told> {
        let data = self.data();
        let done = tool.run(LIMIT)?;
        ensure!(!matches!(done.status, Some(0) | None), "{tool}: {done}");
        Ok(Told {
            text: done.stdout + &done.stderr,
            data: Some(data),
            ..Told::default()
        })
    }
}

/// What initdb prints for this directory.
fn initdb(data: &Path, tool: Tool) -> Result<Told> {
    let tool = tool.args(["--no-sync", "-D"]).arg(data.display());
    let done = tool.run(LIMIT)?;
    ensure!(done.status != Some(0), "{tool}: {done}");
    Ok(Told {
        text: done.stdout + &done.stderr,
        data: Some(data.to_owned()),
        ..Told::default()
    })
}

/// The log of a server one of whose sessions got this signal.
fn crash(lab: &Lab, signal: &str) -> Result<Told> {
    let server = lab.new_postgres().start()?;
    let session = server.session("select 1")?;
    let asleep = "select pid from pg_stat_activity where query = 'select pg_sleep(3600)'";
    let kill = Tool::new("kill").arg(format!("-{signal}"));
    kill.arg(server.sql(asleep)?.trim()).succeed()?;
    server.wait_for_log("reinitializing")?;
    Ok(Told {
        text: server.log(),
        server: Some(server),
        ..Told::default()
    }
    .keep(session))
}

/// A server for replication clients.
fn publisher(lab: &Lab) -> PostgresBuilder<'_> {
    lab.new_postgres()
        .conf("wal_level", "logical")
        .hba("local all,replication all trust")
}

/// What a replication client prints on this server.
fn client(server: Postgres, name: &str, args: &[&str]) -> Result<Told> {
    let done = replication(&server, name)?.args(args).run(LIMIT)?;
    ensure!(done.status != Some(0), "{done}");
    Ok(Told {
        text: done.stdout + &done.stderr,
        server: Some(server),
        ..Told::default()
    })
}

/// The lab's own way in.
fn socket(server: &Postgres) -> Conn {
    Conn::new()
        .set("host", server.socket_dir().display())
        .set("port", server.port())
        .set("user", "postgres")
}

fn replication(server: &Postgres, name: &str) -> Result<Tool> {
    let conn = socket(server);
    let database = match name {
        "pg_recvlogical" => conn.set("dbname", "appdb"),
        _ => conn,
    };
    Ok(program(name)?.args(["-w", "-d"]).arg(database))
}

/// A client that reads from a slot, until dropped.
fn reader(lab: &Lab, server: &Postgres, slot: &str) -> Result<Service> {
    let log = lab.dir("reader")?.join("log");
    let args = ["--no-loop", "-v", "--start", "-f", "-", "-S", slot];
    let tool = replication(server, "pg_recvlogical")?.args(args);
    let reader = tool.serve(log, "INT")?;
    reader.wait_ready(|| reader.log().contains("streaming initiated"))?;
    Ok(reader)
}

const DECODES: &str = "select pg_create_logical_replication_slot('orders', 'test_decoding')";

const fn fault(
    name: &'static str,
    cause: &'static str,
    make: fn(&Lab) -> Result<Told>,
    fixes: &'static [(&'static str, Done)],
) -> LogFault {
    LogFault {
        name,
        cause,
        make,
        fixes,
    }
}

/// All of them.
pub const FAULTS: &[LogFault] = &[
    fault(
        "another-version",
        "server.start.version",
        |lab| {
            Cluster::new(lab)?
                .write("PG_VERSION", b"14\n", 0o600)?
                .fails()
        },
        &[("cat", Done::Prints("14"))],
    ),
    fault(
        "mode",
        "server.start.mode",
        |lab| {
            let cluster = Cluster::new(lab)?;
            let mode = Tool::new("chmod").arg("0777").arg(cluster.data().display());
            mode.succeed()?;
            cluster.fails()
        },
        &[("chmod", Done::Starts)],
    ),
    fault(
        "owner",
        "server.start.owner",
        |lab| {
            let cluster = Cluster::new(lab)?;
            Tool::new("chmod")
                .args(["-R", "a+rX"])
                .arg(cluster.data().display())
                .succeed()?;
            chown(&cluster.data(), "root")?;
            cluster.fails()
        },
        &[("id -u", Done::Prints(" 755 "))],
    ),
    fault(
        "unreadable",
        "server.start.owner",
        |lab| {
            let cluster = Cluster::new(lab)?;
            chown(&cluster.data(), "root")?;
            cluster.fails()
        },
        &[],
    ),
    fault(
        "initdb-mode",
        "server.start.chown",
        |lab| {
            let data = lab.dir("volume")?.join("data");
            fs::create_dir(&data)?;
            Tool::new("chmod")
                .arg("0777")
                .arg(data.display())
                .succeed()?;
            initdb(&data, program("initdb")?)
        },
        &[],
    ),
    fault(
        "initdb-parent",
        "server.start.owner",
        |lab| initdb(&lab.dir("volume")?.join("data"), program("initdb")?),
        &[],
    ),
    fault(
        "initdb-mount-point",
        "server.start.not-empty",
        |lab| {
            let data = lab.dir("volume")?;
            fs::create_dir(data.join("lost+found"))?;
            initdb(&data, program("initdb")?)
        },
        &[("ls -la", Done::Prints("lost+found"))],
    ),
    fault(
        "initdb-used",
        "server.start.not-empty",
        |lab| {
            let data = lab.dir("volume")?;
            fs::write(data.join("dump.sql"), "")?;
            initdb(&data, program("initdb")?)
        },
        &[],
    ),
    fault(
        "initdb-root",
        "server.start.root",
        |lab| {
            let tool = Tool::new(program("initdb")?.program);
            initdb(&lab.dir("volume")?.join("data"), tool)
        },
        &[],
    ),
    fault(
        "initdb-locale",
        "server.start.locale",
        |lab| {
            let tool = program("initdb")?.arg("--locale=xx_XX.UTF-8");
            initdb(&lab.dir("volume")?.join("data"), tool)
        },
        &[("locale", Done::Prints("C.utf8"))],
    ),
    fault(
        "initdb-user",
        "server.start.user",
        |lab| {
            let tool = Tool::new(program("initdb")?.program).user("4711");
            initdb(&lab.dir("volume")?.join("data"), tool)
        },
        &[],
    ),
    fault(
        "root",
        "server.start.root",
        |lab| {
            let cluster = Cluster::new(lab)?;
            let tool = Tool::new(postgres()?.program).arg("-D");
            let tool = tool.arg(cluster.data().display());
            cluster.tells(tool)
        },
        &[],
    ),
    fault(
        "port",
        "server.start.port",
        |lab| {
            let other = TcpListener::bind("127.0.0.1:0")?;
            let port = other.local_addr()?.port().to_string();
            let told = Cluster::new(lab)?.conf("port", &port)?.fails()?;
            Ok(told.keep(other))
        },
        &[("ss", Done::Prints("State"))],
    ),
    fault(
        "address",
        "server.start.listen",
        |lab| {
            let cluster = Cluster::new(lab)?;
            cluster.conf("listen_addresses", "203.0.113.5")?.fails()
        },
        &[("grep", Done::Prints("203.0.113.5"))],
    ),
    fault(
        "address-name",
        "server.start.listen",
        |lab| {
            let cluster = Cluster::new(lab)?;
            cluster.conf("listen_addresses", "db.invalid")?.fails()
        },
        &[],
    ),
    fault(
        "parameter",
        "server.start.config",
        |lab| {
            let cluster = Cluster::new(lab)?;
            cluster.conf("wal_keep_segments", "8")?.fails()
        },
        &[("postgres", Done::Prints("wal_keep_segments"))],
    ),
    fault(
        "value",
        "server.start.config",
        |lab| {
            let cluster = Cluster::new(lab)?;
            cluster.conf("shared_buffers", "8 gigs")?.fails()
        },
        &[],
    ),
    fault(
        "syntax",
        "server.start.config",
        |lab| {
            let cluster = Cluster::new(lab)?;
            cluster
                .add("postgresql.conf", "max connections: 10\n")?
                .fails()
        },
        &[],
    ),
    fault(
        "contradiction",
        "server.start.config",
        |lab| {
            let cluster = Cluster::new(lab)?.conf("wal_level", "minimal")?;
            cluster.conf("max_wal_senders", "3")?.fails()
        },
        &[],
    ),
    fault(
        "contradiction-archive",
        "server.start.config",
        |lab| {
            let cluster = Cluster::new(lab)?.conf("wal_level", "minimal")?;
            let cluster = cluster.conf("max_wal_senders", "0")?;
            cluster.conf("archive_mode", "on")?.fails()
        },
        &[],
    ),
    fault(
        "hba",
        "server.start.hba",
        |lab| {
            let cluster = Cluster::new(lab)?;
            cluster
                .write("pg_hba.conf", b"host all all scram\n", 0o600)?
                .fails()
        },
        &[],
    ),
    fault(
        "hba-reload",
        "server.start.hba",
        |lab| {
            let server = lab.new_postgres().start()?;
            write_mode(
                &server.data_dir().join("pg_hba.conf"),
                "local all postgres trust\nhost all all all md6\n",
                0o644,
            )?;
            server.reload()?;
            server.wait_for_log("not reloaded")?;
            Ok(Told {
                text: server.log(),
                server: Some(server),
                ..Told::default()
            })
        },
        &[("psql", Done::Prints("md6"))],
    ),
    fault(
        "library",
        "server.start.library",
        |lab| {
            let cluster = Cluster::new(lab)?;
            cluster.conf("shared_preload_libraries", "pg_cron")?.fails()
        },
        &[("grep", Done::Prints("pg_cron"))],
    ),
    fault(
        "library-damaged",
        "server.start.library",
        |lab| {
            let cluster = Cluster::new(lab)?;
            let library = cluster.path("own.so");
            let cluster = cluster.write("own.so", b"no library", 0o755)?;
            let library = library.to_string_lossy();
            cluster.conf("shared_preload_libraries", &library)?.fails()
        },
        &[],
    ),
    fault(
        "no-pg-wal",
        "server.start.wal",
        |lab| Cluster::new(lab)?.remove("pg_wal")?.fails(),
        &[("ls", Done::Prints("No such file or directory"))],
    ),
    fault(
        "empty-pg-wal",
        "server.start.wal",
        |lab| {
            let cluster = Cluster::new(lab)?.remove("pg_wal")?;
            fs::create_dir(cluster.path("pg_wal"))?;
            chown(&cluster.path("pg_wal"), OWNER)?;
            cluster.fails()
        },
        &[],
    ),
    fault(
        "no-control-file",
        "server.start.control-file",
        |lab| Cluster::new(lab)?.remove("global/pg_control")?.fails(),
        &[],
    ),
    fault(
        "damaged-control-file",
        "server.start.control-file",
        |lab| {
            let cluster = Cluster::new(lab)?;
            let mut control = fs::read(cluster.path("global/pg_control"))?;
            // A byte behind the versions, which are looked at before the checksum.
            *control.get_mut(40).context("it is short")? ^= 1;
            cluster.write("global/pg_control", &control, 0o600)?.fails()
        },
        &[],
    ),
    fault(
        "control-version",
        "server.start.version",
        |lab| {
            let cluster = Cluster::new(lab)?;
            let mut control = fs::read(cluster.path("global/pg_control"))?;
            let version = control.get_mut(8..12).context("it is short")?;
            version.copy_from_slice(&1201_u32.to_le_bytes());
            cluster.write("global/pg_control", &control, 0o600)?.fails()
        },
        &[],
    ),
    fault(
        "byte-order",
        "server.start.build",
        |lab| {
            let cluster = Cluster::new(lab)?;
            let mut control = fs::read(cluster.path("global/pg_control"))?;
            let version = control.get_mut(8..12).context("it is short")?;
            version.reverse();
            cluster.write("global/pg_control", &control, 0o600)?.fails()
        },
        &[("pg_controldata", Done::Prints("Database block size"))],
    ),
    fault(
        "no-data",
        "server.start.data-directory",
        |lab| {
            let cluster = Cluster::new(lab)?;
            cluster.remove("PG_VERSION")?.fails()
        },
        &[("df -h", Done::Prints("postgresql.auto.conf"))],
    ),
    fault(
        "nowhere",
        "server.start.data-directory",
        |lab| {
            let cluster = Cluster::new(lab)?;
            fs::remove_dir_all(cluster.data())?;
            cluster.fails()
        },
        &[],
    ),
    fault(
        "key-mode",
        "server.start.tls",
        |lab| {
            let cluster = Cluster::new(lab)?;
            let issued = lab.issue(lab.cert())?;
            issued.write(&cluster.data(), "server")?;
            chown(&cluster.data(), OWNER)?;
            let key = Tool::new("chmod").arg("0644");
            key.arg(cluster.path("server.key").display()).succeed()?;
            cluster.conf("ssl", "on")?.fails()
        },
        &[("ls -l", Done::Prints("-rw-r--r--"))],
    ),
    fault(
        "no-certificate",
        "server.start.tls",
        |lab| Cluster::new(lab)?.conf("ssl", "on")?.fails(),
        &[],
    ),
    fault(
        "another-key",
        "server.start.tls",
        |lab| {
            let cluster = Cluster::new(lab)?;
            lab.issue(lab.cert())?.write(&cluster.data(), "other")?;
            lab.issue(lab.cert())?.write(&cluster.data(), "server")?;
            chown(&cluster.data(), OWNER)?;
            let cluster = cluster.conf("ssl_key_file", "other.key")?;
            cluster.conf("ssl", "on")?.fails()
        },
        &[],
    ),
    fault(
        "second-server",
        "server.start.lock",
        |lab| {
            let server = lab.new_postgres().start()?;
            let tool = postgres()?.arg("-D").arg(server.data_dir().display());
            let done = tool.run(LIMIT)?;
            Ok(Told {
                text: done.stdout + &done.stderr,
                server: Some(server),
                ..Told::default()
            })
        },
        &[("ps", Done::Prints("postgres -D"))],
    ),
    fault(
        "empty-lock-file",
        "server.start.lock",
        |lab| {
            Cluster::new(lab)?
                .write("postmaster.pid", b"", 0o600)?
                .fails()
        },
        &[],
    ),
    fault(
        "socket-directory",
        "server.start.socket-directory",
        |lab| {
            let cluster = Cluster::new(lab)?;
            cluster
                .conf("unix_socket_directories", "/nowhere/at/all")?
                .fails()
        },
        &[],
    ),
    fault(
        "locale",
        "server.start.locale",
        |lab| {
            Cluster::new(lab)?
                .conf("lc_messages", "xx_XX.UTF-8")?
                .fails()
        },
        &[],
    ),
    fault(
        "timezone",
        "server.start.timezone",
        |lab| {
            Cluster::new(lab)?
                .conf("log_timezone", "US/Nowhere")?
                .fails()
        },
        &[],
    ),
    fault(
        "memory",
        "server.start.memory",
        |lab| {
            let cluster = Cluster::new(lab)?;
            cluster.conf("shared_buffers", "6000GB")?.fails()
        },
        &[
            ("grep -nE", Done::Prints("6000GB")),
            ("grep -E", Done::Prints("HugePages_Total")),
        ],
    ),
    fault(
        "restore-command",
        "server.start.recovery",
        |lab| {
            Cluster::new(lab)?
                .write("recovery.signal", b"", 0o600)?
                .fails()
        },
        &[("ls", Done::Prints("recovery.signal"))],
    ),
    fault(
        "recovery-conf",
        "server.start.recovery",
        |lab| {
            Cluster::new(lab)?
                .write("recovery.conf", b"", 0o600)?
                .fails()
        },
        &[],
    ),
    fault(
        "recovery-target",
        "server.start.recovery-target",
        |lab| {
            Cluster::new(lab)?
                .write("recovery.signal", b"", 0o600)?
                .conf("restore_command", "false")?
                .conf("recovery_target_lsn", "7/0")?
                .fails()
        },
        &[("grep", Done::Prints("recovery_target_lsn"))],
    ),
    fault(
        "no-timeline",
        "server.start.recovery-target",
        |lab| {
            Cluster::new(lab)?
                .write("recovery.signal", b"", 0o600)?
                .conf("restore_command", "false")?
                .conf("recovery_target_timeline", "7")?
                .fails()
        },
        &[],
    ),
    fault(
        "standby-settings",
        "server.start.standby-settings",
        |lab| {
            let cluster = Cluster::new(lab)?.write("standby.signal", b"", 0o600)?;
            cluster.conf("max_worker_processes", "2")?.fails()
        },
        &[],
    ),
    fault(
        "another-timeline",
        "server.start.timeline",
        |lab| {
            Cluster::new(lab)?
                .write("standby.signal", b"", 0o600)?
                .write("pg_wal/00000002.history", b"1\t0/100\tfailover\n", 0o600)?
                .conf("recovery_target_timeline", "2")?
                .fails()
        },
        &[],
    ),
    fault(
        "backup-label",
        "server.start.backup-label",
        |lab| {
            let label = "START WAL LOCATION: 0/FF000028 (file 0000000100000000000000FF)\n\
                         CHECKPOINT LOCATION: 0/FF000060\nBACKUP METHOD: streamed\n\
                         BACKUP FROM: primary\nSTART TIME: 2026-11-21 10:00:00 UTC\n\
                         LABEL: nightly\nSTART TIMELINE: 1\n";
            let cluster = Cluster::new(lab)?;
            cluster
                .write("backup_label", label.as_bytes(), 0o600)?
                .fails()
        },
        &[],
    ),
    fault(
        "slots",
        "server.start.slots",
        |lab| {
            let server = lab.new_postgres().conf("wal_level", "logical").sql(DECODES);
            let server = server.start()?;
            server.stop();
            let tool = postgres()?.args(["-c", "wal_level=replica", "-D"]);
            let done = tool.arg(server.data_dir().display()).run(LIMIT)?;
            Ok(Told {
                text: done.stdout + &done.stderr,
                ..Told::default()
            })
        },
        &[],
    ),
    fault(
        "disk-full",
        "server.disk-full",
        |lab| {
            Cluster::new(lab)?.fails_after(
                "cp -a \"$1\" \"$1.copy\" && mount -t tmpfs -o size=64m none \"$1\" && \
                 cp -a \"$1.copy/.\" \"$1\" && chown postgres \"$1\" && chmod 700 \"$1\" && \
                 { cat /dev/zero > \"$1/big\" 2>/dev/null || true; }",
            )
        },
        &[("df -h", Done::Prints("Filesystem"))],
    ),
    fault(
        "shared-memory",
        "server.shared-memory",
        |lab| Cluster::new(lab)?.fails_after("mount -t tmpfs -o size=4k none /dev/shm"),
        &[("df -h", Done::Prints("/dev/shm"))],
    ),
    fault(
        "read-only",
        "server.start.read-only",
        |lab| {
            Cluster::new(lab)?
                .fails_after("mount --bind \"$1\" \"$1\" && mount -o remount,bind,ro \"$1\"")
        },
        &[("grep", Done::Prints(""))],
    ),
    fault(
        "architecture",
        "server.start.architecture",
        |lab| {
            // The head of a program for a processor that none of ours is.
            let mut program = b"\x7fELF\x02\x01\x01".to_vec();
            program.resize(64, 0);
            program.splice(16..20, [2, 0, 0xF7, 0x7F]);
            let program = lab.file("postgres", program, 0o755)?;
            let tool = Tool::new("bash").arg("-c").arg(program.display());
            let done = tool.run(LIMIT)?;
            Ok(Told {
                text: done.stdout + &done.stderr,
                ..Told::default()
            })
        },
        &[],
    ),
    fault(
        "killed",
        "server.crash.killed",
        |lab| crash(lab, "KILL"),
        &[("journalctl", Done::Prints(""))],
    ),
    fault(
        "bus",
        "server.crash.bus",
        |lab| crash(lab, "BUS"),
        &[("grep", Done::Prints("HugePages"))],
    ),
    fault(
        "segfault",
        "server.crash.fault",
        |lab| crash(lab, "SEGV"),
        &[],
    ),
    fault("abort", "server.crash.fault", |lab| crash(lab, "ABRT"), &[]),
    fault(
        "instruction",
        "server.start.architecture",
        |lab| crash(lab, "ILL"),
        &[],
    ),
    fault(
        "slot-active",
        "server.replication.slot-active",
        |lab| {
            let server = publisher(lab).sql(DECODES).start()?;
            let reader = reader(lab, &server, "orders")?;
            let args = ["--no-loop", "--start", "-f", "-", "-S", "orders"];
            Ok(client(server, "pg_recvlogical", &args)?.keep(reader))
        },
        &[(
            "psql -U postgres -c 'select slot_name",
            Done::Prints("pg_recvlogical"),
        )],
    ),
    fault(
        "slot-missing",
        "server.replication.slot-missing",
        |lab| {
            let args = ["--no-loop", "--start", "-f", "-", "-S", "orders"];
            client(publisher(lab).start()?, "pg_recvlogical", &args)
        },
        &[("psql", Done::Prints("slot_name"))],
    ),
    fault(
        "slot-of-another-database",
        "server.replication.slot-missing",
        |lab| {
            let server = publisher(lab).sql(DECODES).start()?;
            let other = socket(&server).set("dbname", "postgres").to_string();
            let args = [
                "--start",
                "-f",
                "-",
                "-S",
                "orders",
                "--no-loop",
                "-d",
                &other,
            ];
            client(server, "pg_recvlogical", &args)
        },
        &[],
    ),
    fault(
        "slot-exists",
        "server.replication.slot-exists",
        |lab| {
            let server = publisher(lab).sql(DECODES).start()?;
            client(server, "pg_recvlogical", &["--create-slot", "-S", "orders"])
        },
        &[("psql -U postgres -c 'select", Done::Prints("test_decoding"))],
    ),
    fault(
        "no-slot",
        "server.replication.slots",
        |lab| {
            let server = publisher(lab).conf("max_replication_slots", 1).sql(DECODES);
            client(
                server.start()?,
                "pg_recvlogical",
                &["--create-slot", "-S", "b"],
            )
        },
        &[("psql -U postgres -c 'select", Done::Prints("orders"))],
    ),
    fault(
        "level",
        "server.replication.wal-level",
        |lab| {
            let server = publisher(lab).conf("wal_level", "replica").start()?;
            client(server, "pg_recvlogical", &["--create-slot", "-S", "orders"])
        },
        &[("psql", Done::Prints("ALTER SYSTEM"))],
    ),
    fault(
        "plugin",
        "server.replication.plugin",
        |lab| {
            let args = ["--create-slot", "-S", "orders", "-P", "wal2json"];
            client(publisher(lab).start()?, "pg_recvlogical", &args)
        },
        &[],
    ),
    fault(
        "publication",
        "server.replication.publication",
        |lab| {
            let server = publisher(lab)
                .sql("select pg_create_logical_replication_slot('orders', 'pgoutput')")
                .sql("create table t ()")
                .sql("insert into t default values")
                .start()?;
            let args = ["--no-loop", "--start", "-f", "-", "-S", "orders"];
            let options = ["-o", "proto_version=1", "-o", "publication_names=orders"];
            client(server, "pg_recvlogical", &[&args[..], &options].concat())
        },
        &[("psql", Done::Prints("pubname"))],
    ),
    fault(
        "slot-lost",
        "server.replication.slot-lost",
        |lab| {
            let mut server = publisher(lab)
                .conf("max_slot_wal_keep_size", "1MB")
                .conf("max_wal_size", "2MB")
                .conf("min_wal_size", "2MB")
                .conf("wal_keep_size", "0")
                .sql(DECODES);
            for _ in 0..8 {
                server =
                    server.sql("select pg_logical_emit_message(false, '', repeat('x', 600000))");
                server = server.sql("select pg_switch_wal()");
            }
            let server = server.sql("checkpoint").start()?;
            let args = ["--no-loop", "--start", "-f", "-", "-S", "orders"];
            client(server, "pg_recvlogical", &args)
        },
        &[("psql", Done::Prints("lost"))],
    ),
    fault(
        "no-sender",
        "server.replication.senders",
        |lab| {
            let server = publisher(lab).conf("max_wal_senders", 0).start()?;
            let to = lab.dir("wal")?.display().to_string();
            client(server, "pg_receivewal", &["--no-loop", "-D", &to])
        },
        &[("psql", Done::Prints("max_wal_senders"))],
    ),
    fault(
        "no-right",
        "auth.role.replication",
        |lab| {
            let to = lab.dir("wal")?.display().to_string();
            let args = ["--no-loop", "-D", to.as_str(), "-U", "app"];
            client(publisher(lab).start()?, "pg_receivewal", &args)
        },
        &[],
    ),
    fault(
        "no-entry",
        "auth.hba.no-entry",
        |lab| {
            let server = lab.new_postgres().hba("local all all trust").start()?;
            let to = lab.dir("backup")?.display().to_string();
            client(server, "pg_basebackup", &["-D", &to])
        },
        &[],
    ),
    fault(
        "silent",
        "server.replication.timeout",
        |lab| {
            let server = publisher(lab)
                .conf("wal_sender_timeout", "500ms")
                .sql(DECODES);
            let server = server.start()?;
            let reader = reader(lab, &server, "orders")?;
            reader.signal("STOP")?;
            server.wait_for_log("due to replication timeout")?;
            reader.signal("CONT")?;
            Ok(Told {
                text: server.log(),
                server: Some(server),
                ..Told::default()
            })
        },
        &[],
    ),
];

/// Commands that only look, for a server that runs again or runs still: of which page, how each
/// begins, and what it prints.
pub const LOOKS: &[(&str, &str, &str)] = &[
    ("server.disk-full", "psql", "failed_count"),
    ("server.shared-memory", "psql", "ALTER SYSTEM"),
    ("server.start.ipc", "ipcs", "Semaphore Limits"),
    (
        "server.start.standby-settings",
        "psql",
        "max_prepared_transactions | 0",
    ),
];

/// A server without a fault.
pub fn healthy(lab: &Lab) -> Result<Told> {
    Ok(Told {
        server: Some(lab.new_postgres().start()?),
        ..Told::default()
    })
}

/// Why they cannot be made here, if so.
pub fn skipped() -> Option<&'static str> {
    match () {
        () if bin_dir().is_none() => Some("no PostgreSQL server is installed"),
        () if !is_root() => Some("needs root"),
        () => None,
    }
}

/// What a server that works writes, with clients that do not.
pub const NOISE: &str = "\
2026-11-21 09:00:01.001 UTC [1] LOG:  starting PostgreSQL 15.5 on x86_64-pc-linux-gnu, 64-bit
2026-11-21 09:00:01.002 UTC [1] LOG:  listening on IPv4 address \"0.0.0.0\", port 5432
2026-11-21 09:00:01.003 UTC [1] LOG:  listening on Unix socket \"/var/run/postgresql/.s.PGSQL.5432\"
2026-11-21 09:00:01.010 UTC [27] LOG:  database system was interrupted; last known up at 2026-11-20 23:11:07 UTC
2026-11-21 09:00:01.050 UTC [28] FATAL:  the database system is starting up
2026-11-21 09:00:01.200 UTC [27] LOG:  database system was not properly shut down; automatic recovery in progress
2026-11-21 09:00:01.210 UTC [27] LOG:  redo starts at 0/1920908
2026-11-21 09:00:01.220 UTC [27] LOG:  invalid record length at 0/19209B8: wanted 24, got 0
2026-11-21 09:00:01.221 UTC [27] LOG:  redo done at 0/1920980 system usage: CPU: user: 0.00 s
2026-11-21 09:00:01.300 UTC [25] LOG:  checkpoint starting: end-of-recovery immediate wait
2026-11-21 09:00:01.400 UTC [25] LOG:  checkpoint complete: wrote 3 buffers (0.0%)
2026-11-21 09:00:01.500 UTC [1] LOG:  database system is ready to accept connections
2026-11-21 09:03:11.000 UTC [40] FATAL:  password authentication failed for user \"report\"
2026-11-21 09:03:11.000 UTC [40] DETAIL:  Connection matched pg_hba.conf line 100: \"host all all all scram-sha-256\"
2026-11-21 09:04:00.000 UTC [41] ERROR:  relation \"orders\" does not exist at character 15
2026-11-21 09:04:00.000 UTC [41] STATEMENT:  select * from orders
2026-11-21 09:05:00.000 UTC [42] LOG:  could not receive data from client: Connection reset by peer
2026-11-21 09:06:00.000 UTC [43] ERROR:  canceling statement due to statement timeout
2026-11-21 09:07:00.000 UTC [44] FATAL:  database \"orders\" does not exist
2026-11-21 09:08:00.000 UTC [1] LOG:  received fast shutdown request
2026-11-21 09:08:00.001 UTC [1] LOG:  aborting any active transactions
2026-11-21 09:08:00.002 UTC [45] FATAL:  terminating connection due to administrator command
2026-11-21 09:08:00.003 UTC [46] FATAL:  terminating connection due to administrator command
2026-11-21 09:08:00.004 UTC [47] FATAL:  the database system is shutting down
2026-11-21 09:08:00.100 UTC [1] LOG:  background worker \"logical replication launcher\" (PID 30) exited with exit code 1
2026-11-21 09:08:00.110 UTC [25] LOG:  shutting down
2026-11-21 09:08:00.200 UTC [1] LOG:  database system is shut down
";
