//! The variables that Kubernetes sets for each Service, and Docker for each link:
//! `POSTGRES_PORT=tcp://10.0.0.1:5432`. Who named a variable of an application like that
//! gets an address where a port is wanted.

use crate::finding::Finding;
use crate::system::System;

/// Whether it is such a value, or what is left of one that was put into a URL.
pub(super) fn is_one(port: &str) -> bool {
    ["tcp:", "udp:", "sctp:"]
        .iter()
        .any(|scheme| port.starts_with(scheme))
}

/// The finding about a port that is such a value, with what to do.
pub(super) fn advise(finding: Finding, port: &str, system: &System) -> Finding {
    let number = port.rsplit_once(':').map(|(_, number)| number);
    let number = number.filter(|n| n.parse::<u16>().is_ok_and(|n| n > 0));
    let number = number.unwrap_or("5432");
    let by = match system.var("KUBERNETES_SERVICE_HOST") {
        Some(_) => {
            "Kubernetes sets a variable of that form for each Service (NAME_PORT). Set enableServiceLinks: false in the pod's template, or rename the Service"
        }
        None => {
            "Docker sets a variable of that form for each linked container (NAME_PORT), and Kubernetes for each Service. Rename the variable that is read, or the link or Service"
        }
    };
    finding.fix(format!("Set the port to {number}. {by}."), None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cause::config::PARAM_INVALID;

    #[test]
    fn values_of_service_links_are_recognised() {
        for value in ["tcp://10.0.0.1:5432", "udp://10.0.0.1:53", "tcp:"] {
            assert!(is_one(value), "{value}");
        }
        for value in ["5432", "", "tcp", "http://x", "543 2"] {
            assert!(!is_one(value), "{value}");
        }
    }

    #[test]
    fn the_port_in_it_is_named() {
        let first = |port: &str, vars: &[(&str, &str)]| {
            let system = System {
                vars: vars.iter().map(|(n, v)| (n.into(), v.into())).collect(),
                ..System::default()
            };
            let finding = advise(Finding::new(&PARAM_INVALID), port, &system);
            finding.fixes()[0].text.clone()
        };
        let pod = [("KUBERNETES_SERVICE_HOST", "10.0.0.1")];
        let text = first("tcp://10.0.0.7:6432", &pod);
        assert!(
            text.starts_with("Set the port to 6432. Kubernetes"),
            "{text}"
        );
        assert!(text.contains("enableServiceLinks: false"), "{text}");
        let text = first("tcp:", &[]);
        assert!(text.starts_with("Set the port to 5432. Docker"), "{text}");
    }
}
