//! Turns the pages in `causes/` into the constants of `src/cause.rs`. A page
//! that is malformed ends the build, with its file and line.

#[path = "build/page.rs"]
mod page;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use page::Page;

/// The first words of codes, in the order of the catalogue, with the stage that
/// their findings are filed under; without one they stay with the stage that
/// saw the cause.
const FAMILIES: [(&str, Option<&str>); 13] = [
    ("config", None),
    ("key", Some("Key")),
    ("dns", Some("Dns")),
    ("tcp", Some("Tcp")),
    ("ssh", Some("Ssh")),
    ("tunnel", Some("Tunnel")),
    ("protocol", Some("Protocol")),
    ("tls", Some("Tls")),
    ("auth", Some("Auth")),
    ("server", Some("Server")),
    ("pooler", None),
    ("idle", Some("Idle")),
    ("client", None),
];

fn main() {
    println!("cargo:rerun-if-changed=causes");
    println!("cargo:rerun-if-changed=build");
    let out = std::env::var("OUT_DIR").expect("cargo sets OUT_DIR");
    match pages(Path::new("causes")) {
        Ok(pages) => std::fs::write(Path::new(&out).join("causes.rs"), generated(&pages))
            .expect("OUT_DIR can be written"),
        Err(why) => println!("cargo::error={why}"),
    }
}

/// Every page, by its family and code.
fn pages(folder: &Path) -> Result<BTreeMap<(usize, String), Page>, String> {
    let mut pages = BTreeMap::new();
    let entries = std::fs::read_dir(folder).map_err(|error| format!("causes: {error}"))?;
    for entry in entries {
        let path = entry.map_err(|error| format!("causes: {error}"))?.path();
        let name = path.display().to_string();
        let code = path
            .file_stem()
            .and_then(|stem| stem.to_str())
            .filter(|_| path.extension().is_some_and(|extension| extension == "md"))
            .ok_or_else(|| format!("{name}: a page is named CODE.md"))?;
        let family = code.split('.').next().unwrap_or_default();
        let family = FAMILIES
            .iter()
            .position(|(known, _)| *known == family)
            .ok_or_else(|| format!("{name}: no code begins with {family}"))?;
        let text = std::fs::read_to_string(&path).map_err(|error| format!("{name}: {error}"))?;
        let page = Page::parse(&text).map_err(|(line, why)| format!("{name}:{line}: {why}"))?;
        pages.insert((family, code.to_owned()), page);
    }
    Ok(pages)
}

/// The pages as Rust.
fn generated(pages: &BTreeMap<(usize, String), Page>) -> String {
    let mut out = String::new();
    let mut groups: Vec<&str> = Vec::new();
    for (number, (family, stage)) in FAMILIES.iter().enumerate() {
        let stage = stage.map_or("None".to_owned(), |stage| {
            format!("Some(super::Stage::{stage})")
        });
        let of_it = || pages.iter().filter(|((at, _), _)| *at == number);
        let _ = writeln!(
            out,
            "/// Causes whose codes begin with `{family}`.\npub mod {family} {{\n\
             use super::{{Cause, FixRow, Severity}};"
        );
        let mut all = Vec::new();
        for ((_, code), page) in of_it() {
            let name = constant(code.strip_prefix(family).unwrap_or(code));
            row(&mut out, &name, code, &stage, page);
            all.push(format!("&{name}"));
            let dots = code.match_indices('.').map(|(at, _)| &code[..at]);
            groups.extend(dots);
        }
        let _ = writeln!(
            out,
            "/// All of them.\npub static ALL: &[&Cause] = &[{}];\n}}",
            all.join(", ")
        );
    }
    groups.sort_unstable();
    groups.dedup();
    out += "/// Codes with the same beginning.\npub mod family {\nuse super::Family;\n";
    for group in groups {
        let name = constant(group);
        let _ = writeln!(
            out,
            "/// `{group}.*`\npub const {name}: Family = Family({:?});",
            format!("{group}.")
        );
    }
    out += "}\n";
    let families: Vec<String> = FAMILIES
        .iter()
        .map(|(name, _)| format!("{name}::ALL"))
        .collect();
    let _ = writeln!(
        out,
        "static BY_FAMILY: [&[&Cause]; {}] = [{}];",
        families.len(),
        families.join(", ")
    );
    out
}

/// One page as a constant.
fn row(out: &mut String, name: &str, code: &str, stage: &str, page: &Page) {
    let Page {
        severity,
        retryable,
        since,
        title,
        summary,
        meaning,
        fixes,
        seen_as,
    } = page;
    let _ = writeln!(
        out,
        "/// {title}.\npub static {name}: Cause = Cause {{ code: {code:?}, stage: {stage}, \
         severity: Severity::{severity}, retryable: {retryable}, since: {since:?}, \
         title: {title:?}, summary: {summary:?}, meaning: {meaning:?}, fixes: &["
    );
    for (text, command) in fixes {
        let _ = writeln!(out, "FixRow {{ text: {text:?}, command: {command:?} }},");
    }
    let _ = writeln!(out, "], seen_as: &{seen_as:?} }};");
}

/// `.cert.not-yet-valid` as `CERT_NOT_YET_VALID`.
fn constant(code: &str) -> String {
    code.trim_start_matches('.')
        .replace(['.', '-'], "_")
        .to_uppercase()
}
