//! The kind of place dbdoctor runs in: a container, WSL, a CI system. It
//! decides which advice is given, never which cause is found.

use crate::report::Environment;
use crate::system::System;

/// The largest piece of a file that is looked at.
const LARGEST: u64 = 256 * 1024;

include!(concat!(env!("OUT_DIR"), "/ci.rs"));

/// How a CI system is told, from `knowledge/ci.tsv`.
struct CiSystem {
    /// Set by it.
    variable: &'static str,
    /// What the variable must be, where its being set is not enough.
    value: Option<&'static str>,
    /// As reports show it.
    name: &'static str,
}

/// Looks around on this machine.
pub fn detect(surroundings: &System) -> Environment {
    from_clues(&read, &|name| surroundings.var(name))
}

impl Environment {
    /// Looks around on this machine.
    pub fn detect(surroundings: &System) -> Self {
        detect(surroundings)
    }

    /// The place in a few words for a sentence: `a container (docker)`, `WSL`,
    /// `github-actions`; `None` on an ordinary machine.
    pub fn place(&self) -> Option<String> {
        match (&self.container, self.wsl, &self.ci) {
            (Some(kind), _, _) => Some(format!("a container ({kind})")),
            (None, true, _) => Some("WSL".to_owned()),
            (None, false, ci) => ci.clone(),
        }
    }
}

/// Reads what a file begins with; `None` where it is not there.
fn read(path: &str) -> Option<String> {
    use std::io::Read;
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).ok()?;
    file.take(LARGEST).read_to_end(&mut bytes).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// What files and variables say about the place.
pub fn from_clues(
    file: &dyn Fn(&str) -> Option<String>,
    var: &dyn Fn(&str) -> Option<String>,
) -> Environment {
    let set = |name: &str| var(name).is_some_and(|value| !value.is_empty());
    let container = container(file, var);
    let kernel = file("/proc/sys/kernel/osrelease").unwrap_or_default();
    // The kernel of a container on WSL is WSL's too; what is said about WSL's
    // own settings does not hold in there.
    let wsl = set("WSL_DISTRO_NAME")
        || (container.is_none() && kernel.to_ascii_lowercase().contains("microsoft"));
    Environment {
        os: std::env::consts::OS.to_owned(),
        arch: std::env::consts::ARCH.to_owned(),
        container: container.map(str::to_owned),
        wsl,
        ci: ci(var).map(str::to_owned),
    }
}

fn container(
    file: &dyn Fn(&str) -> Option<String>,
    var: &dyn Fn(&str) -> Option<String>,
) -> Option<&'static str> {
    let set = |name: &str| var(name).is_some_and(|value| !value.is_empty());
    if set("KUBERNETES_SERVICE_HOST") {
        return Some("kubernetes");
    }
    if set("ECS_CONTAINER_METADATA_URI_V4") || set("ECS_CONTAINER_METADATA_URI") {
        return Some("ecs");
    }
    if file("/run/.containerenv").is_some() {
        return Some("podman");
    }
    if file("/.dockerenv").is_some() {
        return Some("docker");
    }
    // systemd's convention: the manager tells the first process (`container=`),
    // and systemd writes it down (systemd.io/CONTAINER_INTERFACE).
    let told = var("container")
        .or_else(|| file("/run/systemd/container"))
        .or_else(|| {
            let environ = file("/proc/1/environ")?;
            environ
                .split('\0')
                .find_map(|entry| entry.strip_prefix("container=").map(str::to_owned))
        })
        .unwrap_or_default();
    match told.trim() {
        "" => {}
        "docker" => return Some("docker"),
        "podman" => return Some("podman"),
        "lxc" | "lxc-libvirt" => return Some("lxc"),
        "systemd-nspawn" => return Some("systemd-nspawn"),
        "wsl" => {}
        _ => return Some("container"),
    }
    let groups = file("/proc/1/cgroup").unwrap_or_default();
    let mounts = file("/proc/self/mountinfo").unwrap_or_default();
    // Where the pieces of a container come from shows in what is mounted over
    // its name and name servers.
    let own_files: Vec<&str> = mounts
        .lines()
        .filter(|line| {
            let at = line.split(' ').nth(4).unwrap_or_default();
            matches!(at, "/etc/hostname" | "/etc/hosts" | "/etc/resolv.conf")
        })
        .collect();
    let mounted = |part: &str| own_files.iter().any(|line| line.contains(part));
    if groups.contains("kubepods") || mounted("/kubelet/pods/") {
        return Some("kubernetes");
    }
    if groups.contains("/libpod")
        || mounted("/containers/storage/")
        || mounted("/overlay-containers/")
    {
        return Some("podman");
    }
    if groups.contains("/docker") || mounted("/docker/containers/") {
        return Some("docker");
    }
    if groups.contains("/lxc") || mounted("/lxc/") {
        return Some("lxc");
    }
    if groups.contains("containerd") {
        return Some("containerd");
    }
    None
}

fn ci(var: &dyn Fn(&str) -> Option<String>) -> Option<&'static str> {
    let on = |system: &&CiSystem| {
        var(system.variable).is_some_and(|value| match system.value {
            Some(wanted) => value == wanted,
            None => {
                let value = value.to_ascii_lowercase();
                !matches!(value.as_str(), "" | "0" | "false" | "no")
            }
        })
    };
    SYSTEMS.iter().find(on).map(|system| system.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn detected(files: &[(&str, &str)], vars: &[(&str, &str)]) -> Environment {
        let find = |all: &[(&str, &str)], key: &str| {
            all.iter()
                .find(|(name, _)| *name == key)
                .map(|(_, value)| (*value).to_owned())
        };
        from_clues(&|path| find(files, path), &|name| find(vars, name))
    }

    #[test]
    fn containers_are_recognised() {
        let mounts = "1 2 0:1 / / rw - overlay overlay rw\n\
                      3 1 8:1 /var/lib/docker/containers/ab/hostname /etc/hostname rw - ext4 /dev/sda1 rw\n";
        for (files, vars, kind) in [
            (&[("/.dockerenv", "")][..], &[][..], Some("docker")),
            (
                &[("/run/.containerenv", "engine=\"podman\"")],
                &[],
                Some("podman"),
            ),
            (
                &[("/.dockerenv", "")],
                &[("KUBERNETES_SERVICE_HOST", "10.0.0.1")],
                Some("kubernetes"),
            ),
            (
                &[("/run/systemd/container", "systemd-nspawn\n")],
                &[],
                Some("systemd-nspawn"),
            ),
            (
                &[("/proc/1/environ", "A=b\0container=lxc\0")],
                &[],
                Some("lxc"),
            ),
            (
                &[("/proc/1/cgroup", "0::/kubepods/burstable/pod1\n")],
                &[],
                Some("kubernetes"),
            ),
            (&[("/proc/self/mountinfo", mounts)], &[], Some("docker")),
            (
                &[("/proc/1/cgroup", "0::/init.scope\n")],
                &[("CI", "true")],
                None,
            ),
            (&[], &[], None),
        ] {
            assert_eq!(
                detected(files, vars).container.as_deref(),
                kind,
                "{files:?}"
            );
        }
        // A machine that runs containers is none.
        let host = "9 1 0:9 / /var/lib/docker/overlay2/x/merged rw - overlay overlay rw\n";
        assert_eq!(
            detected(&[("/proc/self/mountinfo", host)], &[]).container,
            None
        );
    }

    #[test]
    fn wsl_is_told_from_a_container_on_it() {
        let kernel = (
            "/proc/sys/kernel/osrelease",
            "5.15.90.1-microsoft-standard-WSL2\n",
        );
        assert!(detected(&[kernel], &[]).wsl);
        assert!(!detected(&[kernel, ("/.dockerenv", "")], &[]).wsl);
        assert!(!detected(&[("/proc/sys/kernel/osrelease", "6.1.0-13-amd64")], &[]).wsl);
    }

    #[test]
    fn ci_systems_are_named() {
        let ci = |vars: &[(&str, &str)]| detected(&[], vars).ci;
        assert_eq!(
            ci(&[("CI", "true"), ("GITHUB_ACTIONS", "true")]).as_deref(),
            Some("github-actions")
        );
        assert_eq!(
            ci(&[("TF_BUILD", "True")]).as_deref(),
            Some("azure-pipelines")
        );
        assert_eq!(ci(&[("CI", "woodpecker")]).as_deref(), Some("woodpecker"));
        assert_eq!(ci(&[("CI", "1")]).as_deref(), Some("ci"));
        assert_eq!(ci(&[("CI", "false")]), None);
        assert_eq!(ci(&[]), None);
    }
}
