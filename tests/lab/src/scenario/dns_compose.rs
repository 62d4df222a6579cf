//! Names of compose services, outside of their network: the published port is in the file.
//!
//! What is advised depends on whether dbdoctor runs in a container. The case runs it as the lab
//! runs, a second run is like one on the machine itself.

use std::fs;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::{
    Case, CertSpec, Conn, Dnsmasq, Expect, Lab, Need, Postgres, PostgresBuilder, Scenario, Tool,
};

/// A project whose files are these, in a namespace where a server listens and no name is known.
/// `PORT` in the files is the server's.
struct Project {
    folder: PathBuf,
    netns: String,
    password: String,
    /// A socket, which cannot be read as a file.
    socket: PathBuf,
    port: u16,
}

fn project(lab: &Lab, files: &[(&str, &str)]) -> Result<(Project, Case)> {
    project_of(lab, lab.new_postgres(), files)
}

/// The same with this server.
fn project_of(
    lab: &Lab,
    server: PostgresBuilder<'_>,
    files: &[(&str, &str)],
) -> Result<(Project, Case)> {
    let ns = lab.netns()?;
    let pg: Postgres = server.netns(&ns).start()?;
    let folder = lab.dir("project")?;
    for (path, text) in files {
        let path = folder.join(path);
        fs::create_dir_all(path.parent().context("no folder")?)?;
        fs::write(path, text.replace("PORT", &pg.port().to_string()))?;
    }
    let socket = lab.dir("hidden")?.join("socket");
    let listener = UnixListener::bind(&socket)?;
    let server = Dnsmasq::start(lab, &ns, "127.0.0.1", &[])?;
    let conn = Conn::new()
        .set("host", "ledger")
        .set("user", "app")
        .set("dbname", "appdb")
        .set("application_name", "who owes what");
    let project = Project {
        folder: folder.clone(),
        netns: ns.name().to_owned(),
        password: lab.password().to_owned(),
        socket,
        port: pg.port(),
    };
    let case = Case::check(conn).password(lab.password()).cwd(folder);
    Ok((project, case.keep((listener, server, pg)).netns(ns)))
}

impl Project {
    fn tool(&self, program: &str) -> Tool {
        let tool = Tool::new(program).netns(Some(self.netns.clone()));
        tool.env("PGPASSWORD", &self.password)
    }

    /// The report of dbdoctor on the machine itself: what marks a container of Docker is hidden.
    fn on_the_machine(
        &self,
        dbdoctor: &Path,
        folder: &str,
        variables: &[(&str, &str)],
    ) -> Result<Value> {
        const SCRIPT: &str = "if test -e /.dockerenv; then mount --bind \"$1\" /.dockerenv; fi; \
            cd \"$2\" && exec \"$0\" check --json -w \
            \"host=ledger user=app dbname=appdb application_name='who owes what'\"";
        let mut tool = self.tool("unshare").args(["--mount", "sh", "-c", SCRIPT]);
        for (name, value) in variables {
            tool = tool.env(name, value);
        }
        let tool = tool.arg(dbdoctor.display()).arg(self.socket.display());
        let tool = tool.arg(self.folder.join(folder).display());
        let done = tool.run(Duration::from_secs(30))?;
        let report: Value = serde_json::from_str(&done.stdout).with_context(|| done.to_string())?;
        ensure!(report["verdict"]["cause"] == "dns.container-name", "{done}");
        Ok(report)
    }

    /// What the first fix's command prints, when it is pasted and a query is typed.
    fn pasted(&self, report: &Value) -> Result<String> {
        let command = report["verdict"]["fixes"][0]["command"].as_str();
        let command = command.with_context(|| format!("no command: {report:#}"))?;
        let shell = self.tool("sh").args(["-c", command]);
        shell
            .stdin("select 'as ' || current_setting('application_name');\n")
            .succeed()
    }

    /// The first fix reaches the server at the published port.
    fn reached(&self, report: &Value) -> Result<()> {
        let published = format!("localhost:{}", self.port);
        let fix = first_fix(report);
        ensure!(fix.contains(&published), "no {published} in {fix}");
        let printed = self.pasted(report)?;
        ensure!(printed.contains("as who owes what"), "{printed}");
        Ok(())
    }
}

fn first_fix(report: &Value) -> &str {
    let fix = &report["verdict"]["fixes"][0]["text"];
    fix.as_str().unwrap_or_default()
}

/// A case in which these files publish the server's port; the first fix is a command that
/// reaches it.
fn published(lab: &Lab, files: &[(&str, &str)]) -> Result<Case> {
    published_to(lab, files, "", &[])
}

/// The same from a folder of the project, with these variables.
fn published_to(
    lab: &Lab,
    files: &[(&str, &str)],
    folder: &'static str,
    variables: &'static [(&'static str, &'static str)],
) -> Result<Case> {
    let (project, case) = project(lab, files)?;
    Ok(case.assert_with(move |report, dbdoctor| {
        if report["run"]["environment"]["container"].is_null() {
            project.reached(report)?;
        } else {
            let fix = first_fix(report);
            ensure!(fix.contains("same network"), "{fix}");
        }
        project.reached(&project.on_the_machine(dbdoctor, folder, variables)?)
    }))
}

/// A case in which the first fix on the machine itself has these words, and this command.
fn advised(
    lab: &Lab,
    files: &[(&str, &str)],
    words: &'static [&'static str],
    command: &'static str,
) -> Result<Case> {
    let (project, case) = project(lab, files)?;
    Ok(case.assert_with(move |_, dbdoctor| {
        let report = project.on_the_machine(dbdoctor, "", &[])?;
        let fix = first_fix(&report);
        for word in words {
            ensure!(fix.contains(word), "no {word:?} in {fix}");
        }
        let given = &report["verdict"]["fixes"][0]["command"];
        ensure!(*given == command, "{given}, not {command}");
        Ok(())
    }))
}

const NEEDS: &[Need] = &[Need::Postgres, Need::Netns, Need::Dnsmasq];
const EXPECT: Expect = Expect::Fail("dns.container-name");
const BARE: &str = "services:\n  ledger:\n    image: postgres:15\n";

/// Compose services.
pub const SCENARIOS: &[Scenario] = &[
    Scenario::new(
        "dns-compose-port",
        "a compose file publishes the service's port",
        EXPECT,
        NEEDS,
        |lab| {
            let text =
                "services:\n  ledger:\n    image: postgres\n    ports:\n      - \"PORT:5432\"\n";
            published(lab, &[("compose.yaml", text)])
        },
    ),
    Scenario::new(
        "dns-compose-long",
        "the long form, on this machine's own address, in a folder above",
        EXPECT,
        NEEDS,
        |lab| {
            let text = "services:\n  ledger:\n    ports:\n    - target: 5432\n      \
                        published: \"PORT\"\n      host_ip: 127.0.0.1\n      protocol: tcp\n";
            let files = [("docker-compose.yml", text), ("app/src/x", "")];
            published_to(lab, &files, "app/src", &[])
        },
    ),
    Scenario::new(
        "dns-compose-dotenv",
        "the port is a variable of .env",
        EXPECT,
        NEEDS,
        |lab| {
            let text = "services:\n  ledger: {ports: [\"127.0.0.1:${DB_PORT:-1}:5432\"]}\n";
            published(lab, &[("compose.yml", text), (".env", "DB_PORT=PORT\n")])
        },
    ),
    Scenario::new(
        "dns-compose-override",
        "the port is published by the override file, and by an anchor",
        EXPECT,
        NEEDS,
        |lab| {
            let over =
                "x-db: &db\n  ports: [\"0.0.0.0:PORT:5432\"]\nservices:\n  ledger:\n    <<: *db\n";
            published(
                lab,
                &[("compose.yaml", BARE), ("compose.override.yaml", over)],
            )
        },
    ),
    Scenario::new(
        "dns-compose-extends",
        "the port is published by the service that it extends, in another file",
        EXPECT,
        NEEDS,
        |lab| {
            let text = "services:\n  ledger:\n    extends: {file: common/db.yaml, service: base}\n";
            let base = "services:\n  base:\n    ports: [\"PORT:5432\"]\n";
            published(lab, &[("compose.yaml", text), ("common/db.yaml", base)])
        },
    ),
    Scenario::new(
        "dns-compose-host-network",
        "the service uses the machine's own network, on its usual port",
        EXPECT,
        NEEDS,
        |lab| {
            let text = "services:\n  ledger:\n    network_mode: host\n";
            let (project, case) = project(lab, &[("compose.yaml", text)])?;
            Ok(case.assert_with(move |_, dbdoctor| {
                let report = project.on_the_machine(dbdoctor, "", &[])?;
                let fix = first_fix(&report);
                ensure!(fix.contains("localhost:5432"), "{fix}");
                Ok(())
            }))
        },
    ),
    Scenario::new(
        "dns-compose-engine",
        "another machine runs the containers",
        EXPECT,
        NEEDS,
        |lab| {
            let text = "services:\n  ledger:\n    ports: [\"PORT:5432\"]\n";
            let (project, case) = project(lab, &[("compose.yaml", text)])?;
            Ok(case.assert_with(move |_, dbdoctor| {
                let engine = [("DOCKER_HOST", "ssh://ops@build.corp.test")];
                let report = project.on_the_machine(dbdoctor, "", &engine)?;
                let fix = first_fix(&report);
                let published = format!("build.corp.test:{}", project.port);
                ensure!(fix.contains(&published), "{fix}");
                Ok(())
            }))
        },
    ),
    Scenario::new(
        "dns-compose-network-of",
        "the service is in the network of another, which publishes the port",
        EXPECT,
        NEEDS,
        |lab| {
            let text = "services:\n  ledger:\n    network_mode: service:vpn\n  vpn:\n    \
                        ports: [\"PORT:5432\"]\n";
            published(lab, &[("compose.yaml", text)])
        },
    ),
    Scenario::new(
        "dns-compose-link",
        "the name is what another service calls it",
        EXPECT,
        NEEDS,
        |lab| {
            let text = "services:\n  store:\n    ports: [\"PORT:5432\"]\n  web:\n    \
                        links: [\"store:ledger\"]\n";
            published(lab, &[("compose.yaml", text)])
        },
    ),
    Scenario::new(
        "dns-compose-pgport",
        "the server in the container listens on another port, which is published",
        EXPECT,
        NEEDS,
        |lab| {
            // Written so that its last letters are not taken for the server's port.
            let variable = r#""PGP\u004FRT""#;
            let text = format!(
                "services:\n  ledger:\n    environment: {{{variable}: 6543}}\n    \
                 ports: [\"PORT:6543\"]\n"
            );
            let text = text.as_str();
            published(lab, &[("compose.yaml", text)])
        },
    ),
    Scenario::new(
        "dns-compose-verify-full",
        "the certificate is for the service's name, which stays",
        EXPECT,
        NEEDS,
        |lab| {
            let text = "services:\n  ledger:\n    ports: [\"PORT:5432\"]\n";
            let spec = CertSpec {
                dns: vec!["ledger".into()],
                ..lab.cert()
            };
            let server = lab.new_postgres().tls(lab.issue(spec)?);
            let (project, case) = project_of(lab, server, &[("compose.yaml", text)])?;
            let root = lab.ca_file().display().to_string();
            Ok(case.assert_with(move |_, dbdoctor| {
                let verified = [("PGSSLMODE", "verify-full"), ("PGSSLROOTCERT", &root)];
                let report = project.on_the_machine(dbdoctor, "", &verified)?;
                project.reached(&report)
            }))
        },
    ),
    Scenario::new(
        "dns-compose-unpublished",
        "the service publishes no port",
        EXPECT,
        NEEDS,
        |lab| {
            let words = &[
                "ports: [\"127.0.0.1:5432:5432\"]",
                "service ledger in compose.yaml",
            ];
            let command = "docker compose up -d ledger";
            advised(lab, &[("compose.yaml", BARE)], words, command)
        },
    ),
    Scenario::new(
        "dns-compose-chosen",
        "the published port is chosen when the service starts",
        EXPECT,
        NEEDS,
        |lab| {
            let text = "services:\n  ledger:\n    ports: [5432]\n";
            let command = "docker compose port ledger 5432";
            advised(
                lab,
                &[("compose.yaml", text)],
                &["publishes. Show the port"],
                command,
            )
        },
    ),
    Scenario::new(
        "dns-compose-unset",
        "the published port is a variable that is set nowhere",
        EXPECT,
        NEEDS,
        |lab| {
            let text = "services:\n  ledger:\n    ports: [\"${DB_PORT:?not set}:5432\"]\n";
            let command = "docker compose port ledger 5432";
            advised(
                lab,
                &[("compose.yaml", text)],
                &["publishes. Show the port"],
                command,
            )
        },
    ),
    Scenario::new(
        "dns-compose-other-file",
        "the service is in a file that docker compose reads only with -f",
        EXPECT,
        NEEDS,
        |lab| {
            let text = "services:\n  ledger:\n    ports: [5432]\n";
            let files = [
                ("compose.yaml", "services:\n  web: {}\n"),
                ("compose.dev.yaml", text),
            ];
            let command = "docker compose -f compose.dev.yaml port ledger 5432";
            advised(
                lab,
                &files,
                &["that ledger in compose.dev.yaml publishes"],
                command,
            )
        },
    ),
    Scenario::new(
        "dns-compose-stranger",
        "a name that no service of the project has",
        Expect::Fail("dns.nxdomain"),
        NEEDS,
        |lab| {
            let text = "services:\n  db:\n    ports: [\"PORT:5432\"]\n";
            let (_, case) = project(lab, &[("compose.yaml", text)])?;
            Ok(case.assert(|report| {
                let fixes = report["verdict"]["fixes"].to_string();
                ensure!(!fixes.contains("localhost:"), "{fixes}");
                Ok(())
            }))
        },
    ),
];
