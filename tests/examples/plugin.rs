//! The plug-in of kubectl: its manifest, held to Krew's rules, and its name for itself.

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::Value;

use crate::{common, read};

const TARGETS: [&str; 4] = [
    "x86_64-unknown-linux-gnu",
    "aarch64-unknown-linux-gnu",
    "x86_64-apple-darwin",
    "aarch64-apple-darwin",
];

/// The manifest of a release meets the rules of Krew (its `internal/index/validation`) and those
/// of its index for a plug-in.
#[test]
fn the_manifest_of_a_release_meets_krews_rules() {
    let version = env!("CARGO_PKG_VERSION");
    let repository = env!("CARGO_PKG_REPOSITORY");
    let folder = tempfile::tempdir().unwrap();
    let archive = |target: &str| format!("dbdoctor-{version}-{target}.tar.gz");
    let checksum = |at: usize| format!("{at}a").repeat(32);
    for (at, target) in TARGETS.iter().enumerate() {
        let archive = archive(target);
        let file = folder.path().join(format!("{archive}.sha256"));
        std::fs::write(file, format!("{}  {archive}\n", checksum(at))).unwrap();
    }
    let output = Command::new(common::root().join("scripts/krew"))
        .arg(folder.path())
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    let text = String::from_utf8(output.stdout).unwrap();
    for hole in ["@REPOSITORY", "@VERSION", "@SHA256", "#"] {
        assert!(!text.contains(hole), "{hole} in {text}");
    }

    let manifest: Value = serde_saphyr::from_str(&text).unwrap();
    assert_eq!(
        manifest["apiVersion"],
        "krew.googlecontainertools.github.com/v1alpha2"
    );
    assert_eq!(manifest["kind"], "Plugin");
    let name = &manifest["metadata"]["name"];
    assert_eq!(name, "dbdoctor");
    let spec = &manifest["spec"];
    assert_eq!(spec["version"], format!("v{version}"));
    let short = spec["shortDescription"].as_str().unwrap();
    assert!(!short.is_empty() && short.len() <= 50);
    assert!(!short.contains('\n') && !short.ends_with('.'));
    assert_eq!(spec["homepage"], repository);
    assert!(spec["description"].is_string());

    let installer = read("action/install");
    let platforms = spec["platforms"].as_array().unwrap();
    let mut selectors = BTreeSet::new();
    for (at, (platform, target)) in platforms.iter().zip(TARGETS).enumerate() {
        let uri = format!(
            "{repository}/releases/download/v{version}/{}",
            archive(target)
        );
        assert_eq!(platform["uri"], uri);
        assert_eq!(platform["sha256"], checksum(at));
        assert_eq!(platform["bin"], *name);
        let files = platform["files"].as_array().unwrap();
        let all = files
            .iter()
            .all(|file| file["from"].is_string() && file["to"].is_string());
        let licence = |file: &Value| file["from"].as_str().unwrap().contains("LICENSE");
        assert!(
            all && files.iter().any(licence),
            "Krew wants a licence: {files:?}"
        );
        let labels = platform["selector"]["matchLabels"].as_object().unwrap();
        assert!(labels.keys().eq(["os", "arch"]), "{labels:?}");
        let is_mac = labels["os"] == "darwin";
        assert_eq!(is_mac, target.ends_with("apple-darwin"));
        assert_eq!(labels["arch"] == "arm64", target.starts_with("aarch64"));
        assert!(selectors.insert(platform["selector"].to_string()));
        assert!(
            installer.contains(&format!("target={target} ;;")),
            "{target}"
        );
    }
    assert_eq!(platforms.len(), TARGETS.len());
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
