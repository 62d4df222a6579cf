//! Inside a Kubernetes cluster, as far as its variables and files tell: the cluster's DNS is a
//! dnsmasq, a Service's address is one that no machine has, and kube-proxy's rules are nft's.

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::{Case, Conn, Dnsmasq, Expect, Lab, Need, Netns, Scenario};

/// The address of a Service.
const SERVICE: &str = "10.96.12.7";

/// What the kubelet writes for a pod of namespace `app`.
const SEARCH: &str = "search app.svc.cluster.local svc.cluster.local cluster.local corp.test\n\
                      options ndots:5 timeout:1 attempts:1\n";

const NEEDS: &[Need] = &[Need::Netns, Need::Dnsmasq, Need::Nft];

/// A pod with this resolv.conf, whose DNS has these records.
fn pod(lab: &Lab, settings: &str, records: &[&str]) -> Result<(Netns, Dnsmasq)> {
    let ns = lab.netns()?;
    ns.resolv_conf(&format!("nameserver 127.0.0.1\n{settings}"))?;
    ns.run(&["ip", "route", "add", "default", "via", &ns.host_ip()])?;
    let records: Vec<String> = records
        .iter()
        .map(|record| format!("host-record={record}"))
        .collect();
    let records: Vec<&str> = records.iter().map(String::as_str).collect();
    let dns = Dnsmasq::start(lab, &ns, "127.0.0.1", &records)?;
    Ok((ns, dns))
}

/// How an application in a pod connects.
fn check(host: &str, (ns, dns): (Netns, Dnsmasq)) -> Case {
    let conn = Conn::new()
        .set("host", host)
        .set("user", "app")
        .set("connect_timeout", 2);
    let case = Case::check(conn).arg("--timeout").arg("1s");
    case.env("KUBERNETES_SERVICE_HOST", "10.96.0.1")
        .env("HOSTNAME", "web-7d4b9c-x2x9p")
        .keep(dns)
        .netns(ns)
}

/// A connection to Service `pg-rw` of namespace `db`, for whose address there is this rule.
fn ruled(lab: &Lab, host: &str, rule: &str) -> Result<Case> {
    let pod = pod(
        lab,
        SEARCH,
        &[&format!("pg-rw.db.svc.cluster.local,{SERVICE}")],
    )?;
    pod.0
        .output(&format!("ip daddr {SERVICE} tcp dport 5432 {rule}"))?;
    Ok(check(host, pod))
}

/// What a report advises, texts and commands.
pub(super) fn fixes(report: &Value) -> Vec<String> {
    let fixes = report["verdict"]["fixes"].as_array();
    let both = |fix: &Value| {
        let text = |name: &str| fix[name].as_str().unwrap_or_default().to_owned();
        format!("{} {}", text("text"), text("command"))
    };
    fixes
        .map(|all| all.iter().map(both).collect())
        .unwrap_or_default()
}

/// The first fix has these words, and no fix is an ordinary machine's.
fn first(words: &'static [&'static str]) -> impl Fn(&Value) -> Result<()> {
    move |report| {
        let all = fixes(report);
        let first = all.first().context("no fix")?;
        for word in words {
            ensure!(first.contains(word), "no {word:?} in {first:?}");
        }
        for word in [
            "ss -ltnp",
            "systemctl",
            "docker",
            "publish its port",
            "avahi",
        ] {
            ensure!(
                all.iter().all(|fix| !fix.contains(word)),
                "{word:?} in {all:#?}"
            );
        }
        Ok(())
    }
}

const PODS: &[&str] = &[
    "kubectl -n db get endpointslices -l kubernetes.io/service-name=pg-rw",
    "kubectl -n db get pods",
];

/// A name that does not resolve in a pod of namespace `app`.
fn unknown(
    lab: &Lab,
    settings: &str,
    records: &[&str],
    host: &str,
    words: &'static [&'static str],
) -> Result<Case> {
    Ok(check(host, pod(lab, settings, records)?).assert(first(words)))
}

/// Inside of a cluster.
pub const SCENARIOS: &[Scenario] = &[
    Scenario::new(
        "kubernetes-no-endpoints",
        "a Service without ready pods: kube-proxy rejects with port unreachable",
        Expect::Fail("tcp.no-endpoints"),
        NEEDS,
        |lab| {
            Ok(
                ruled(lab, "pg-rw.db", "reject with icmp type port-unreachable")?
                    .assert(first(PODS)),
            )
        },
    ),
    Scenario::new(
        "kubernetes-no-endpoints-host",
        "the same with host unreachable, by the Service's full name",
        Expect::Fail("tcp.no-endpoints"),
        NEEDS,
        |lab| {
            let host = "pg-rw.db.svc.cluster.local";
            let case = ruled(lab, host, "reject with icmp type host-unreachable")?;
            Ok(case.assert(first(PODS)))
        },
    ),
    Scenario::new(
        "kubernetes-no-endpoints-address",
        "the same by the address, which the variables of the pod tell",
        Expect::Fail("tcp.no-endpoints"),
        NEEDS,
        |lab| {
            let case = ruled(lab, SERVICE, "reject with icmp type port-unreachable")?;
            let words = &["kubectl -n app get endpointslices", "service-name=pg-rw"];
            Ok(case.env("PG_RW_SERVICE_HOST", SERVICE).assert(first(words)))
        },
    ),
    Scenario::new(
        "kubernetes-machine-rejects",
        "a machine of the company's domain, whose firewall answers with ICMP",
        Expect::Fail("tcp.rejected"),
        NEEDS,
        |lab| {
            let pod = pod(lab, SEARCH, &["ledger.corp.test,10.30.0.9"])?;
            pod.0
                .output("ip daddr 10.30.0.9 reject with icmp type port-unreachable")?;
            Ok(check("ledger", pod).forbids("tcp.no-endpoints"))
        },
    ),
    Scenario::new(
        "kubernetes-policy-drops",
        "a NetworkPolicy drops the packets",
        Expect::Fail("tcp.timeout"),
        NEEDS,
        |lab| {
            let words = &[
                "NetworkPolicies of namespace db",
                "and app",
                "kubectl -n db describe networkpolicies; kubectl -n app describe networkpolicies",
            ];
            Ok(ruled(lab, "pg-rw.db", "drop")?.assert(first(words)))
        },
    ),
    Scenario::new(
        "kubernetes-egress-drops",
        "an address outside of the cluster does not answer",
        Expect::Fail("tcp.timeout"),
        NEEDS,
        |lab| {
            let pod = pod(lab, SEARCH, &["db.corp.test,10.30.0.9"])?;
            pod.0.output("ip daddr 10.30.0.9 drop")?;
            let words = &[
                "namespace app for egress",
                "kubectl -n app describe networkpolicies",
            ];
            Ok(check("db.corp.test", pod).assert(first(words)))
        },
    ),
    Scenario::new(
        "kubernetes-pod-refuses",
        "a pod is ready, and nothing listens on the port",
        Expect::Fail("tcp.refused"),
        NEEDS,
        |lab| {
            let case = ruled(lab, "pg-rw.db", "reject with tcp reset")?;
            let words = &["Service pg-rw", "kubectl -n db describe service pg-rw"];
            // What else is sent is dropped, and not refused.
            Ok(case.assert(first(words)).forbids("tcp.redirected"))
        },
    ),
    Scenario::new(
        "kubernetes-localhost",
        "localhost, as on the developer's machine",
        Expect::Fail("tcp.refused"),
        NEEDS,
        |lab| {
            let case = check("localhost", pod(lab, SEARCH, &[])?);
            Ok(case.assert(first(&["SERVICE.NAMESPACE", "this pod itself"])))
        },
    ),
    Scenario::new(
        "kubernetes-service-works",
        "a Service whose pod is up",
        Expect::Pass,
        &[Need::Netns, Need::Dnsmasq, Need::Nft, Need::Postgres],
        |lab| {
            let pod = pod(
                lab,
                SEARCH,
                &[&format!("pg-rw.db.svc.cluster.local,{SERVICE}")],
            )?;
            let pg = lab.new_postgres().netns(&pod.0).start()?;
            pod.0.nft(&format!(
                "add table ip service\n\
                 add chain ip service out {{ type nat hook output priority -100; }}\n\
                 add rule ip service out ip daddr {SERVICE} tcp dport 5432 dnat to {}:{}\n",
                pod.0.ip(),
                pg.port(),
            ))?;
            let conn = Conn::new()
                .set("host", "pg-rw.db")
                .set("user", "app")
                .set("dbname", "appdb");
            let (ns, dns) = pod;
            let case = Case::check(conn).password(lab.password());
            let case = case.env("KUBERNETES_SERVICE_HOST", "10.96.0.1");
            Ok(case.keep((dns, pg)).netns(ns))
        },
    ),
    Scenario::new(
        "kubernetes-sidecar-down",
        "outgoing connections are redirected to a sidecar that is not up",
        Expect::Fail("tcp.redirected"),
        NEEDS,
        |lab| {
            let pod = pod(
                lab,
                SEARCH,
                &[&format!("pg-rw.db.svc.cluster.local,{SERVICE}")],
            )?;
            pod.0.nft(
                "add table ip mesh\n\
                 add chain ip mesh out { type nat hook output priority -100; }\n\
                 add rule ip mesh out ip daddr != 127.0.0.0/8 meta l4proto tcp redirect to :15001\n",
            )?;
            let case = check("pg-rw.db", pod);
            Ok(case.assert(first(&[
                "sidecar",
                "kubectl -n app describe pod web-7d4b9c-x2x9p",
            ])))
        },
    ),
    Scenario::new(
        "kubernetes-pod-refused",
        "the address of a pod in which nothing listens",
        Expect::Fail("tcp.refused"),
        NEEDS,
        |lab| {
            let pod = pod(lab, SEARCH, &[])?;
            let address = pod.0.host_ip();
            Ok(check(&address, pod).assert(first(&["kubectl get pods", "status.podIP="])))
        },
    ),
    Scenario::new(
        "kubernetes-other-namespace",
        "the name of a Service of another namespace",
        Expect::Fail("dns.service-name"),
        NEEDS,
        |lab| {
            let records = ["pg.database.svc.cluster.local,10.96.12.7"];
            unknown(
                lab,
                SEARCH,
                &records,
                "pg",
                &["Use pg.database as the host"],
            )
        },
    ),
    Scenario::new(
        "kubernetes-name-reversed",
        "NAMESPACE.SERVICE in place of SERVICE.NAMESPACE",
        Expect::Fail("dns.service-name"),
        NEEDS,
        |lab| {
            let records = ["pg-rw.prod.svc.cluster.local,10.96.12.7"];
            unknown(
                lab,
                SEARCH,
                &records,
                "prod.pg-rw",
                &["Use pg-rw.prod as the host"],
            )
        },
    ),
    Scenario::new(
        "kubernetes-own-namespace",
        "a Service of the own namespace, looked for in another",
        Expect::Fail("dns.service-name"),
        NEEDS,
        |lab| {
            let records = ["pg.app.svc.cluster.local,10.96.12.7"];
            let host = "pg.prod.svc.cluster.local";
            unknown(lab, SEARCH, &records, host, &["Use pg.app as the host"])
        },
    ),
    Scenario::new(
        "kubernetes-other-domain",
        "the domain of another cluster",
        Expect::Fail("dns.service-name"),
        NEEDS,
        |lab| {
            let settings = "search app.svc.corp.local svc.corp.local corp.local\n\
                            options ndots:5 timeout:1 attempts:1\n";
            let records = ["pg.ledger.svc.corp.local,10.96.12.7"];
            let words = &["Use pg.ledger as the host", "corp.local, not cluster.local"];
            unknown(
                lab,
                settings,
                &records,
                "pg.ledger.svc.cluster.local",
                words,
            )
        },
    ),
    Scenario::new(
        "kubernetes-no-service",
        "a Service that exists nowhere",
        Expect::Fail("dns.service-name"),
        NEEDS,
        |lab| {
            let words =
                &["kubectl get services --all-namespaces --field-selector metadata.name=pg"];
            unknown(lab, SEARCH, &[], "pg", words)
        },
    ),
    Scenario::new(
        "kubernetes-refused-outside",
        "the same, and servers outside of the cluster refuse the short name",
        Expect::Fail("dns.service-name"),
        NEEDS,
        |lab| {
            let ns = lab.netns()?;
            ns.resolv_conf(&format!("nameserver 127.0.0.1\n{SEARCH}"))?;
            let dns = Dnsmasq::start_bare(lab, &ns, "127.0.0.1", &["local=/local/"])?;
            let words = &["kubectl get services --all-namespaces"];
            Ok(check("pgbouncer.pooling", (ns, dns)).assert(first(words)))
        },
    ),
    Scenario::new(
        "kubernetes-dns-fails",
        "the cluster's DNS refuses every name",
        Expect::Fail("dns.server-failure"),
        NEEDS,
        |lab| {
            let ns = lab.netns()?;
            ns.resolv_conf(&format!("nameserver 127.0.0.1\n{SEARCH}"))?;
            let dns = Dnsmasq::start_bare(lab, &ns, "127.0.0.1", &[])?;
            Ok(check("pgbouncer.pooling", (ns, dns)).forbids("dns.service-name"))
        },
    ),
    Scenario::new(
        "kubernetes-host-network",
        "a pod with the node's network and name servers",
        Expect::Fail("dns.pod-resolver"),
        NEEDS,
        |lab| {
            let words = &["dnsPolicy: ClusterFirstWithHostNet"];
            unknown(lab, "search corp.test\n", &[], "pg-rw.db", words)
        },
    ),
    Scenario::new(
        "kubernetes-other-name",
        "a name that is no Service's",
        Expect::Fail("dns.nxdomain"),
        NEEDS,
        |lab| {
            let case = check("db.example.com", pod(lab, "search corp.test\n", &[])?);
            Ok(case.forbids("dns.pod-resolver"))
        },
    ),
    Scenario::new(
        "kubernetes-dns-silent",
        "the cluster's DNS does not answer",
        Expect::Fail("dns.timeout"),
        NEEDS,
        |lab| {
            let pod = pod(lab, SEARCH, &[])?;
            pod.0.output("udp dport 53 drop")?;
            let words = &["kubectl -n kube-system get pods -l k8s-app=kube-dns"];
            Ok(check("pg.db", pod).assert(first(words)))
        },
    ),
    Scenario::new(
        "kubernetes-service-link",
        "a variable of a service link in place of a port",
        Expect::Fail("config.param.invalid"),
        &[],
        |_| {
            let case = Case::check(Conn::new().set("host", "127.0.0.1").set("user", "app"));
            let case = case.env("KUBERNETES_SERVICE_HOST", "10.96.0.1");
            let case = case.env("PGPORT", "tcp://10.96.12.7:6432");
            Ok(case.assert(first(&[
                "Set the port to 6432",
                "enableServiceLinks: false",
            ])))
        },
    ),
    Scenario::new(
        "kubernetes-service-link-url",
        "the same in a URL that was put together",
        Expect::Fail("config.param.invalid"),
        &[],
        |_| {
            let url = "postgres://app@127.0.0.1:tcp://10.96.12.7:5432/app";
            let case = Case::target(url).env("KUBERNETES_SERVICE_HOST", "10.96.0.1");
            Ok(case.assert(first(&[
                "Set the port to 5432",
                "enableServiceLinks: false",
            ])))
        },
    ),
    Scenario::new(
        "docker-link",
        "the same variable of a container's link",
        Expect::Fail("config.param.invalid"),
        &[],
        |_| {
            let case = Case::check(Conn::new().set("host", "127.0.0.1").set("user", "app"));
            let case = case.env("PGPORT", "tcp://172.17.0.2:5432");
            Ok(case.assert(|report| {
                let all = fixes(report);
                ensure!(all[0].contains("Docker sets"), "{all:#?}");
                Ok(())
            }))
        },
    ),
];
