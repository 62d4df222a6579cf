//! The files that are generated and committed: schema, completions, manual
//! pages, documentation. Each is compared byte for byte; `UPDATE=1 cargo test
//! --test generated` rewrites them.

mod common;

use clap::{CommandFactory, ValueEnum};
use clap_complete::Shell;
use dbdoctor::cli::{Cli, Written};
use dbdoctor::command::generate;

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
