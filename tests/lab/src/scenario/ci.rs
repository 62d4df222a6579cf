//! Where dbdoctor runs, simulated by variables: CI systems, containers, WSL. Each has its own
//! way to a database, and none is told the way of another.

use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::kubernetes::fixes;
use crate::{Case, Conn, Dnsmasq, Expect, Lab, Need, Scenario, Tool};

/// A place: its name, the variables that tell it, and the owners of words (see [`WORDS`]) that
/// it may use.
struct Place {
    name: &'static str,
    variables: &'static [(&'static str, &'static str)],
    owns: &'static [&'static str],
}

const fn place(
    name: &'static str,
    variables: &'static [(&'static str, &'static str)],
    owns: &'static [&'static str],
) -> Place {
    Place {
        name,
        variables,
        owns,
    }
}

const DOCKER: (&str, &str) = ("container", "docker");
const POD: (&str, &str) = ("KUBERNETES_SERVICE_HOST", "10.96.0.1");
const CI: (&str, &str) = ("CI", "true");

const PLACES: &[Place] = &[
    place("a machine", &[], &["machine", "docker"]),
    place("docker", &[DOCKER], &["docker", "machine"]),
    place("podman", &[("container", "podman")], &["podman", "machine"]),
    place("lxc", &[("container", "lxc")], &["machine"]),
    place("kubernetes", &[POD], &["kubernetes"]),
    place(
        "ecs",
        &[("ECS_CONTAINER_METADATA_URI_V4", "http://169.254.170.2/v4/x")],
        &["ecs"],
    ),
    place(
        "wsl",
        &[("WSL_DISTRO_NAME", "Ubuntu")],
        &["wsl", "machine", "docker"],
    ),
    place(
        "github-actions",
        &[CI, ("GITHUB_ACTIONS", "true")],
        &["actions"],
    ),
    place(
        "github-actions",
        &[CI, ("GITHUB_ACTIONS", "true"), DOCKER],
        &["actions"],
    ),
    place(
        "gitea-actions",
        &[
            CI,
            ("GITHUB_ACTIONS", "true"),
            ("GITEA_ACTIONS", "true"),
            DOCKER,
        ],
        &["actions"],
    ),
    place(
        "forgejo-actions",
        &[CI, ("FORGEJO_ACTIONS", "true"), DOCKER],
        &["actions"],
    ),
    place("gitlab", &[CI, ("GITLAB_CI", "true"), DOCKER], &["gitlab"]),
    place("gitlab", &[CI, ("GITLAB_CI", "true")], &["gitlab"]),
    place(
        "gitlab",
        &[CI, ("GITLAB_CI", "true"), POD],
        &["gitlab", "kubernetes"],
    ),
    place(
        "circleci",
        &[CI, ("CIRCLECI", "true"), DOCKER],
        &["circleci"],
    ),
    place("circleci", &[CI, ("CIRCLECI", "true")], &["circleci"]),
    place(
        "bitbucket",
        &[CI, ("BITBUCKET_BUILD_NUMBER", "7"), DOCKER],
        &["bitbucket"],
    ),
    place("drone", &[CI, ("DRONE", "true"), DOCKER], &["drone"]),
    place(
        "woodpecker",
        &[("CI", "woodpecker"), DOCKER],
        &["woodpecker"],
    ),
    place("azure-pipelines", &[("TF_BUILD", "True")], &["azure"]),
    place(
        "azure-pipelines",
        &[("TF_BUILD", "True"), DOCKER],
        &["azure"],
    ),
    place(
        "jenkins",
        &[("JENKINS_URL", "http://ci.test/")],
        &["jenkins"],
    ),
    place(
        "jenkins",
        &[("JENKINS_URL", "http://ci.test/"), DOCKER],
        &["jenkins"],
    ),
    place(
        "jenkins",
        &[("JENKINS_URL", "http://ci.test/"), POD],
        &["jenkins", "kubernetes"],
    ),
    place("travis", &[CI, ("TRAVIS", "true")], &["travis"]),
    place("buildkite", &[CI, ("BUILDKITE", "true")], &["buildkite"]),
    place(
        "buildkite",
        &[CI, ("BUILDKITE", "true"), DOCKER],
        &["buildkite"],
    ),
    place(
        "teamcity",
        &[("TEAMCITY_VERSION", "2025.07")],
        &["teamcity"],
    ),
    place(
        "teamcity",
        &[("TEAMCITY_VERSION", "2025.07"), DOCKER],
        &["teamcity"],
    ),
    place("appveyor", &[CI, ("APPVEYOR", "True")], &["appveyor"]),
    place("semaphore", &[CI, ("SEMAPHORE", "true")], &["semaphore"]),
    place(
        "cirrus-ci",
        &[CI, ("CIRRUS_CI", "true"), DOCKER],
        &["cirrus"],
    ),
    place(
        "aws-codebuild",
        &[("CODEBUILD_BUILD_ID", "x:1"), DOCKER],
        &[],
    ),
    place("vercel", &[CI, ("VERCEL", "1")], &[]),
    place("netlify", &[CI, ("NETLIFY", "true"), DOCKER], &[]),
    place("ci", &[CI], &[]),
    place("ci", &[CI, DOCKER], &[]),
];

/// Words of remedies, with the place whose they are.
const WORDS: &[(&str, &[&str])] = &[
    (
        "machine",
        &[
            "systemctl",
            "pg_lsclusters",
            "ss -ltnp",
            "runs in a container, publish",
        ],
    ),
    (
        "docker",
        &[
            "host.docker.internal",
            "--add-host",
            "docker run",
            "docker ps",
            "docker network",
            "docker compose",
        ],
    ),
    ("podman", &["host.containers.internal", "podman"]),
    (
        "kubernetes",
        &["kubectl", "NetworkPolic", "SERVICE.NAMESPACE", "dnsPolicy"],
    ),
    ("ecs", &["Service Connect", "this task"]),
    ("wsl", &["wsl", "Windows"]),
    (
        "actions",
        &[
            "container: in the workflow",
            "--health-cmd",
            "container: of its own",
            "GitHub",
        ],
    ),
    (
        "gitlab",
        &[
            "GitLab",
            ".gitlab-ci.yml",
            "CI_DEBUG_SERVICES",
            "FF_NETWORK_PER_BUILD",
            "docker:dind",
        ],
    ),
    (
        "circleci",
        &[
            ".circleci",
            "cimg/",
            "dockerize",
            "setup_remote_docker",
            "machine executor",
        ],
    ),
    ("bitbucket", &["bitbucket-pipelines", "definitions:"]),
    ("drone", &[".drone.yml"]),
    ("woodpecker", &["the workflow's file"]),
    ("azure", &["azure-pipelines", "container resource"]),
    (
        "jenkins",
        &["Jenkinsfile", "withRun", "inside(", "pod template"],
    ),
    ("travis", &[".travis.yml"]),
    ("buildkite", &["docker-compose plugin"]),
    ("teamcity", &["build step", "container wrapper"]),
    ("appveyor", &["appveyor.yml"]),
    ("semaphore", &["sem-service"]),
    ("cirrus", &["additional_containers"]),
];

/// What is tried at each place: a target, and the cause that it meets there.
const TRIED: &[(&str, &[&str])] = &[
    ("host=127.0.0.1 port=5432 user=app", &["tcp.refused"]),
    (
        "host=postgres user=app",
        &["dns.container-name", "dns.service-name"],
    ),
    (
        "host=ledger user=app",
        &["dns.nxdomain", "dns.service-name"],
    ),
    ("host=database user=app", &["tcp.refused"]),
    ("host=/var/empty user=app", &["tcp.socket-missing"]),
    ("host=silent.corp.test user=app", &["tcp.timeout"]),
    ("host=guarded.corp.test user=app", &["tcp.rejected"]),
    ("host=gone.corp.test user=app", &["tcp.unreachable"]),
];

/// The same where no name server answers.
const WITHOUT_DNS: &[(&str, &[&str])] = &[("host=db.corp.test user=app", &["dns.no-resolver"])];

/// A namespace with all of that.
struct World {
    netns: String,
    socket: PathBuf,
    /// A resolv.conf with a name server that is none.
    no_dns: PathBuf,
}

impl World {
    /// The report of dbdoctor at this place: what marks a container of Docker is hidden.
    fn report(&self, dbdoctor: &Path, place: &Place, dns: bool, target: &str) -> Result<Value> {
        const SCRIPT: &str = "if test -e /.dockerenv; then mount --bind \"$1\" /.dockerenv; fi; \
            if test -n \"$3\"; then mount --bind \"$3\" /etc/resolv.conf; fi; \
            exec \"$0\" check --json -w --timeout 300ms \"$2\"";
        let mut tool = Tool::new("unshare").netns(Some(self.netns.clone()));
        for (name, value) in place.variables {
            tool = tool.env(name, value);
        }
        let tool = tool.args(["--mount", "sh", "-c", SCRIPT]);
        let tool = tool.arg(dbdoctor.display()).arg(self.socket.display());
        let tool = tool.arg(target).arg(match dns {
            true => String::new(),
            false => self.no_dns.display().to_string(),
        });
        let done = tool.run(Duration::from_secs(30))?;
        serde_json::from_str(&done.stdout).with_context(|| done.to_string())
    }

    /// Every place meets every cause, and is told no other place's remedy.
    fn hold(&self, dbdoctor: &Path) -> Result<()> {
        let mut wrong = Vec::new();
        for place in PLACES {
            let tried = TRIED.iter().map(|tried| (true, tried));
            let tried = tried.chain(WITHOUT_DNS.iter().map(|tried| (false, tried)));
            for (dns, (target, causes)) in tried {
                let report = self.report(dbdoctor, place, dns, target)?;
                let at = format!("{} {:?}, {target}", place.name, place.variables);
                let cause = report["verdict"]["cause"].as_str().unwrap_or_default();
                if !causes.contains(&cause) {
                    wrong.push(format!("{at}: {cause}"));
                }
                let told = fixes(&report);
                if told.is_empty() {
                    wrong.push(format!("{at}: nothing to do"));
                }
                let foreign = WORDS
                    .iter()
                    .filter(|(owner, _)| !place.owns.contains(owner))
                    .flat_map(|(_, words)| *words)
                    .filter(|word| told.iter().any(|fix| fix.contains(**word)));
                wrong.extend(foreign.map(|word| format!("{at}: {word:?} in {told:#?}")));
            }
        }
        ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
        Ok(())
    }

    /// At this place, the first fix for this target has these words.
    fn first(&self, dbdoctor: &Path, at: &Place, target: &str, words: &[&str]) -> Result<()> {
        let report = self.report(dbdoctor, at, true, target)?;
        let told = fixes(&report);
        let first = told.first().context("no fix")?;
        for word in words {
            ensure!(
                first.contains(word),
                "{}, {target}: no {word:?} in {told:#?}",
                at.name
            );
        }
        Ok(())
    }
}

/// The namespace, and a case to hang it on.
fn world(lab: &Lab) -> Result<(World, Case)> {
    let ns = lab.netns()?;
    ns.run(&["ip", "route", "add", "default", "via", &ns.host_ip()])?;
    ns.run(&["ip", "route", "add", "unreachable", "10.30.0.3/32"])?;
    ns.output("ip daddr 10.30.0.1 drop")?;
    ns.output("ip daddr 10.30.0.2 reject with icmp type port-unreachable")?;
    ns.resolv_conf(
        "nameserver 127.0.0.1\nsearch app.svc.cluster.local svc.cluster.local cluster.local\n",
    )?;
    let database = format!("host-record=database.app.svc.cluster.local,{}", ns.ip());
    let records = [
        database.as_str(),
        "host-record=silent.corp.test,10.30.0.1",
        "host-record=guarded.corp.test,10.30.0.2",
        "host-record=gone.corp.test,10.30.0.3",
    ];
    let dns = Dnsmasq::start(lab, &ns, "127.0.0.1", &records)?;
    let socket = lab.dir("hidden")?.join("socket");
    let listener = UnixListener::bind(&socket)?;
    let no_dns = lab.dir("no-dns")?.join("resolv.conf");
    std::fs::write(&no_dns, "nameserver 127.0.0.9\n")?;
    let world = World {
        netns: ns.name().to_owned(),
        socket,
        no_dns,
    };
    let conn = Conn::new().set("host", "127.0.0.1").set("user", "app");
    Ok((world, Case::check(conn).keep((dns, listener)).netns(ns)))
}

const NEEDS: &[Need] = &[Need::Netns, Need::Dnsmasq, Need::Nft];
const LOCALHOST: &str = "host=127.0.0.1 port=5432 user=app";
const NAME: &str = "host=postgres user=app";

/// Where it runs.
pub const SCENARIOS: &[Scenario] = &[
    Scenario::new(
        "ci-no-other-remedy",
        "no place is told the remedy of another",
        Expect::Fail("tcp.refused"),
        NEEDS,
        |lab| {
            let (world, case) = world(lab)?;
            Ok(case.assert_with(move |_, dbdoctor| world.hold(dbdoctor)))
        },
    ),
    Scenario::new(
        "ci-first-fix",
        "each CI system's own way to its services",
        Expect::Fail("tcp.refused"),
        NEEDS,
        |lab| {
            let (world, case) = world(lab)?;
            Ok(case.assert_with(move |_, dbdoctor| {
                for (name, variables, target, words) in FIRST {
                    let at = place(name, variables, &[]);
                    world.first(dbdoctor, &at, target, words)?;
                }
                Ok(())
            }))
        },
    ),
];

type First = (
    &'static str,
    &'static [(&'static str, &'static str)],
    &'static str,
    &'static [&'static str],
);

const GITHUB: (&str, &str) = ("GITHUB_ACTIONS", "true");
const GITLAB: (&str, &str) = ("GITLAB_CI", "true");

const FIRST: &[First] = &[
    (
        "github-actions",
        &[CI, GITHUB],
        LOCALHOST,
        &["ports: [\"5432:5432\"]"],
    ),
    (
        "github-actions",
        &[CI, GITHUB, DOCKER],
        LOCALHOST,
        &["service's label", "own port"],
    ),
    (
        "github-actions",
        &[CI, GITHUB],
        NAME,
        &["Use localhost", "ports:"],
    ),
    (
        "github-actions",
        &[CI, GITHUB, DOCKER],
        NAME,
        &["postgres is the label"],
    ),
    (
        "gitlab",
        &[CI, GITLAB, DOCKER],
        LOCALHOST,
        &["alias as the host", "publishes no port"],
    ),
    (
        "gitlab",
        &[CI, GITLAB, DOCKER],
        NAME,
        &["services:", "alias: postgres"],
    ),
    (
        "gitlab",
        &[CI, GITLAB, POD],
        LOCALHOST,
        &["listen on localhost"],
    ),
    (
        "gitlab",
        &[CI, GITLAB],
        NAME,
        &["Docker or Kubernetes executor"],
    ),
    (
        "circleci",
        &[CI, ("CIRCLECI", "true"), DOCKER],
        NAME,
        &["Use localhost"],
    ),
    (
        "circleci",
        &[CI, ("CIRCLECI", "true"), DOCKER],
        LOCALHOST,
        &["second image"],
    ),
    (
        "bitbucket",
        &[CI, ("BITBUCKET_BUILD_NUMBER", "7"), DOCKER],
        NAME,
        &["Use localhost"],
    ),
    (
        "drone",
        &[CI, ("DRONE", "true"), DOCKER],
        LOCALHOST,
        &["name of the service"],
    ),
    (
        "azure-pipelines",
        &[("TF_BUILD", "True")],
        NAME,
        &["Use localhost", "ports:"],
    ),
    (
        "travis",
        &[CI, ("TRAVIS", "true")],
        LOCALHOST,
        &["services: postgresql"],
    ),
    ("docker", &[DOCKER], LOCALHOST, &["this container itself"]),
    (
        "podman",
        &[("container", "podman")],
        NAME,
        &["podman network connect"],
    ),
    (
        "wsl",
        &[("WSL_DISTRO_NAME", "Ubuntu")],
        LOCALHOST,
        &["default route", "networkingMode=mirrored"],
    ),
];
