//! How it is built, for `--version` and the reports.

use std::env::var;
use std::fmt::Write as _;
use std::path::Path;

/// The constants of `src/version.rs`.
pub fn generated(commit: Option<&str>) -> String {
    println!("cargo:rerun-if-env-changed=OPENSSL_STATIC");
    let of_cargo = |name: &str| var(name).unwrap_or_default();
    let openssl_built_in = var("DEP_OPENSSL_VENDORED").is_ok()
        || var("OPENSSL_STATIC").is_ok_and(|value| value != "0");
    let mut out = String::new();
    let strings = [
        ("TARGET", of_cargo("TARGET")),
        ("PROFILE", of_cargo("PROFILE")),
        ("FEATURES", of_cargo("CARGO_CFG_FEATURE")),
        ("LIBSSH2", libssh2().unwrap_or("unknown".to_owned())),
    ];
    for (name, value) in strings {
        let _ = writeln!(out, "const {name}: &str = {value:?};");
    }
    let _ = writeln!(out, "const COMMIT: Option<&str> = {commit:?};");
    let _ = writeln!(out, "const OPENSSL_BUILT_IN: bool = {openssl_built_in};");
    out
}

/// The version of libssh2 by its header, and whose it is. Only a libssh2 that is
/// built here has a root.
fn libssh2() -> Option<String> {
    let header = Path::new(&var("DEP_SSH2_INCLUDE").ok()?).join("libssh2.h");
    let header = std::fs::read_to_string(header).ok()?;
    let (_, version) = header.split_once("#define LIBSSH2_VERSION ")?;
    let version = version.split('"').nth(1)?;
    let whose = match var("DEP_SSH2_ROOT") {
        Ok(_) => "built in",
        Err(_) => "the system's",
    };
    Some(format!("{version}, {whose}"))
}
