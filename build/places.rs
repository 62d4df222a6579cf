//! `knowledge/ci.tsv` and `knowledge/place_fixes.tsv`, read strictly. The heads of the
//! files explain the columns.

use std::collections::BTreeSet;

use crate::providers::{Condition, NONE, Wrong, address, conditions, list, rows};

/// Places that are not CI systems: kinds of containers as `src/host_kind.rs` names them,
/// and WSL.
const OTHERS: &[&str] = &[
    "kubernetes",
    "ecs",
    "podman",
    "docker",
    "lxc",
    "systemd-nspawn",
    "containerd",
    "container",
    "wsl",
];

/// How a CI system is told.
#[derive(Debug)]
pub struct CiRow {
    pub variable: String,
    /// What the variable must be, where its being set is not enough.
    pub value: Option<String>,
    pub name: String,
}

/// What to do about some causes at some places.
#[derive(Debug)]
pub struct PlaceFixRow {
    pub places: Vec<String>,
    pub causes: Vec<String>,
    pub when: Vec<Condition>,
    pub keeps_page: bool,
    pub text: String,
    pub command: Option<String>,
}

/// The CI systems.
pub fn systems(table: &str) -> Result<Vec<CiRow>, Wrong> {
    let mut known = BTreeSet::new();
    rows(table, |[variable, name, source]| {
        if !known.insert(name.to_owned()) {
            return Err(format!("{name} is there already"));
        }
        address(source)?;
        let (variable, value) = match variable.split_once('=') {
            Some((variable, value)) => (variable, Some(value.to_owned())),
            None => (variable, None),
        };
        Ok(CiRow {
            variable: variable.to_owned(),
            value,
            name: name.to_owned(),
        })
    })
}

/// The fixes for these systems and the other places.
pub fn fixes(
    table: &str,
    systems: &[CiRow],
    is_code: impl Fn(&str) -> bool,
) -> Result<Vec<PlaceFixRow>, Wrong> {
    rows(
        table,
        |[places, causes, when, page, text, command, source]| {
            let (places, causes) = (list(places), list(causes));
            let is_known = |name: &str| {
                OTHERS.contains(&name) || systems.iter().any(|system| system.name == name)
            };
            if let Some(stranger) = places.iter().find(|name| !is_known(name)) {
                return Err(format!("{stranger} is no place"));
            }
            if let Some(stranger) = causes.iter().find(|code| !is_code(code)) {
                return Err(format!("{stranger:?} has no page"));
            }
            address(source)?;
            Ok(PlaceFixRow {
                places,
                causes,
                when: conditions(when)?,
                keeps_page: match page {
                    "keep" => true,
                    "drop" => false,
                    _ => return Err(format!("{page:?} is neither keep nor drop")),
                },
                text: text.to_owned(),
                command: (command != NONE).then(|| command.to_owned()),
            })
        },
    )
}
