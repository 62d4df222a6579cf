//! The plug-in of kubectl: its manifest, held to Krew's rules, and its name for itself.

use std::collections::BTreeSet;
use std::process::Command;

use regex::Regex;
use serde_json::Value;

use crate::{common, read, yaml};

#[test]
fn the_manifest_of_krew_meets_its_rules() {
    let manifest = yaml("packaging/krew/dbdoctor.yaml");
    let installer = read("action/install");
    krew(&manifest, env!("CARGO_PKG_VERSION"));
    for platform in manifest["spec"]["platforms"].as_array().unwrap() {
        let uri = platform["uri"].as_str().unwrap();
        let target = uri.split("-v").nth(1).unwrap().split_once('-').unwrap().1;
        let target = target.strip_suffix(".tar.gz").unwrap();
        assert!(
            installer.contains(&format!("target={target} ;;")),
            "{target}"
        );
    }
}

/// The rules of `krew` for a manifest (its `internal/index/validation`) and those of its index
/// for a new plug-in.
fn krew(manifest: &Value, version: &str) {
    assert_eq!(
        manifest["apiVersion"],
        "krew.googlecontainertools.github.com/v1alpha2"
    );
    assert_eq!(manifest["kind"], "Plugin");
    assert_eq!(manifest["metadata"]["name"], "dbdoctor");
    let spec = &manifest["spec"];
    assert_eq!(spec["version"], format!("v{version}"));
    let short = spec["shortDescription"].as_str().unwrap();
    assert!(
        !short.is_empty() && short.len() <= 50 && !short.contains('\n') && !short.ends_with('.')
    );
    assert!(spec["homepage"].as_str().unwrap().starts_with("https://"));
    assert!(spec["description"].is_string());
    let platforms = spec["platforms"].as_array().unwrap();
    let checksum = Regex::new("^[a-f0-9]{64}$").unwrap();
    let mut seen = BTreeSet::new();
    for platform in platforms {
        assert!(
            platform["uri"]
                .as_str()
                .unwrap()
                .contains(&format!("/v{version}/"))
        );
        assert!(checksum.is_match(platform["sha256"].as_str().unwrap()));
        assert_eq!(platform["bin"], "dbdoctor");
        let files = platform["files"].as_array().unwrap();
        assert!(
            files
                .iter()
                .all(|file| file["from"].is_string() && file["to"].is_string())
        );
        let licence = |file: &Value| file["from"].as_str().unwrap().contains("LICENSE");
        assert!(
            files.iter().any(licence),
            "krew demands a licence in each archive"
        );
        let labels = platform["selector"]["matchLabels"].as_object().unwrap();
        assert!(labels.keys().all(|key| key == "os" || key == "arch"));
        assert!(
            seen.insert(platform["selector"].to_string()),
            "{labels:?} twice"
        );
    }
    assert_eq!(seen.len(), 4);
}

#[test]
fn the_manifest_of_a_release_has_its_checksums() {
    let folder = tempfile::tempdir().unwrap();
    let manifest = yaml("packaging/krew/dbdoctor.yaml");
    let mut checksums = Vec::new();
    for (at, platform) in manifest["spec"]["platforms"]
        .as_array()
        .unwrap()
        .iter()
        .enumerate()
    {
        let uri = platform["uri"].as_str().unwrap();
        let archive = uri
            .rsplit('/')
            .next()
            .unwrap()
            .replace("v0.1.0", "v3.2.1-rc.4");
        let checksum = format!("{at}a").repeat(32);
        let file = folder.path().join(format!("{archive}.sha256"));
        std::fs::write(file, format!("{checksum}  {archive}\n")).unwrap();
        checksums.push(checksum);
    }
    let output = Command::new(common::root().join("packaging/krew/release"))
        .args(["acme/doctor", "v3.2.1-rc.4"])
        .arg(folder.path())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(!text.contains("OWNER") && !text.contains("0.1.0"), "{text}");
    let filled: Value = serde_saphyr::from_str(&text).unwrap();
    krew(&filled, "3.2.1-rc.4");
    let platforms = filled["spec"]["platforms"].as_array().unwrap();
    let of_platforms: Vec<&str> = platforms
        .iter()
        .map(|it| it["sha256"].as_str().unwrap())
        .collect();
    assert_eq!(of_platforms, checksums);
    assert!(
        platforms[0]["uri"]
            .as_str()
            .unwrap()
            .starts_with("https://github.com/acme/doctor/")
    );
}

/// kubectl runs a plug-in by its file name.
#[test]
fn the_plugin_tells_what_to_type() {
    let folder = tempfile::tempdir().unwrap();
    let plugin = folder.path().join("kubectl-dbdoctor");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_dbdoctor"), &plugin).unwrap();
    let run = |args: &[&str]| {
        let output = Command::new(&plugin)
            .args(args)
            .env_clear()
            .output()
            .unwrap();
        String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap()
    };
    for (args, told) in [
        (&["--help"][..], "Usage: kubectl dbdoctor <COMMAND>"),
        (&["--help"], "\n  kubectl dbdoctor check --ssh ops@bastion"),
        (&["check", "--help"], "Usage: kubectl dbdoctor check "),
        (&["check", "--halp"], "Try 'kubectl dbdoctor check --help'."),
        (&[], "Usage: kubectl dbdoctor <COMMAND>"),
        (
            &["tcp", "x", "--expect-writable"],
            "use kubectl dbdoctor auth or kubectl dbdoctor check",
        ),
        (
            &["check", "-w", "postgres://a@127.0.0.1:1/a"],
            "Details      kubectl dbdoctor explain tcp.refused",
        ),
        (
            &["explain", "config.default.used"],
            "    kubectl dbdoctor check --env-file FILE",
        ),
        (
            &["explain", "tcp.refused"],
            "Confirm      kubectl dbdoctor tcp ",
        ),
    ] {
        let said = run(args);
        assert!(said.contains(told), "{args:?}: {told:?} is not in\n{said}");
    }
    // The reports of both are alike: the name of the tool is its own.
    assert!(run(&["config", "--json", "-h", "x"]).contains("\"name\": \"dbdoctor\""));
    assert!(run(&["--version"]).starts_with("dbdoctor "));
}
