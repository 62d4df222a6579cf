//! The services of the compose project in a folder, as `docker compose` finds
//! and merges its files (Docker documentation, "Compose file reference").
//! Looked at only for a name that does not resolve.

mod definition;
mod ports;
mod project;

use crate::system::System;

use definition::Definition;
use ports::Published;
use project::Project;

/// The services that the compose files of a folder define.
#[derive(Clone, Debug, Default)]
pub struct Compose {
    services: Vec<Service>,
    /// The host of the engine that runs them, where it is another machine
    /// (`DOCKER_HOST`).
    engine: Option<String>,
}

/// A service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// Its name.
    pub name: String,
    /// The file that defines it, from the current directory.
    pub file: String,
    /// The files to give to `docker compose -f`; none where it reads them unasked.
    pub asked_for: Vec<String>,
    definition: Definition,
}

/// How a port of a service is reached from outside of its network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reach {
    /// At this host and port.
    At {
        /// A name or an address.
        host: String,
        /// The port.
        port: u16,
        /// Whether other machines and containers reach it too.
        by_all: bool,
    },
    /// At a port that is chosen when it starts, or cannot be told.
    Unknown,
    /// Not at all.
    Unpublished,
}

impl Compose {
    /// Reads the files of the project in the current directory, or in the
    /// nearest directory above that has one.
    pub fn read(system: &System) -> Self {
        let services = Project::find(system).map(Project::services);
        let engine = system.var("DOCKER_HOST").and_then(|host| remote(&host));
        Self {
            services: services.unwrap_or_default(),
            engine,
        }
    }

    /// The service that a name stands for in its network: by itself, by its
    /// other names, by what another service calls it, or by the name of one of
    /// its containers (`PROJECT-SERVICE-1`). The first that publishes the port,
    /// else the first.
    pub fn service(&self, name: &str, port: u16) -> Option<&Service> {
        let name = name.strip_suffix('.').unwrap_or(name);
        let links = self.services.iter().flat_map(|it| &it.definition.links);
        let linked: Vec<&String> = links
            .filter(|(_, alias)| alias.eq_ignore_ascii_case(name))
            .map(|(service, _)| service)
            .collect();
        let is_meant = |it: &&Service| it.is_called(name) || linked.contains(&&it.name);
        let mut known = self.services.iter().filter(is_meant);
        let first = known.clone().next()?;
        let publishes = |it: &&Service| matches!(self.reach(it, port), Reach::At { .. });
        Some(known.find(publishes).unwrap_or(first))
    }

    /// How this port of a service is reached.
    pub fn reach(&self, service: &Service, port: u16) -> Reach {
        let definition = self.network_of(&service.definition);
        let own = service.definition.listens_on;
        let (address, port) = match &definition.ports {
            _ if definition.network_mode.as_deref() == Some("host") => {
                (None, Some(own.unwrap_or(port)))
            }
            None => return Reach::Unknown,
            Some(ports) => match published(ports, port, own) {
                Some(published) => (published.address.as_deref(), published.port),
                None => return Reach::Unpublished,
            },
        };
        let Some(port) = port else {
            return Reach::Unknown;
        };
        let by_all = matches!(address, None | Some("0.0.0.0" | "::" | ""));
        let host = match (&self.engine, address) {
            (Some(engine), _) if by_all => engine.clone(),
            // Bound to an address that only the engine's machine may have.
            (Some(_), _) => return Reach::Unknown,
            (None, Some("127.0.0.1")) => "localhost".to_owned(),
            (None, Some(address)) if !by_all => address.to_owned(),
            (None, _) => "localhost".to_owned(),
        };
        Reach::At { host, port, by_all }
    }

    /// The service whose network a service is in, itself as a rule
    /// (`network_mode: service:NAME`): its ports are published there.
    fn network_of<'a>(&'a self, mut definition: &'a Definition) -> &'a Definition {
        // A service refers to another once, or twice; never to itself.
        for _ in 0..self.services.len() {
            let mode = definition.network_mode.as_deref().unwrap_or_default();
            let owner = mode.strip_prefix("service:");
            match owner.and_then(|name| self.services.iter().find(|it| it.name == name)) {
                Some(owner) => definition = &owner.definition,
                None => break,
            }
        }
        definition
    }
}

impl Service {
    fn is_called(&self, name: &str) -> bool {
        let known = |known: &String| known.eq_ignore_ascii_case(name);
        let of_container = || {
            let (rest, number) = name.rsplit_once(['-', '_'])?;
            let project = rest.strip_suffix(self.name.as_str())?;
            let numbered = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit());
            Some(numbered && project.len() > 1 && project.ends_with(['-', '_']))
        };
        known(&self.name)
            || self.definition.names().any(known)
            || of_container().unwrap_or_default()
    }
}

/// What is published for a port: as the container's, else for the one that its
/// PostgreSQL listens on, else as the published one itself, which is a usual
/// mistake.
fn published(ports: &[Published], port: u16, own: Option<u16>) -> Option<&Published> {
    let of_container = |port| ports.iter().find(|it| it.target == port);
    of_container(port)
        .or_else(|| of_container(own?))
        .or_else(|| ports.iter().find(|it| it.port == Some(port)))
}

/// The host of an engine on another machine.
fn remote(url: &str) -> Option<String> {
    let (scheme, rest) = url.split_once("://")?;
    if !matches!(scheme, "tcp" | "ssh" | "http" | "https") {
        return None;
    }
    let authority = rest.split('/').next().unwrap_or_default();
    let (_, host) = authority.rsplit_once('@').unwrap_or(("", authority));
    let host = match host.strip_prefix('[') {
        Some(ipv6) => ipv6.split(']').next()?,
        None => host.split(':').next()?,
    };
    let here = matches!(host, "" | "localhost" | "127.0.0.1" | "::1");
    (!here).then(|| host.to_owned())
}

/// A project of these services, each with the file that defines it.
#[cfg(test)]
pub fn with(services: &[(&str, &str)]) -> Compose {
    let service = |(name, file): &(&str, &str)| Service {
        name: (*name).to_owned(),
        file: (*file).to_owned(),
        asked_for: Vec::new(),
        definition: Definition::default(),
    };
    Compose {
        services: services.iter().map(service).collect(),
        engine: None,
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;
    use std::fs;

    use super::*;

    /// The project of these files, the last part of whose first path is the
    /// current directory, with these variables.
    fn project(files: &[(&str, &str)], variables: &[(&str, &str)]) -> Compose {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let vars = variables
            .iter()
            .map(|(name, value)| (OsString::from(name), value.into()));
        Compose::read(&System {
            cwd: root.path().to_owned(),
            vars: vars.collect(),
            ..System::default()
        })
    }

    /// How port 5432 of the service `db` is reached: `localhost:5433`, `?`, `no`.
    fn reach(compose: &Compose) -> String {
        match compose.service("db", 5432) {
            None => "none".to_owned(),
            Some(service) => match compose.reach(service, 5432) {
                Reach::At { host, port, .. } => format!("{host}:{port}"),
                Reach::Unknown => "?".to_owned(),
                Reach::Unpublished => "no".to_owned(),
            },
        }
    }

    /// The same, of one file in which the service has these lines.
    fn reach_of(lines: &str) -> String {
        let lines = lines.replace('\n', "\n    ");
        let text = format!("services:\n  db:\n    image: postgres\n    {lines}\n");
        reach(&project(&[("compose.yaml", &text)], &[]))
    }

    #[test]
    fn ports_are_read_in_every_form() {
        for (lines, expected) in [
            ("ports: [\"5433:5432\"]", "localhost:5433"),
            ("ports:\n  - 5433:5432", "localhost:5433"),
            ("ports:\n  - '5433:5432/tcp'", "localhost:5433"),
            ("ports:\n- \"127.0.0.1:5433:5432\"", "localhost:5433"),
            ("ports:\n- \"0.0.0.0:5433:5432\"", "localhost:5433"),
            ("ports:\n- \"[::]:5433:5432\"", "localhost:5433"),
            ("ports:\n- \"[::1]:5433:5432\"", "::1:5433"),
            ("ports:\n- \"10.0.0.7:5433:5432\"", "10.0.0.7:5433"),
            ("ports:\n- 8080:80\n- 5433-5435:5431-5433", "localhost:5434"),
            (
                "ports:\n- target: 5432\n  published: 5433",
                "localhost:5433",
            ),
            (
                "ports:\n- target: 5432\n  published: \"5433\"\n  host_ip: 127.0.0.1\n  protocol: tcp\n  mode: host",
                "localhost:5433",
            ),
            ("ports: [\"${P:-5433}:5432\"]", "localhost:5433"),
            (
                "ports:\n- target: 5432\n  published: ${P-5433}",
                "localhost:5433",
            ),
            // The published port, with the service's name.
            ("ports: [\"5432:6432\"]", "localhost:5432"),
            ("network_mode: host", "localhost:5432"),
            (
                "network_mode: host\nenvironment: [PGPORT=6543]",
                "localhost:6543",
            ),
            // The port that the server is told to take.
            (
                "environment: {PGPORT: 6543}\nports: [\"5433:6543\"]",
                "localhost:5433",
            ),
            (
                "environment: [PGDATA=/x, \"PGPORT=${P:-6543}\"]\nports: [\"5433:6543\"]",
                "localhost:5433",
            ),
            (
                "environment: {PGPORT: 6543}\nports: [\"5434:5432\", \"5433:6543\"]",
                "localhost:5434",
            ),
            // Its own network.
            (
                "network_mode: service:db\nports: [\"5433:5432\"]",
                "localhost:5433",
            ),
            ("network_mode: service:gone\nports: []", "no"),
            // Chosen when it starts.
            ("ports: [5432]", "?"),
            ("ports: [\"127.0.0.1::5432\"]", "?"),
            ("ports: [\"5433-5440:5432\"]", "?"),
            ("ports:\n- target: 5432", "?"),
            // It cannot be told.
            ("ports: [\"${P}:5432\"]", "?"),
            ("ports: [\"${P:?set it}:5432\"]", "?"),
            ("ports: [\"x:5432\"]", "?"),
            ("ports: [\"70000:5432\"]", "?"),
            ("ports: !override [\"5433:5432\"]", "?"),
            ("ports: 5432", "?"),
            // Not published.
            ("expose: [5432]", "no"),
            ("ports: []", "no"),
            ("ports: [\"5433:5432/udp\"]", "no"),
            ("ports: [\"8080:80\"]", "no"),
        ] {
            assert_eq!(reach_of(lines), expected, "{lines}");
        }
    }

    const DB: &str = "services:\n  db:\n    ports: [\"${PORT:-5433}:5432\"]\n";

    #[test]
    fn variables_come_from_the_environment_then_from_the_file() {
        let dotenv = (".env", "PORT=5440\n");
        let compose = ("compose.yaml", DB);
        assert_eq!(reach(&project(&[compose], &[])), "localhost:5433");
        assert_eq!(reach(&project(&[compose, dotenv], &[])), "localhost:5440");
        let both = project(&[compose, dotenv], &[("PORT", "5441")]);
        assert_eq!(reach(&both), "localhost:5441");
    }

    #[test]
    fn files_are_found_and_merged_as_compose_does() {
        let over = "services:\n  db:\n    ports: [\"5434:5432\"]\n";
        let bare = "services:\n  db:\n    image: postgres\n";
        let none = "services:\n  web: {}\n";
        for (files, variables, expected) in [
            (vec![("docker-compose.yml", DB)], vec![], "localhost:5433"),
            (
                vec![("compose.yaml", bare), ("docker-compose.yml", DB)],
                vec![],
                "no",
            ),
            (
                vec![("compose.yaml", bare), ("compose.override.yml", over)],
                vec![],
                "localhost:5434",
            ),
            // Laid over on demand.
            (
                vec![("compose.yaml", bare), ("compose.dev.yml", over)],
                vec![],
                "localhost:5434",
            ),
            (
                vec![("compose.yaml", none), ("docker-compose.test.yaml", over)],
                vec![],
                "localhost:5434",
            ),
            (
                vec![("x.yml", over), ("compose.yaml", bare)],
                vec![("COMPOSE_FILE", "compose.yaml:x.yml")],
                "localhost:5434",
            ),
            (
                vec![("x.yml", over), (".env", "COMPOSE_FILE=x.yml\n")],
                vec![],
                "localhost:5434",
            ),
            (
                vec![("compose.yaml", "include: [x/y.yml]\n"), ("x/y.yml", over)],
                vec![],
                "localhost:5434",
            ),
            (
                vec![
                    (
                        "compose.yaml",
                        "services:\n  db:\n    extends: {file: x.yml, service: db}\n",
                    ),
                    ("x.yml", over),
                ],
                vec![],
                "localhost:5434",
            ),
            (
                vec![(
                    "compose.yaml",
                    "services:\n  db: {extends: base}\n  base: {ports: [\"5434:5432\"]}\n",
                )],
                vec![],
                "localhost:5434",
            ),
            (
                vec![("compose.yaml", "services:\n  db: {extends: db}\n")],
                vec![],
                "?",
            ),
            (
                vec![(
                    "compose.yaml",
                    "x-p: &p\n  ports: [\"5434:5432\"]\nservices:\n  db:\n    <<: *p\n    image: postgres\n",
                )],
                vec![],
                "localhost:5434",
            ),
            (
                vec![(
                    "compose.yaml",
                    "include: compose.yaml\nservices: {db: {}}\n",
                )],
                vec![],
                "no",
            ),
            (
                vec![("compose.yaml", "services:\n\tdb: [\n")],
                vec![],
                "none",
            ),
            (vec![("compose.yaml", "")], vec![], "none"),
            (vec![("compose.yaml", "- services\n")], vec![], "none"),
            (vec![], vec![], "none"),
        ] {
            assert_eq!(reach(&project(&files, &variables)), expected, "{files:?}");
        }
    }

    #[test]
    fn files_that_are_not_read_unasked_are_given() {
        let over = "services:\n  db:\n    ports: [\"5434:5432\"]\n";
        for (base, expected) in [
            (
                "services:\n  db: {image: postgres}\n",
                &["compose.yaml", "compose.dev.yml"][..],
            ),
            ("services:\n  web: {}\n", &["compose.dev.yml"]),
            ("services:\n  db: {ports: [\"5433:5432\"]}\n", &[]),
        ] {
            let compose = project(&[("compose.yaml", base), ("compose.dev.yml", over)], &[]);
            let service = compose.service("db", 5432).unwrap();
            assert_eq!(service.asked_for, expected, "{base}");
        }
    }

    #[test]
    fn a_file_above_counts() {
        let root = tempfile::tempdir().unwrap();
        let cwd = root.path().join("a/b");
        fs::create_dir_all(&cwd).unwrap();
        fs::write(root.path().join("compose.yaml"), DB).unwrap();
        let compose = Compose::read(&System {
            cwd,
            ..System::default()
        });
        assert_eq!(reach(&compose), "localhost:5433");
        assert_eq!(compose.services[0].file, "../../compose.yaml");
    }

    #[test]
    fn the_network_of_another_service_has_the_ports() {
        let text = "services:\n  db: {network_mode: \"service:vpn\"}\n  vpn:\n    ports: [\"5433:5432\"]\n";
        assert_eq!(
            reach(&project(&[("compose.yaml", text)], &[])),
            "localhost:5433"
        );
    }

    #[test]
    fn another_service_may_give_a_name() {
        let text = "services:\n  store:\n    ports: [\"5433:5432\"]\n  web:\n    links: [\"store:db\", store]\n";
        assert_eq!(
            reach(&project(&[("compose.yaml", text)], &[])),
            "localhost:5433"
        );
        let text = text.replace(":db", ":other");
        assert_eq!(reach(&project(&[("compose.yaml", &text)], &[])), "none");
    }

    #[test]
    fn a_service_has_other_names() {
        let text = "services:\n  store:\n    container_name: ${X:-db}\n    hostname: led\n    networks: {back: {aliases: [pg]}}\n    ports: [\"5433:5432\"]\n";
        let compose = project(&[("compose.yaml", text)], &[]);
        for name in [
            "store",
            "STORE.",
            "db",
            "led",
            "pg",
            "my-app-store-1",
            "app_store_2",
        ] {
            assert!(compose.service(name, 5432).is_some(), "{name}");
        }
        for name in ["stor", "restore-1", "app-store", "-store-1", "store-1", "x"] {
            assert!(compose.service(name, 5432).is_none(), "{name}");
        }
    }

    #[test]
    fn another_machine_may_run_it() {
        for (host, expected) in [
            ("unix:///var/run/docker.sock", "localhost:5433"),
            ("tcp://127.0.0.1:2375", "localhost:5433"),
            ("ssh://ops@build.corp.test", "build.corp.test:5433"),
            ("tcp://10.0.0.9:2376", "10.0.0.9:5433"),
        ] {
            let compose = project(&[("compose.yaml", DB)], &[("DOCKER_HOST", host)]);
            assert_eq!(reach(&compose), expected, "{host}");
        }
    }

    #[test]
    fn hostile_files_cost_little() {
        let mut bomb = "a: &a [x,x,x,x,x,x,x,x,x]\n".to_owned();
        for (this, last) in ('b'..='z').zip('a'..) {
            bomb.push_str(&format!("{this}: &{this} [*{last},*{last},*{last},*{last},*{last},*{last},*{last},*{last}]\n"));
        }
        let deep = "[".repeat(200_000);
        for text in [bomb.as_str(), deep.as_str()] {
            let begun = std::time::Instant::now();
            assert_eq!(reach(&project(&[("compose.yaml", text)], &[])), "none");
            assert!(begun.elapsed().as_secs() < 5);
        }
    }
}
