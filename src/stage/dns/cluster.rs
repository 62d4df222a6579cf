//! Names that a pod does not resolve: the Service may be in another namespace, or the name
//! under another cluster's domain. The forms that people mean are tried.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use super::name::{self, Inside};
use super::system;
use crate::cause::{self, Cause};
use crate::ctx::Ctx;
use crate::finding::Finding;
use crate::kubernetes::{Pod, Service};

/// How long the other forms of the name are waited for.
const PATIENCE: Duration = Duration::from_secs(1);

/// Namespaces that a database is often in.
const USUAL: &[&str] = &[
    "default",
    "db",
    "database",
    "databases",
    "postgres",
    "postgresql",
];

/// The pod that dbdoctor runs in; `None` outside of Kubernetes.
pub fn pod(ctx: &Ctx) -> Option<Pod> {
    (ctx.environment.container.as_deref() == Some("kubernetes")).then(|| {
        let (resolv, _) = super::read_resolv(&ctx.surroundings);
        Pod::here(&ctx.surroundings, &resolv.search)
    })
}

/// The addresses of a full name, as far as they come until `limit`.
pub async fn addresses_of(name: &str, limit: Instant) -> Vec<IpAddr> {
    let resolving = system::resolve(format!("{name}."));
    let answer = tokio::time::timeout_at(limit.into(), resolving).await;
    let addresses = answer.ok().and_then(|answer| answer.result.ok());
    let addresses = addresses.unwrap_or_default().into_iter();
    addresses.map(|address| address.ip()).collect()
}

/// Whether the cluster's DNS works and says that it has no Service of this name.
pub async fn has_no(pod: &Pod, name: &str, deadline: Instant) -> bool {
    let (Some(service), Some(domain)) = (pod.service(name), &pod.domain) else {
        return false;
    };
    let limit = deadline.min(Instant::now() + PATIENCE);
    let resolving = system::resolve(format!("{}.", service.absolute(domain)));
    let answer = tokio::time::timeout_at(limit.into(), resolving).await;
    answer.is_ok_and(|answer| answer.result.is_err_and(|eai| eai.code == libc::EAI_NONAME))
}

/// The cause of a name that does not exist, where it has the form of a Service's.
pub fn cause_of(pod: &Pod, name: &str) -> Option<&'static Cause> {
    if matches!(
        name::inside(name, None),
        Some(Inside::Provider(_) | Inside::DockerHost)
    ) {
        return None;
    }
    match &pod.domain {
        None => may_be_a_service(pod, name).then_some(&cause::dns::POD_RESOLVER),
        Some(_) => pod.service(name).map(|_| &cause::dns::SERVICE_NAME),
    }
}

/// The same where the search list does not tell the namespace.
fn may_be_a_service(pod: &Pod, name: &str) -> bool {
    !name.trim_end_matches('.').contains('.') || pod.service(name).is_some()
}

/// The finding with the Service that was meant, and with the name that leads to it.
pub async fn explain(finding: Finding, pod: &Pod, name: &str, deadline: Instant) -> Finding {
    let (Some(service), Some(domain)) = (pod.service(name), &pod.domain) else {
        return finding;
    };
    let limit = deadline.min(Instant::now() + PATIENCE);
    let given = service.domain.clone();
    let other_domain = given.filter(|given| given != domain);
    let tries: Vec<_> = others(pod, &service)
        .into_iter()
        .map(|other| {
            let full = other.absolute(domain);
            tokio::spawn(async move {
                let found = addresses_of(&full, limit).await;
                (!found.is_empty()).then(|| other.short())
            })
        })
        .collect();
    let mut resolving = Vec::new();
    for attempt in tries {
        resolving.extend(attempt.await.ok().flatten());
    }
    let best = resolving.first().cloned();
    let finding = finding
        .with("service", service.name.clone())
        .with("namespace", service.namespace.clone())
        .with("own_namespace", pod.namespace.clone())
        .with("cluster_domain", domain.clone())
        .with("resolving", (!resolving.is_empty()).then_some(resolving));
    let finding = match other_domain {
        Some(other) => finding
            .word("other_domain", other)
            .word("short", best.clone().unwrap_or_else(|| service.short())),
        None => finding.word("existing", best.clone()),
    };
    // Where a Service was found there is nothing to look for.
    match best {
        Some(_) => finding,
        None => finding.word("unknown", service.name),
    }
}

/// The Services that may be meant, the likeliest first.
fn others(pod: &Pod, service: &Service) -> Vec<Service> {
    let at = |name: &str, namespace: &str| Service {
        name: name.to_owned(),
        namespace: namespace.to_owned(),
        domain: None,
    };
    let mut all = vec![service.clone()];
    let mut add = |other: Service| {
        if !all.iter().any(|known| known.short() == other.short()) {
            all.push(other);
        }
    };
    if let Some(own) = &pod.namespace {
        add(at(&service.name, own));
        // NAMESPACE.SERVICE, the wrong way round.
        if service.namespace != *own {
            add(at(&service.namespace, &service.name));
        }
    }
    add(at(&service.name, &service.name));
    for namespace in USUAL {
        add(at(&service.name, namespace));
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_likeliest_services_come_first() {
        let pod = Pod {
            namespace: Some("app".to_owned()),
            domain: Some("cluster.local".to_owned()),
            ..Pod::default()
        };
        let tried = |name: &str| -> Vec<String> {
            let service = pod.service(name).unwrap();
            others(&pod, &service).iter().map(Service::short).collect()
        };
        assert_eq!(tried("pg")[..3], ["pg.app", "pg.pg", "pg.default"]);
        assert_eq!(tried("db.pg")[..3], ["db.pg", "db.app", "pg.db"]);
    }

    #[test]
    fn only_names_of_services_are_the_clusters() {
        let pod = |domain: Option<&str>| Pod {
            namespace: Some("app".to_owned()),
            domain: domain.map(str::to_owned),
            ..Pod::default()
        };
        let code = |domain, name| cause_of(&pod(domain), name).map(|cause| cause.code);
        let inside = Some("cluster.local");
        assert_eq!(code(inside, "pg"), Some("dns.service-name"));
        assert_eq!(
            code(inside, "pg.db.svc.corp.local"),
            Some("dns.service-name")
        );
        assert_eq!(code(None, "pg.db"), Some("dns.pod-resolver"));
        for name in ["db.corp.test", "example.com", "host.docker.internal"] {
            assert_eq!(
                (code(inside, name), code(None, name)),
                (None, None),
                "{name}"
            );
        }
    }
}
