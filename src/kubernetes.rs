//! What a pod can tell about its cluster: its namespace, the cluster's domain, and which
//! Service a name or an address means.

use std::net::IpAddr;

use crate::system::System;

/// Where the kubelet mounts the namespace of the pod's service account.
const NAMESPACE: &str = "/var/run/secrets/kubernetes.io/serviceaccount/namespace";

/// Top-level domains in a name of two labels that no namespace is called after.
const PUBLIC: &[&str] = &[
    "com",
    "net",
    "org",
    "io",
    "eu",
    "de",
    "uk",
    "us",
    "cloud",
    "local",
    "internal",
    "localhost",
    "localdomain",
];

/// The pod that dbdoctor runs in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pod {
    /// Its name.
    pub name: Option<String>,
    /// Its namespace.
    pub namespace: Option<String>,
    /// The cluster's domain, usually `cluster.local`; `None` where the search list has no
    /// `svc` domain, as with the node's own name servers.
    pub domain: Option<String>,
    /// The addresses of Services in variables (`PG_RW_SERVICE_HOST`), with the Services' names.
    pub links: Vec<(IpAddr, String)>,
}

/// A Service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// Its name.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
    /// The domain behind `svc`, where the name has one.
    pub domain: Option<String>,
}

impl Pod {
    /// The pod here. `search` are the domains behind short names.
    pub fn here(system: &System, search: &[String]) -> Self {
        let namespace = std::fs::read_to_string(NAMESPACE).ok();
        let names = system.vars.keys().filter_map(|name| name.to_str());
        let vars: Vec<_> = names.map(|name| (name, system.var(name))).collect();
        let vars = vars.iter();
        let vars = vars.filter_map(|(name, value)| Some((*name, value.as_deref()?)));
        Self::from_clues(search, namespace.as_deref(), vars)
    }

    /// What the search list, the service account and variables say.
    fn from_clues<'a>(
        search: &[String],
        namespace: Option<&str>,
        vars: impl Iterator<Item = (&'a str, &'a str)>,
    ) -> Self {
        // `NAMESPACE.svc.DOMAIN svc.DOMAIN DOMAIN`, then the node's own.
        let of_namespace = search.iter().find_map(|domain| domain.split_once(".svc."));
        let of_all = search.iter().find_map(|domain| domain.strip_prefix("svc."));
        let searched = of_namespace.map(|(namespace, _)| namespace);
        let label = |text: &str| is_label(text).then(|| text.to_owned());
        let mut pod = Self {
            namespace: namespace.map(str::trim).or(searched).and_then(label),
            domain: of_namespace
                .map(|(_, domain)| domain)
                .or(of_all)
                .map(|domain| domain.trim_end_matches('.').to_lowercase()),
            ..Self::default()
        };
        for (name, value) in vars {
            if name == "HOSTNAME" {
                pod.name = label(value);
            } else if let Some(service) = name.strip_suffix("_SERVICE_HOST")
                && let Ok(address) = value.parse()
            {
                let service = service.to_lowercase().replace('_', "-");
                pod.links.push((address, service));
            }
        }
        pod
    }

    /// The Service that a name has the form of: `SERVICE`, `SERVICE.NAMESPACE` or
    /// `SERVICE.NAMESPACE.svc…`, also of one of its pods (`POD.SERVICE.NAMESPACE.svc…`).
    pub fn service(&self, name: &str) -> Option<Service> {
        let name = name.trim_end_matches('.').to_lowercase();
        let labels: Vec<&str> = name.split('.').collect();
        let (service, namespace, domain) = match labels.as_slice() {
            [service] => (*service, self.namespace.as_deref()?, None),
            [service, namespace] if !PUBLIC.contains(namespace) => (*service, *namespace, None),
            labels => {
                let svc = labels.iter().position(|label| *label == "svc")?;
                let domain = labels[svc + 1..].join(".");
                let domain = (!domain.is_empty()).then_some(domain);
                (
                    *labels.get(svc.checked_sub(2)?)?,
                    *labels.get(svc - 1)?,
                    domain,
                )
            }
        };
        // What is put into a command is a label or nothing.
        (is_label(service) && is_label(namespace)).then(|| Service {
            name: service.to_owned(),
            namespace: namespace.to_owned(),
            domain,
        })
    }

    /// The Service of this namespace that has the address, by the variables that Kubernetes
    /// sets for each.
    pub fn service_at(&self, address: IpAddr) -> Option<Service> {
        let (_, name) = self.links.iter().find(|(at, _)| *at == address)?;
        Some(Service {
            name: name.clone(),
            namespace: self.namespace.clone()?,
            domain: None,
        })
    }
}

impl Service {
    /// Its name in this domain, which needs no search list.
    pub fn absolute(&self, domain: &str) -> String {
        format!("{}.svc.{domain}", self.short())
    }

    /// `SERVICE.NAMESPACE`, which resolves in every namespace.
    pub fn short(&self) -> String {
        format!("{}.{}", self.name, self.namespace)
    }
}

/// Whether it can be the name of a Service or a namespace (RFC 1123).
fn is_label(text: &str) -> bool {
    let inside = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
    !text.is_empty()
        && text.len() <= 63
        && text.bytes().all(inside)
        && !text.starts_with('-')
        && !text.ends_with('-')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod(search: &str, vars: &[(&str, &str)]) -> Pod {
        let search: Vec<String> = search.split(' ').map(str::to_owned).collect();
        Pod::from_clues(&search, None, vars.iter().copied())
    }

    #[test]
    fn the_search_list_names_namespace_and_domain() {
        let here = pod("app.svc.corp.local svc.corp.local corp.local lan", &[]);
        assert_eq!(here.namespace.as_deref(), Some("app"));
        assert_eq!(here.domain.as_deref(), Some("corp.local"));
        let node = pod("corp.test lan", &[("HOSTNAME", "node-7")]);
        assert_eq!((node.namespace, node.domain), (None, None));
        let search = ["app.svc.cluster.local".to_owned()];
        let told = Pod::from_clues(&search, Some("web\n"), [].into_iter());
        assert_eq!(told.namespace.as_deref(), Some("web"));
    }

    #[test]
    fn names_of_services_are_told_from_others() {
        let here = pod("app.svc.cluster.local", &[]);
        let service = |name: &str| here.service(name).map(|it| it.short());
        for (name, short) in [
            ("pg-rw", "pg-rw.app"),
            ("PG-RW.db", "pg-rw.db"),
            ("pg.dev.", "pg.dev"),
            ("pg.db.svc", "pg.db"),
            ("pg.db.svc.corp.local", "pg.db"),
            ("pg-0.pg.db.svc.cluster.local", "pg.db"),
        ] {
            assert_eq!(service(name).as_deref(), Some(short), "{name}");
        }
        for name in [
            "example.com",
            "db.corp.test",
            "a.svc.b.c",
            "pg;id.db",
            "-x",
            "10.0.0.7",
            "",
        ] {
            assert_eq!(service(name), None, "{name}");
        }
        let domain = here
            .service("pg.db.svc.corp.local")
            .and_then(|it| it.domain);
        assert_eq!(domain.as_deref(), Some("corp.local"));
    }

    #[test]
    fn addresses_are_known_from_variables() {
        let vars = [
            ("PG_RW_SERVICE_HOST", "10.96.12.7"),
            ("X_SERVICE_HOST", "x"),
        ];
        let here = pod("app.svc.cluster.local", &vars);
        let at = |ip: &str| here.service_at(ip.parse().unwrap());
        assert_eq!(
            at("10.96.12.7").map(|it| it.short()).as_deref(),
            Some("pg-rw.app")
        );
        assert_eq!(at("10.96.12.8"), None);
    }
}
