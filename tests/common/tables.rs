//! The parts of the documents that are generated: they stand between
//! `<!-- generated: NAME -->` and `<!-- end of NAME -->`.

use dbdoctor::client::profile::{Addresses, Hosts, Passfile, Plan, Trust};
use dbdoctor::client::{Driver, Profile, driver};
use serde_json::Value;

/// A page with the generated part of this name as it should be today.
pub fn with_part(page: &str, name: &str, part: &str) -> String {
    let (start, end) = (
        format!("<!-- generated: {name} -->\n"),
        format!("<!-- end of {name} -->"),
    );
    let (before, rest) = page.split_once(&start).expect("a mark where it begins");
    let (_, after) = rest.split_once(&end).expect("a mark where it ends");
    format!("{before}{start}\n{}\n\n{end}{after}", part.trim())
}

/// Every key of a schema's objects, with its type and what it means.
pub fn keys(schema: &Value) -> String {
    let mut rows = vec![
        "| key | type | meaning |".to_owned(),
        "|---|---|---|".to_owned(),
    ];
    walk(schema, schema, "", &mut rows);
    rows.join("\n")
}

fn walk(root: &Value, object: &Value, path: &str, rows: &mut Vec<String>) {
    let properties = object["properties"].as_object().into_iter().flatten();
    for (name, property) in properties {
        let path = match path {
            "" => name.clone(),
            path => format!("{path}.{name}"),
        };
        let (kind, suffix, inner) = kind(root, property);
        let about = property["description"].as_str().unwrap_or_default();
        let about = about
            .replace('\n', " ")
            .replace("[`", "`")
            .replace("`]", "`");
        rows.push(format!("| `{path}` | {kind} | {about} |"));
        if let Some(inner) = inner {
            walk(root, inner, &format!("{path}{suffix}"), rows);
        }
    }
}

/// What a value is, what is added to the path of what is inside it, and the object inside.
fn kind<'a>(root: &'a Value, value: &'a Value) -> (String, &'static str, Option<&'a Value>) {
    let definition = |reference: &str| {
        let name = reference.rsplit('/').next().unwrap_or_default();
        &root["$defs"][name]
    };
    if let Some(reference) = value["$ref"].as_str() {
        let inner = definition(reference);
        let words = words(inner);
        return match words.is_empty() {
            true => ("object".to_owned(), "", Some(inner)),
            false => (words, "", None),
        };
    }
    if let Some(either) = value["anyOf"].as_array() {
        let (name, suffix, inner) = kind(root, &either[0]);
        return (format!("{name} or null"), suffix, inner);
    }
    let types = match &value["type"] {
        Value::String(one) => vec![one.as_str()],
        several => several
            .as_array()
            .into_iter()
            .flatten()
            .flat_map(Value::as_str)
            .collect(),
    };
    let (name, suffix, inner) = match types.first() {
        Some(&"array") => {
            let (name, _, inner) = kind(root, &value["items"]);
            (format!("array of {name}"), "[]", inner)
        }
        Some(&"object") if value["additionalProperties"].is_object() => {
            let (name, _, inner) = kind(root, &value["additionalProperties"]);
            (format!("{name} by name"), ".NAME", inner)
        }
        Some(first) => ((*first).to_owned(), "", None),
        None => ("any".to_owned(), "", None),
    };
    match types.contains(&"null") {
        true => (format!("{name} or null"), suffix, inner),
        false => (name, suffix, inner),
    }
}

/// The words of an enumeration.
fn words(definition: &Value) -> String {
    let choices = definition["oneOf"].as_array().into_iter().flatten();
    let of_choices = choices.filter_map(|choice| choice["const"].as_str());
    let listed = definition["enum"].as_array().into_iter().flatten();
    let words = of_choices.chain(listed.filter_map(Value::as_str));
    let words: Vec<String> = words.map(|word| format!("`{word}`")).collect();
    words.join(", ")
}

/// What every driver does with the same settings.
pub fn drivers() -> String {
    let mut rows = vec![
        "| driver | language | rules of | TLS, nothing set | `sslmode=require` | trusts | \
         `PG*` | password file | service | hosts | addresses |"
            .to_owned(),
        "|---|---|---|---|---|---|---|---|---|---|---|".to_owned(),
    ];
    for driver in Profile::all().flat_map(variants) {
        let (name, profile) = (driver.name(), driver.profile);
        let tls = &profile.tls;
        let require = Profile::row(tls.modes, "require").or(tls.other);
        // What is built on libpq has no rules of its own.
        let linked = driver.linked_libpq().is_some();
        let (absent, require) = match (linked, driver.connector) {
            (true, _) => (plan(Plan::Prefer), plan(Plan::ChainIfRoot)),
            (_, Some("no-tls")) => (plan(Plan::Off), "refused"),
            _ => (plan(tls.absent), require.map_or("refused", plan)),
        };
        rows.push(format!(
            "| `{name}` | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} |",
            profile.language,
            profile.version,
            absent,
            require,
            trust(tls.trust),
            yes(linked || !profile.environment.is_empty()),
            match profile.passfile {
                Passfile::Never => "no",
                Passfile::Closed => "if private",
                Passfile::Open => "yes",
            },
            yes(profile.service),
            match profile.hosts {
                Hosts::One => "one",
                Hosts::Libpq => "in turn, as libpq",
                Hosts::Refused => "next if refused",
                Hosts::Tls => "next, also after TLS",
                Hosts::Any => "next after any failure",
                Hosts::Pgx => "next unless login fails",
            },
            match profile.addresses {
                Addresses::All => "all",
                Addresses::FirstIpv4 => "the first",
            },
        ));
    }
    rows.join("\n")
}

/// A driver in each of its variants.
fn variants(profile: &'static Profile) -> Vec<Driver> {
    let names = driver::variants(profile).into_iter();
    let all: Vec<Driver> = names.map(|name| Driver::parse(&name).unwrap()).collect();
    let plain = profile
        .connector
        .is_none_or(|connector| connector == "plain");
    let own = plain.then(|| Driver::of(profile));
    own.into_iter().chain(all).collect()
}

fn yes(is: bool) -> &'static str {
    if is { "yes" } else { "no" }
}

fn plan(plan: Plan) -> &'static str {
    match plan {
        Plan::Off => "none",
        Plan::ClearFirst => "only if the server insists",
        Plan::Prefer => "if offered, unverified",
        Plan::PreferVerified => "if offered, verified",
        Plan::Unverified => "always, unverified",
        Plan::ChainIfRoot => "always, chain if a root file exists",
        Plan::ChainIfNamed => "always, chain if a root file is named",
        Plan::Chain => "always, chain",
        Plan::Full => "always, chain and name",
    }
}

fn trust(trust: Trust) -> &'static str {
    match trust {
        Trust::File => "root file",
        Trust::System => "system",
        Trust::Mozilla => "Mozilla's list",
        Trust::FileOrSystem => "root file, else system",
        Trust::FileOrMozilla => "root file, else Mozilla's list",
        Trust::SystemAndFile => "system and root file",
        Trust::MozillaAndFile => "Mozilla's list and root file",
        Trust::Nothing => "none",
    }
}
