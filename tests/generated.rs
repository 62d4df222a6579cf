//! The files that are generated and committed: schema, completions, manual
//! pages, documentation. Each is compared byte for byte; `UPDATE=1 cargo test
//! --test generated` rewrites them.

mod common;

use clap::{CommandFactory, ValueEnum};
use clap_complete::Shell;
use dbdoctor::cli::{Cli, Written};
use dbdoctor::command::generate;
use dbdoctor::render::json;

#[test]
fn schemas() {
    for of in Written::value_variants() {
        let name = of.to_possible_value().unwrap();
        let path = format!("schema/{}.schema.json", name.get_name());
        common::compare(path, &generate::schema(*of));
    }
}

#[test]
fn documentation() {
    let page = dbdoctor::render::explain::markdown();
    common::compare("docs/causes.md", page.as_bytes());
}

/// A page of `docs/` that is partly written and partly generated.
fn page(name: &str, parts: &[(&str, String)]) {
    let path = format!("docs/{name}");
    let mut page = std::fs::read_to_string(common::root().join(&path)).unwrap();
    for (part, text) in parts {
        page = common::tables::with_part(&page, part, text);
    }
    common::compare(path, page.as_bytes());
}

#[test]
fn keys_of_the_json() {
    let keys = |schema: serde_json::Value| common::tables::keys(&schema);
    let explanation = json::schema_of::<dbdoctor::explain::Explanation>();
    let diff = json::schema_of::<dbdoctor::diff::Diff>();
    page(
        "json.md",
        &[
            (
                "keys of a report",
                keys(serde_json::to_value(json::schema()).unwrap()),
            ),
            (
                "keys of explain",
                keys(serde_json::to_value(explanation).unwrap()),
            ),
            ("keys of diff", keys(serde_json::to_value(diff).unwrap())),
        ],
    );
}

#[test]
fn table_of_the_drivers() {
    page("drivers.md", &[("drivers", common::tables::drivers())]);
}

/// The index of `docs/`: every page with its title and its first paragraph.
#[test]
fn index_of_the_documents() {
    let mut names: Vec<String> = std::fs::read_dir(common::root().join("docs"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(".md") && name != "README.md")
        .collect();
    names.sort();
    let mut index = "# Documents\n\n[README.md](../README.md) is where to start.\n\n".to_owned();
    for name in names {
        let text = std::fs::read_to_string(common::root().join("docs").join(&name)).unwrap();
        let mut paragraphs = text.split("\n\n").map(str::trim);
        let title = paragraphs.next().unwrap().trim_start_matches("# ");
        let first = paragraphs.next().unwrap().replace('\n', " ");
        let sentence = first
            .split(". ")
            .next()
            .unwrap()
            .trim_end_matches(['.', ':']);
        index.push_str(&format!("- [{title}]({name}): {sentence}.\n"));
    }
    index.push_str("\nThe index is generated from the pages.\n");
    common::compare("docs/README.md", index.as_bytes());
}

#[test]
fn completions() {
    for shell in Shell::value_variants() {
        let path = format!("completions/{}", generate::completions_file(*shell));
        common::compare(path, &generate::completions(*shell).unwrap());
    }
}

#[test]
fn manual() {
    let main = generate::manual(None).unwrap().unwrap();
    common::compare("man/dbdoctor.1", &main);
    for command in Cli::command().get_subcommands() {
        let name = command.get_name();
        let page = generate::manual(Some(name)).unwrap().unwrap();
        common::compare(format!("man/dbdoctor-{name}.1"), &page);
    }
}

#[test]
fn nothing_else_lies_beside_them() {
    let commands = Cli::command();
    let pages = 1 + commands.get_subcommands().count();
    for (folder, count) in [
        ("man", pages),
        ("completions", Shell::value_variants().len()),
        ("schema", Written::value_variants().len()),
    ] {
        let there = std::fs::read_dir(common::root().join(folder)).unwrap();
        assert_eq!(there.count(), count, "{folder}/ holds something else too");
    }
}
