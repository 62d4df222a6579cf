//! From where a running process stands (`--pid`): each of these runs in a place of its own, and
//! dbdoctor is started outside.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::certs::write_mode;
use crate::process::Service;
use crate::{Case, Dnsmasq, Expect, Lab, Need, Netns, Oracle, Scenario, Tool};

/// A name that only the process's own files and name servers know.
const NAME: &str = "orders-db.pid.test";

/// The user that the processes run as.
const USER: &str = "nobody";

/// A web application that has loaded its driver.
const APP: &str = "import psycopg2\n\
                   def app(environ, start_response):\n    \
                   start_response('200 OK', [])\n    return [b'']\n";

/// A server that has loaded its driver.
const SERVER: &str = "require('pg');\n\
                      require('net').createServer().listen(0, '127.0.0.1', \
                      () => console.log('ready'));\n";

/// A program that holds a jar open, as a Java virtual machine does.
const HOLDER: &str = "import sys, time\njar = open(sys.argv[1], 'rb')\n\
                      print('ready', flush=True)\ntime.sleep(600)\n";

/// Packs jars: one within another, as Spring Boot does.
const PACK: &str = "import io, sys, zipfile\n\
    driver = io.BytesIO()\n\
    with zipfile.ZipFile(driver, 'w') as jar:\n    \
        jar.writestr('org/postgresql/Driver.class', b'x')\n\
    with zipfile.ZipFile(sys.argv[1], 'w') as jar:\n    \
        jar.writestr('BOOT-INF/classes/application.properties', b'x')\n    \
        jar.writestr('BOOT-INF/lib/flyway-database-postgresql-10.1.0.jar', b'x')\n    \
        jar.writestr('BOOT-INF/lib/postgresql-42.7.3.jar', driver.getvalue())\n";

/// Starts it and waits until it says so.
fn started(tool: Tool, lab: &Lab) -> Result<Service> {
    let process = tool.serve(lab.dir("process")?.join("log"), "TERM")?;
    process.wait_ready(|| process.log().contains("ready"))?;
    Ok(process)
}

/// What the `client` stage says.
fn client(report: &Value) -> Result<&Value> {
    let stages = report["stages"].as_array().context("no stages")?;
    let client = stages.iter().find(|stage| stage["stage"] == "client");
    Ok(&client.context("no stage client")?["facts"])
}

/// The driver must be this one, told by a file whose name has this in it.
fn driver(report: &Value, name: &str, version: &Value, told_by: &str) -> Result<()> {
    let drivers = &client(report)?["detected"];
    ensure!(drivers.as_array().map_or(0, Vec::len) == 1, "{drivers:#}");
    let one = &drivers[0];
    ensure!(one["driver"] == name, "{one:#}");
    ensure!(one["version"] == *version, "{one:#}");
    let told = one["told_by"].as_str().unwrap_or_default();
    ensure!(told.contains(told_by), "{one:#}");
    Ok(())
}

/// The host must be this one, from this variable of the process's environment.
fn target(report: &Value, host: &str, variable: &str) -> Result<()> {
    let given = &report["target"]["parameters"]["host"];
    ensure!(given["value"] == host, "{given:#}");
    let origin = &given["origin"];
    ensure!(origin["kind"] == "process-environment", "{origin:#}");
    ensure!(origin["name"] == variable, "{origin:#}");
    Ok(())
}

/// What the process has apart from dbdoctor.
fn apart(report: &Value, what: &[&str]) -> Result<()> {
    let process = &client(report)?["process"];
    ensure!(process["apart"] == json!(what), "{process:#}");
    Ok(())
}

/// `psql` where the process stands, as its user.
fn psql_there(ns: &Netns, target: &str, password: &str) -> Tool {
    Tool::new("ip")
        .args(["netns", "exec", ns.name(), "setpriv", "--reuid", USER])
        .args(["--regid", "nogroup", "--clear-groups"])
        .args(["psql", "-XAtw", "-c", "select 'connected'", "-d"])
        .arg(target)
        .env("PGPASSWORD", password)
}

/// A worker of gunicorn, as it forked: psycopg2 is loaded in it, and its settings are the
/// master's. The server's name is in its hosts file, and the server in its network.
fn gunicorn(lab: &Lab) -> Result<Case> {
    let ns = lab.netns()?;
    ns.hosts(&format!("127.0.0.1 localhost {NAME}\n"))?;
    let pg = lab.new_postgres().netns(&ns).listen("127.0.0.1").start()?;
    let app = lab.file("orders.py", APP, 0o644)?;
    let folder = app.parent().context("no folder")?.to_owned();
    let url = format!(
        "postgresql://app:{}@{NAME}:{}/appdb?sslmode=disable",
        lab.password(),
        pg.port()
    );
    let mut tool = ns
        .tool("/usr/bin/python3")
        .args([
            "-m",
            "gunicorn",
            "-w",
            "1",
            "-b",
            "127.0.0.1:0",
            "orders:app",
        ])
        .env("DATABASE_URL", &url)
        .env("HOME", folder.display())
        .user(USER);
    tool.cwd = Some(folder);
    let master = tool.serve(lab.dir("process")?.join("log"), "TERM")?;
    master.wait_ready(|| master.log().contains("Booting worker"))?;
    let children = format!("/proc/{0}/task/{0}/children", master.pid());
    let worker = || fs::read_to_string(&children).unwrap_or_default();
    let loaded = |pid: &str| {
        let maps = fs::read_to_string(format!("/proc/{pid}/maps")).unwrap_or_default();
        maps.contains("_psycopg")
    };
    master.wait_ready(|| loaded(worker().trim()))?;
    let pid = worker().trim().to_owned();
    let oracle = psql_there(&ns, &url, lab.password());
    Ok(Case::new("check")
        .args(&["--pid", &pid])
        .asks(oracle)
        .secret(lab.password())
        .assert(|report| {
            target(report, NAME, "DATABASE_URL")?;
            apart(report, &["network", "files", "user"])?;
            let version = client(report)?["detected"][0]["version"].clone();
            ensure!(
                version.as_str().is_some_and(|v| v.starts_with("2.")),
                "{version}"
            );
            ensure!(
                client(report)?["detected"][0]["libpq"].is_string(),
                "no libpq"
            );
            driver(report, "psycopg2", &version, "_psycopg")
        })
        .keep((master, pg, ns)))
}

/// A Node.js server whose name server does not know the host, though ours would not be asked.
fn node(lab: &Lab) -> Result<Case> {
    let ns = lab.netns()?;
    let names = Dnsmasq::start(lab, &ns, "127.0.0.1", &["local=/pid.test/"])?;
    let script = lab.file("server.js", SERVER, 0o644)?;
    let folder = script.parent().context("no folder")?.to_owned();
    let package = folder.join("node_modules/pg");
    fs::create_dir_all(&package)?;
    fs::write(
        package.join("package.json"),
        r#"{"name": "pg", "version": "8.11.3"}"#,
    )?;
    fs::write(package.join("index.js"), "module.exports = {};\n")?;
    let mut tool = ns
        .tool("node")
        .args(["--max-old-space-size=64", "server.js"])
        .env("PGHOST", NAME)
        .env("PGUSER", "app")
        .env("PGPASSWORD", lab.password())
        .user(USER);
    tool.cwd = Some(folder);
    let server = started(tool, lab)?;
    let oracle = psql_there(&ns, &format!("host={NAME} user=app"), lab.password());
    Ok(Case::new("check")
        .args(&["--pid"])
        .arg(server.pid())
        .asks(oracle)
        .secret(lab.password())
        .assert(|report| {
            target(report, NAME, "PGHOST")?;
            let servers = report["stages"].to_string();
            ensure!(servers.contains("127.0.0.1"), "{servers}");
            driver(
                report,
                "node-postgres",
                &json!("8.11.3"),
                "node_modules/pg/package.json",
            )
        })
        .keep((server, names, ns)))
}

/// A jar within the jar of an application, with the settings of its framework.
fn java(lab: &Lab) -> Result<Case> {
    let ns = lab.netns()?;
    ns.hosts(&format!("127.0.0.1 localhost {NAME}\n"))?;
    let jar = lab.dir("java")?.join("orders.jar");
    Tool::new("python3")
        .args(["-c", PACK])
        .arg(jar.display())
        .succeed()?;
    let pg = lab.new_postgres().netns(&ns).listen("127.0.0.1").start()?;
    let url = format!(
        "jdbc:postgresql://{NAME}:{}/appdb?sslmode=disable",
        pg.port()
    );
    let tool = ns
        .tool("python3")
        .args(["-c", HOLDER])
        .arg(jar.display())
        .env("SPRING_DATASOURCE_URL", url)
        .env("SPRING_DATASOURCE_USERNAME", "app")
        .env("SPRING_DATASOURCE_PASSWORD", lab.password())
        .user(USER);
    let holder = started(tool, lab)?;
    let near = format!(
        "host={NAME} port={} user=app dbname=appdb sslmode=disable",
        pg.port()
    );
    let oracle = psql_there(&ns, &near, lab.password());
    Ok(Case::new("check")
        .args(&["--pid"])
        .arg(holder.pid())
        .asks(oracle)
        .secret(lab.password())
        .assert(|report| {
            target(report, NAME, "SPRING_DATASOURCE_URL")?;
            let inner = "orders.jar!/BOOT-INF/lib/postgresql-42.7.3.jar";
            driver(report, "pgjdbc", &json!("42.7.3"), inner)
        })
        .keep((holder, pg, ns)))
}

/// A root directory as small as a container's: one program with its libraries, and a few files.
/// Nothing in it is dbdoctor's, nor a library that dbdoctor needs.
fn small_root(lab: &Lab) -> Result<PathBuf> {
    let root = lab.dir("root")?;
    let program = "/usr/bin/sleep";
    let libraries = Tool::new("ldd").arg(program).succeed()?;
    let paths = libraries
        .split_whitespace()
        .filter(|word| word.starts_with('/'));
    for path in paths.chain([program]) {
        let copy = root.join(path.trim_start_matches('/'));
        fs::create_dir_all(copy.parent().context("no folder")?)?;
        fs::copy(path, copy)?;
    }
    for folder in ["etc", "proc", "home/orders/.postgresql", "tmp"] {
        fs::create_dir_all(root.join(folder))?;
    }
    let home = "/home/orders";
    let passwd = format!("orders:x:65534:65534::{home}:/bin/false\n");
    fs::write(root.join("etc/passwd"), passwd)?;
    fs::write(root.join("etc/nsswitch.conf"), "hosts: files\n")?;
    fs::write(root.join("etc/hosts"), format!("127.0.0.1 {NAME}\n"))?;
    Ok(root)
}

/// A process in such a root, with pids, mounts and a network of its own.
fn contained(lab: &Lab, ns: &Netns, root: &Path, env: &[(&str, &str)]) -> Result<(Service, u32)> {
    let mut tool = ns
        .tool("unshare")
        .args(["--mount", "--pid", "--fork", "--kill-child", "chroot"])
        .args(["--userspec=65534:65534"])
        .arg(root.display())
        .args(["/usr/bin/sleep", "600"]);
    for (name, value) in env {
        tool = tool.env(name, value);
    }
    let outer = tool.serve(lab.dir("process")?.join("log"), "TERM")?;
    let children = format!("/proc/{0}/task/{0}/children", outer.pid());
    let inner = || -> Option<u32> { fs::read_to_string(&children).ok()?.trim().parse().ok() };
    let runs = || {
        let name = inner().map(|pid| fs::read_to_string(format!("/proc/{pid}/comm")));
        name.is_some_and(|name| name.is_ok_and(|name| name.trim() == "sleep"))
    };
    outer.wait_ready(runs)?;
    let pid = inner().context("it has ended")?;
    Ok((outer, pid))
}

/// A container's process: host and certificate are of its files, the password of its user's
/// file, in the home that its own user database names.
fn container(lab: &Lab) -> Result<Case> {
    let ns = lab.netns()?;
    let cert = lab.issue(crate::CertSpec::server(NAME, &[NAME], &[]))?;
    let pg = lab
        .new_postgres()
        .netns(&ns)
        .listen("127.0.0.1")
        .tls(cert)
        .start()?;
    let root = small_root(lab)?;
    let home = root.join("home/orders");
    fs::copy(lab.ca_file(), home.join(".postgresql/root.crt"))?;
    let line = format!("{NAME}:*:*:app:{}\n", lab.password());
    write_mode(&home.join(".pgpass"), line, 0o600)?;
    Tool::new("chown")
        .args(["-R", "65534:65534"])
        .arg(home.display())
        .succeed()?;
    let port = pg.port().to_string();
    let env = [
        ("PGHOST", NAME),
        ("PGPORT", &port),
        ("PGUSER", "app"),
        ("PGDATABASE", "appdb"),
        ("PGSSLMODE", "verify-full"),
        // Libraries of the process's choice are for its own user alone.
        ("LD_PRELOAD", "/tmp/none.so"),
    ];
    let (outer, pid) = contained(lab, &ns, &root, &env)?;
    Ok(Case::new("check")
        .args(&["--pid"])
        .arg(pid)
        .secret(lab.password())
        .assert(|report| {
            target(report, NAME, "PGHOST")?;
            apart(report, &["network", "files", "user"])?;
            let password = &report["target"]["parameters"]["password"]["origin"];
            ensure!(password["kind"] == "passfile", "{password:#}");
            ensure!(password["file"] == "/home/orders/.pgpass", "{password:#}");
            let drivers = &client(report)?["detected"];
            ensure!(*drivers == json!([]), "{drivers:#}");
            Ok(())
        })
        .keep((outer, pg, ns)))
}

/// A password file that its user may not read, though root may.
fn forbidden_file(lab: &Lab) -> Result<Case> {
    let ns = lab.netns()?;
    ns.hosts(&format!("127.0.0.1 localhost {NAME}\n"))?;
    let cert = lab.issue(crate::CertSpec::server(NAME, &[NAME], &[]))?;
    let pg = lab
        .new_postgres()
        .netns(&ns)
        .listen("127.0.0.1")
        .tls(cert)
        .start()?;
    let key = lab.file("client.key", "not for this user", 0o600)?;
    let tool = ns
        .tool("python3")
        .args([
            "-c",
            "import time\nprint('ready', flush=True)\ntime.sleep(600)",
        ])
        .env("PGHOST", NAME)
        .env("PGPORT", pg.port())
        .env("PGUSER", "app")
        .env("PGPASSWORD", lab.password())
        .env("PGPASSFILE", key.display())
        .env("PGSSLROOTCERT", key.display())
        .env("PGSSLMODE", "verify-full")
        .user(USER);
    let process = started(tool, lab)?;
    let near = format!(
        "host={NAME} port={} user=app sslmode=verify-full sslrootcert={}",
        pg.port(),
        key.display()
    );
    let oracle = psql_there(&ns, &near, lab.password());
    Ok(Case::new("check")
        .args(&["--pid"])
        .arg(process.pid())
        .asks(oracle)
        .secret(lab.password())
        .keep((process, pg, ns)))
}

const fn row(
    name: &'static str,
    about: &'static str,
    expect: Expect,
    needs: &'static [Need],
    setup: fn(&Lab) -> Result<Case>,
) -> Scenario {
    Scenario::new(name, about, expect, needs, setup).oracle(Oracle::Own)
}

/// Where running processes stand.
pub const SCENARIOS: &[Scenario] = &[
    row(
        "pid-gunicorn-worker",
        "a worker with psycopg2 in another network, with another hosts file",
        Expect::Pass,
        &[Need::Netns, Need::Postgres, Need::Python],
        gunicorn,
    ),
    row(
        "pid-node-server",
        "a Node.js server whose own name server does not know the host",
        Expect::Fail("dns.nxdomain"),
        &[Need::Netns, Need::Postgres, Need::Dnsmasq, Need::Node],
        node,
    ),
    row(
        "pid-java-jar",
        "a jar within a jar, and the settings of Spring",
        Expect::Pass,
        &[Need::Netns, Need::Postgres, Need::Python],
        java,
    ),
    Scenario::new(
        "pid-container",
        "a process in a container that has neither dbdoctor nor its libraries",
        Expect::Pass,
        &[Need::Netns, Need::Postgres],
        container,
    )
    .oracle(Oracle::None("no program is in the container")),
    row(
        "pid-file-of-another-user",
        "a certificate that the process's user may not read",
        Expect::Fail("config.file.missing"),
        &[Need::Netns, Need::Postgres, Need::Python],
        forbidden_file,
    ),
];
