//! Turns the pages in `causes/` into the constants of `src/cause.rs`, and the
//! rows of `knowledge/` into those of `src/message/mod.rs`, `src/explain/fact.rs`,
//! `src/provider.rs`, `src/host_kind.rs`, `src/place.rs`, `src/token/mod.rs`,
//! `src/stage/ssh/product.rs`, `src/client/profile.rs`,
//! `src/config/driver_parameter.rs` and `src/tap/marks/`. A page or a row that is
//! malformed ends the build, with its file and line. How it is built is noted for
//! `src/version.rs`.

#[path = "build/built.rs"]
mod built;
#[path = "build/certificates.rs"]
mod certificates;
#[path = "build/commit.rs"]
mod commit;
#[path = "build/driver_parameters.rs"]
mod driver_parameters;
#[path = "build/drivers.rs"]
mod drivers;
#[path = "build/evidence.rs"]
mod evidence;
#[path = "build/facts.rs"]
mod facts;
#[path = "build/key_forms.rs"]
mod key_forms;
#[path = "build/marks.rs"]
mod marks;
#[path = "build/page.rs"]
mod page;
#[path = "build/places.rs"]
mod places;
#[path = "build/poolers.rs"]
mod poolers;
#[path = "build/providers.rs"]
mod providers;
#[path = "build/servers.rs"]
mod servers;
#[path = "build/texts.rs"]
mod texts;
#[path = "build/tokens.rs"]
mod tokens;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use driver_parameters::ParameterRow;
use facts::FactRow;
use page::Page;
use places::{CiRow, PlaceFixRow};
use providers::{Condition, FixRow, ProviderRow};
use servers::Server;
use texts::TextRow;
use tokens::TokenRow;

/// The pages by their family and code.
type Pages = BTreeMap<(usize, String), Page>;

/// The table of texts.
const TEXTS: &str = "knowledge/texts.tsv";

/// What several pieces of a text say together.
const FACTS: &str = "knowledge/facts.toml";

/// The table of SSH servers.
const SERVERS: &str = "knowledge/ssh_servers.tsv";
/// The tables of providers, and of what to do at them.
const PROVIDERS: &str = "knowledge/providers.tsv";
const PROVIDER_FIXES: &str = "knowledge/provider_fixes.tsv";
/// The tables of CI systems, and of what to do where dbdoctor runs.
const CI: &str = "knowledge/ci.tsv";
const PLACE_FIXES: &str = "knowledge/place_fixes.tsv";
/// The table of tokens.
const TOKENS: &str = "knowledge/tokens.tsv";
/// The table of other drivers' parameters.
const PARAMETERS: &str = "knowledge/driver-parameters.tsv";
/// What drivers do, by subject: each table with its constants.
const CLIENT: [ClientTable; 6] = [
    ("knowledge/evidence.tsv", "evidence.rs", evidence::generated),
    (
        "knowledge/certificates.toml",
        "certificates.rs",
        certificates::generated,
    ),
    (
        "knowledge/key-forms.toml",
        "key_forms.rs",
        key_forms::generated,
    ),
    ("knowledge/client-marks.toml", "marks.rs", marks::generated),
    ("knowledge/poolers.toml", "poolers.rs", poolers::generated),
    (
        "knowledge/statements.toml",
        "statements.rs",
        poolers::statements,
    ),
];
type ClientTable = (&'static str, &'static str, Generated);
type Generated = fn(&str) -> Result<String, String>;
/// The folder of the drivers.
const DRIVERS: &str = "knowledge/drivers";

/// The first words of codes, in the order of the catalogue, with the stage that
/// their findings are filed under; without one they stay with the stage that
/// saw the cause.
const FAMILIES: [(&str, Option<&str>); 15] = [
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
    ("tap", Some("Tap")),
    ("client", None),
    ("driver", None),
];

fn main() {
    println!("cargo:rerun-if-changed=causes");
    println!("cargo:rerun-if-changed=build");
    for table in [
        TEXTS,
        FACTS,
        SERVERS,
        PROVIDERS,
        PROVIDER_FIXES,
        CI,
        PLACE_FIXES,
        TOKENS,
        PARAMETERS,
        DRIVERS,
    ] {
        println!("cargo:rerun-if-changed={table}");
    }
    for (table, _, _) in CLIENT {
        println!("cargo:rerun-if-changed={table}");
    }
    let out = std::env::var("OUT_DIR").expect("cargo sets OUT_DIR");
    let read = || {
        let pages = pages(Path::new("causes"))?;
        let rows = rows(&pages)?;
        let facts = fact_rows(&pages)?;
        let providers = provider_rows(&pages, &rows)?;
        let tokens = token_rows(&providers.0)?;
        let places = place_rows(&pages)?;
        let parameters = parameters()?;
        Ok((
            pages,
            (rows, facts),
            servers()?,
            providers,
            places,
            tokens,
            parameters,
            drivers::generated(Path::new(DRIVERS))?,
            client_tables()?,
        ))
    };
    match read() {
        Ok((
            pages,
            (rows, facts),
            servers,
            (providers, fixes),
            (systems, place_fixes),
            tokens,
            parameters,
            drivers,
            tables,
        )) => {
            let write = |name: &str, text: String| {
                std::fs::write(Path::new(&out).join(name), text).expect("OUT_DIR can be written");
            };
            write("causes.rs", generated(&pages, &rows));
            write("texts.rs", generated_texts(&rows));
            write("facts.rs", generated_facts(&facts));
            write("ssh_servers.rs", generated_servers(&servers));
            write("providers.rs", generated_providers(&providers, &fixes));
            write("ci.rs", generated_systems(&systems));
            write("places.rs", generated_places(&place_fixes));
            write("tokens.rs", generated_tokens(&tokens));
            write("driver_parameters.rs", generated_parameters(&parameters));
            write("drivers.rs", drivers);
            write("built.rs", built::generated(commit::find().as_deref()));
            for (name, text) in tables {
                write(name, text);
            }
        }
        Err::<_, String>(why) => println!("cargo::error={why}"),
    }
}

/// Every row of the table of texts.
fn rows(pages: &Pages) -> Result<Vec<TextRow>, String> {
    let table = std::fs::read_to_string(TEXTS).map_err(|error| format!("{TEXTS}: {error}"))?;
    let is_code = |code: &str| pages.keys().any(|(_, known)| known == code);
    texts::parse(&table, is_code).map_err(|(line, why)| format!("{TEXTS}:{line}: {why}"))
}

/// What several pieces of a text say together.
fn fact_rows(pages: &Pages) -> Result<Vec<FactRow>, String> {
    let text = std::fs::read_to_string(FACTS).map_err(|error| format!("{FACTS}: {error}"))?;
    let is_code = |code: &str| pages.keys().any(|(_, known)| known == code);
    facts::parse(&text, is_code).map_err(|why| format!("{FACTS}: {why}"))
}

/// Every product of the table of SSH servers.
fn servers() -> Result<Vec<Server>, String> {
    let table = std::fs::read_to_string(SERVERS).map_err(|error| format!("{SERVERS}: {error}"))?;
    servers::parse(&table).map_err(|(line, why)| format!("{SERVERS}:{line}: {why}"))
}

/// Every provider, and what to do there.
fn provider_rows(
    pages: &Pages,
    texts: &[TextRow],
) -> Result<(Vec<ProviderRow>, Vec<FixRow>), String> {
    let read =
        |path: &str| std::fs::read_to_string(path).map_err(|error| format!("{path}: {error}"));
    let is_speaker = |name: &str| texts.iter().any(|row| row.live.as_deref() == Some(name));
    let providers = providers::providers(&read(PROVIDERS)?, is_speaker)
        .map_err(|(line, why)| format!("{PROVIDERS}:{line}: {why}"))?;
    let is_code = |code: &str| pages.keys().any(|(_, known)| known == code);
    let fixes = providers::fixes(&read(PROVIDER_FIXES)?, &providers, is_code)
        .map_err(|(line, why)| format!("{PROVIDER_FIXES}:{line}: {why}"))?;
    Ok((providers, fixes))
}

/// Every CI system, and what to do there and elsewhere.
fn place_rows(pages: &Pages) -> Result<(Vec<CiRow>, Vec<PlaceFixRow>), String> {
    let read =
        |path: &str| std::fs::read_to_string(path).map_err(|error| format!("{path}: {error}"));
    let systems =
        places::systems(&read(CI)?).map_err(|(line, why)| format!("{CI}:{line}: {why}"))?;
    let is_code = |code: &str| pages.keys().any(|(_, known)| known == code);
    let fixes = places::fixes(&read(PLACE_FIXES)?, &systems, is_code)
        .map_err(|(line, why)| format!("{PLACE_FIXES}:{line}: {why}"))?;
    Ok((systems, fixes))
}

/// Every kind of token.
fn token_rows(providers: &[ProviderRow]) -> Result<Vec<TokenRow>, String> {
    let table = std::fs::read_to_string(TOKENS).map_err(|error| format!("{TOKENS}: {error}"))?;
    tokens::tokens(&table, providers).map_err(|(line, why)| format!("{TOKENS}:{line}: {why}"))
}

/// Every parameter of other drivers.
fn parameters() -> Result<Vec<ParameterRow>, String> {
    let table =
        std::fs::read_to_string(PARAMETERS).map_err(|error| format!("{PARAMETERS}: {error}"))?;
    driver_parameters::parameters(&table)
        .map_err(|(line, why)| format!("{PARAMETERS}:{line}: {why}"))
}

/// What drivers do, by subject.
fn client_tables() -> Result<Vec<(&'static str, String)>, String> {
    let read = |(table, name, generated): ClientTable| {
        let text = std::fs::read_to_string(table).map_err(|error| format!("{table}: {error}"))?;
        let rust = generated(&text).map_err(|why| format!("{table}: {why}"))?;
        Ok((name, rust))
    };
    CLIENT.into_iter().map(read).collect()
}

/// Every page, by its family and code.
fn pages(folder: &Path) -> Result<Pages, String> {
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
fn generated(pages: &Pages, rows: &[TextRow]) -> String {
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
            let shown = rows.iter().filter(|row| row.pages.contains(code));
            let seen_as: Vec<&str> = shown.map(|row| row.text.as_str()).collect();
            row(&mut out, &name, code, &stage, page, &seen_as);
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
fn row(out: &mut String, name: &str, code: &str, stage: &str, page: &Page, seen_as: &[&str]) {
    let Page {
        severity,
        retryable,
        since,
        title,
        summary,
        meaning,
        fixes,
    } = page;
    let _ = writeln!(
        out,
        "/// {title}.\npub static {name}: Cause = Cause {{ code: {code:?}, stage: {stage}, \
         severity: Severity::{severity}, retryable: {retryable}, since: {since:?}, \
         title: {title:?}, summary: {summary:?}, meaning: {meaning:?}, fixes: &["
    );
    out.push_str(&fix_rows(fixes));
    let _ = writeln!(out, "], seen_as: &{seen_as:?} }};");
}

/// Fixes as Rust.
fn fix_rows(fixes: &[(String, Option<String>)]) -> String {
    let row = |(text, command): &(String, Option<String>)| {
        format!("FixRow {{ text: {text:?}, command: {command:?} }},\n")
    };
    fixes.iter().map(row).collect()
}

/// The table of SSH servers as Rust.
fn generated_servers(servers: &[Server]) -> String {
    let mut out = "static PRODUCTS: &[Product] = &[\n".to_owned();
    for server in servers {
        let Server { software, name, .. } = server;
        let software = software.to_lowercase();
        let _ = writeln!(out, "Product {{ software: {software:?}, name: {name:?},");
        for (field, fixes) in server.fields() {
            let _ = writeln!(out, "{field}: &[{}],", fix_rows(fixes));
        }
        out += "},\n";
    }
    out += "];\n";
    out
}

/// `.cert.not-yet-valid` as `CERT_NOT_YET_VALID`.
fn constant(code: &str) -> String {
    code.trim_start_matches('.')
        .replace(['.', '-'], "_")
        .to_uppercase()
}

/// The table of texts as one text, a row in a line: constants would be thousands of
/// pointers, which every start of the program has to relocate.
fn generated_texts(rows: &[TextRow]) -> String {
    let mut table = String::new();
    for row in rows {
        let _ = writeln!(
            table,
            "{}\t{}\t{}\t{}\t{}\t{}",
            row.text,
            row.causes.join(","),
            row.weight.unwrap_or_default(),
            row.phase,
            row.pages.join(","),
            row.live.as_deref().unwrap_or_default(),
        );
    }
    format!("static TABLE: &str = {table:?};\n")
}

/// The facts as Rust.
fn generated_facts(rows: &[FactRow]) -> String {
    let mut out = format!("static FACTS: [Fact; {}] = [\n", rows.len());
    for row in rows {
        let FactRow {
            all,
            none,
            causes,
            weight,
            phase,
            summary,
            fixes,
            page,
            source: _,
        } = row;
        let all: String = all
            .iter()
            .map(|part| format!("&{:?},", part.wordings()))
            .collect();
        let fixes: String = fixes
            .iter()
            .map(|fix| {
                format!(
                    "FixRow {{ text: {:?}, command: {:?} }},",
                    fix.text, fix.command
                )
            })
            .collect();
        let _ = writeln!(
            out,
            "Fact {{ all: &[{all}], none: &{none:?}, causes: &[{}], weight: Weight::{weight:?}, \
             phase: Phase::{phase:?}, summary: {summary:?}, fixes: &[{fixes}], keeps_page: {page} }},",
            paths(causes)
        );
    }
    out += "];\n";
    out
}

/// The tables of providers as Rust.
fn generated_providers(providers: &[ProviderRow], fixes: &[FixRow]) -> String {
    let mut out = format!("static PROVIDERS: [Provider; {}] = [\n", providers.len());
    for row in providers {
        let ProviderRow {
            name,
            hosts,
            certificates,
            speaks,
            listens,
            answers,
            managed,
            token,
            when,
            documentation,
        } = row;
        let when = generated_conditions(when);
        let _ = writeln!(
            out,
            "Provider {{ name: {name:?}, hosts: &{hosts:?}, certificates: &{certificates:?}, \
             speaks: &{speaks:?}, listens: &{listens:?}, answers: &{answers:?}, \
             managed: {managed}, token: {token:?}, when: &[{when}], documentation: {documentation:?} }},"
        );
    }
    let _ = writeln!(out, "];\nstatic FIXES: [ProviderFix; {}] = [", fixes.len());
    for row in fixes {
        let FixRow {
            providers,
            causes,
            when,
            text,
            command,
        } = row;
        let _ = writeln!(
            out,
            "ProviderFix {{ providers: &{providers:?}, causes: &[{}], when: &[{}], \
             fix: FixRow {{ text: {text:?}, command: {command:?} }} }},",
            paths(causes),
            generated_conditions(when)
        );
    }
    out += "];\n";
    out
}

/// The table of CI systems as Rust.
fn generated_systems(systems: &[CiRow]) -> String {
    let one = |CiRow {
                   variable,
                   value,
                   name,
               }: &CiRow| {
        format!("CiSystem {{ variable: {variable:?}, value: {value:?}, name: {name:?} }},\n")
    };
    let all: String = systems.iter().map(one).collect();
    format!(
        "static SYSTEMS: [CiSystem; {}] = [\n{all}];\n",
        systems.len()
    )
}

/// The table of fixes by place as Rust.
fn generated_places(fixes: &[PlaceFixRow]) -> String {
    let mut out = format!("static FIXES: [PlaceFix; {}] = [\n", fixes.len());
    for row in fixes {
        let PlaceFixRow {
            places,
            causes,
            when,
            keeps_page,
            text,
            command,
        } = row;
        let _ = writeln!(
            out,
            "PlaceFix {{ places: &{places:?}, causes: &[{}], when: &[{}], \
             keeps_page: {keeps_page}, fix: FixRow {{ text: {text:?}, command: {command:?} }} }},",
            paths(causes),
            generated_conditions(when)
        );
    }
    out += "];\n";
    out
}

/// The table of tokens as Rust.
fn generated_tokens(tokens: &[TokenRow]) -> String {
    let mut out = format!("static KINDS: [Kind; {}] = [\n", tokens.len());
    for row in tokens {
        let TokenRow {
            name,
            form,
            matches,
            audiences,
            users,
            providers,
        } = row;
        let providers = match providers {
            Some(names) => format!("Some(&{names:?})"),
            None => "None".to_owned(),
        };
        let _ = writeln!(
            out,
            "Kind {{ called: {name:?}, form: Form::{form}, matches: &{matches:?}, \
             audiences: &{audiences:?}, users: &{users:?}, providers: {providers} }},"
        );
    }
    out += "];\n";
    out
}

/// The table of other drivers' parameters as Rust.
fn generated_parameters(rows: &[ParameterRow]) -> String {
    let mut out = format!("static PARAMETERS: [Parameter; {}] = [\n", rows.len());
    for row in rows {
        let ParameterRow {
            name,
            drivers,
            fate,
            values,
            meaning,
        } = row;
        let values: Vec<String> = values
            .iter()
            .map(|(theirs, ours)| match ours {
                Some(ours) => format!("({theirs:?}, Some(&{ours:?}))"),
                None => format!("({theirs:?}, None)"),
            })
            .collect();
        let _ = writeln!(
            out,
            "Parameter {{ name: {name:?}, drivers: &{drivers:?}, fate: Fate::{fate}, \
             values: &[{}], meaning: {meaning:?} }},",
            values.join(", ")
        );
    }
    out += "];\n";
    out
}

fn generated_conditions(conditions: &[Condition]) -> String {
    let one = |Condition { name, is, pattern }: &Condition| {
        format!("Condition {{ name: {name:?}, is: {is}, pattern: {pattern:?} }}")
    };
    conditions.iter().map(one).collect::<Vec<_>>().join(", ")
}

/// `tls.cert.expired` as `&cause::tls::CERT_EXPIRED`.
fn paths(codes: &[String]) -> String {
    let path = |code: &String| {
        let (family, rest) = code.split_once('.').unwrap_or((code, ""));
        format!("&cause::{family}::{}", constant(rest))
    };
    codes.iter().map(path).collect::<Vec<_>>().join(", ")
}
