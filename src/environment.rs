//! The kind of place dbdoctor runs in: container, WSL, continuous integration.
//! It decides which advice is given, never what is wrong.

use std::fs;
use std::path::Path;

use crate::report::Environment;
use crate::surroundings::Surroundings;

/// Looks around.
pub fn detect(around: &Surroundings) -> Environment {
    Environment {
        os: std::env::consts::OS.to_owned(),
        arch: std::env::consts::ARCH.to_owned(),
        container: container(around, Path::new("/")),
        wsl: is_wsl(around, Path::new("/")),
        ci: ci(around),
    }
}

/// The kind of container, by what each runtime leaves behind: Kubernetes' and
/// systemd's variables, Docker's and Podman's marker files, and what systemd
/// found (systemd's "Container Interface").
fn container(around: &Surroundings, root: &Path) -> Option<String> {
    let named =
        |name: String| Some(crate::text::clean(name.trim())).filter(|name| !name.is_empty());
    if around.var("KUBERNETES_SERVICE_HOST").is_some() {
        return Some("kubernetes".to_owned());
    }
    if root.join(".dockerenv").exists() {
        return Some("docker".to_owned());
    }
    if root.join("run/.containerenv").exists() {
        return Some("podman".to_owned());
    }
    around.var("container").and_then(named).or_else(|| {
        let found = fs::read_to_string(root.join("run/systemd/container")).ok()?;
        named(found).filter(|name| name != "wsl")
    })
}

/// Whether the kernel is Microsoft's.
fn is_wsl(around: &Surroundings, root: &Path) -> bool {
    around.var("WSL_DISTRO_NAME").is_some()
        || fs::read_to_string(root.join("proc/sys/kernel/osrelease"))
            .is_ok_and(|release| release.to_ascii_lowercase().contains("microsoft"))
}

/// The continuous-integration system, by the variables that each one documents.
fn ci(around: &Surroundings) -> Option<String> {
    let set = |name: &str| around.var(name).is_some_and(|value| !value.is_empty());
    let known = [
        ("GITHUB_ACTIONS", "github-actions"),
        ("GITLAB_CI", "gitlab"),
        ("CIRCLECI", "circleci"),
        ("BUILDKITE", "buildkite"),
        ("JENKINS_URL", "jenkins"),
        ("TF_BUILD", "azure-pipelines"),
        ("BITBUCKET_BUILD_NUMBER", "bitbucket"),
        ("TEAMCITY_VERSION", "teamcity"),
        ("TRAVIS", "travis"),
        ("CODEBUILD_BUILD_ID", "aws-codebuild"),
        ("DRONE", "drone"),
    ];
    known
        .into_iter()
        .find(|(variable, _)| set(variable))
        .map(|(_, name)| name.to_owned())
        .or_else(|| {
            let ci = around.var("CI")?;
            (!matches!(ci.as_str(), "" | "0" | "false")).then(|| "unknown".to_owned())
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn around(vars: &[(&str, &str)]) -> Surroundings {
        Surroundings {
            vars: vars.iter().map(|(n, v)| (n.into(), v.into())).collect(),
            ..Surroundings::default()
        }
    }

    #[test]
    fn places_are_told_apart() {
        let root = tempfile::tempdir().unwrap();
        let here = |vars| container(&around(vars), root.path());
        assert_eq!(here(&[]), None);
        assert_eq!(
            here(&[("KUBERNETES_SERVICE_HOST", "10.0.0.1")]).as_deref(),
            Some("kubernetes")
        );
        assert_eq!(here(&[("container", "lxc")]).as_deref(), Some("lxc"));
        fs::write(root.path().join(".dockerenv"), "").unwrap();
        assert_eq!(here(&[]).as_deref(), Some("docker"));
        assert!(is_wsl(
            &around(&[("WSL_DISTRO_NAME", "Debian")]),
            root.path()
        ));
        assert!(!is_wsl(&around(&[]), root.path()));
    }

    #[test]
    fn continuous_integration_has_a_name() {
        assert_eq!(ci(&around(&[])), None);
        assert_eq!(ci(&around(&[("CI", "false")])), None);
        assert_eq!(ci(&around(&[("CI", "true")])).as_deref(), Some("unknown"));
        assert_eq!(
            ci(&around(&[("CI", "true"), ("GITHUB_ACTIONS", "true")])).as_deref(),
            Some("github-actions")
        );
    }
}
