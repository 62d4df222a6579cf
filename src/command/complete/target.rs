//! TARGET: a connection string's parameters and their values, of which the services.

use std::ffi::OsStr;

use clap_complete::engine::CompletionCandidate;

use super::values;
use crate::config::catalog;
use crate::config::enums;

/// What may come next in a target: the parameter that is being written, in a `key=value`
/// string or in a URI's query.
pub(super) fn complete(current: &OsStr) -> Vec<CompletionCandidate> {
    let Some(current) = current.to_str() else {
        return Vec::new();
    };
    let marks: &[char] = match current.contains("://") {
        true => &['?', '&'],
        false => &[' '],
    };
    let at = current.rfind(marks).map_or(0, |at| at + 1);
    let (before, piece) = current.split_at(at);
    if current.contains("://") && before.is_empty() {
        return Vec::new();
    }
    pieces(piece)
        .into_iter()
        .filter(|candidate| candidate.starts_with(piece))
        .map(|candidate| CompletionCandidate::new(format!("{before}{candidate}")))
        .collect()
}

/// The candidates for one parameter; with nothing written, the services alone.
fn pieces(piece: &str) -> Vec<String> {
    match piece.split_once('=') {
        Some((name, _)) => {
            let values = values_of(name).into_iter();
            values.map(|value| format!("{name}={value}")).collect()
        }
        None => {
            let services = values_of("service").into_iter();
            let names = catalog::PARAMS.iter().map(|param| param.name);
            let names = names.filter(|_| !piece.is_empty());
            services
                .map(|name| format!("service={name}"))
                .chain(names.map(|name| format!("{name}=")))
                .collect()
        }
    }
}

/// The values that a parameter takes, where they are few.
fn values_of(name: &str) -> Vec<String> {
    if name == "service" {
        return values::services();
    }
    let known = enums::values(name).unwrap_or_default();
    known.into_iter().map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offered(current: &str) -> Vec<String> {
        let candidates = complete(OsStr::new(current));
        let values = candidates.iter().map(CompletionCandidate::get_value);
        values.map(|it| it.to_string_lossy().into_owned()).collect()
    }

    #[test]
    fn parameters_and_their_values() {
        assert_eq!(offered("sslm"), ["sslmode="]);
        assert_eq!(
            offered("host=db sslmode=verify"),
            ["host=db sslmode=verify-ca", "host=db sslmode=verify-full"]
        );
        assert_eq!(
            offered("postgres://db/x?sslmode=verify-f"),
            ["postgres://db/x?sslmode=verify-full"]
        );
        assert_eq!(
            offered("postgres://db/x?a=b&target_session_attrs=pri"),
            ["postgres://db/x?a=b&target_session_attrs=primary"]
        );
        assert!(offered("postgres://ho").is_empty());
        assert!(offered("host=d").is_empty());
    }
}
