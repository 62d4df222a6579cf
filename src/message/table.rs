//! The rows of the table, read when the first of them is asked for.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::{Live, Phase, Row, Weight};
use crate::cause::{self, Cause};

include!(concat!(env!("OUT_DIR"), "/texts.rs"));

/// All rows, in the order of the file.
pub(super) static ROWS: LazyLock<Vec<Row>> = LazyLock::new(|| {
    let by_code: HashMap<&str, &'static Cause> =
        cause::all().map(|cause| (cause.code, cause)).collect();
    TABLE
        .lines()
        .filter_map(|line| row(line, &by_code))
        .collect()
});

/// A row; the build has written all of them in this form.
fn row(line: &'static str, by_code: &HashMap<&str, &'static Cause>) -> Option<Row> {
    let mut columns = line.split('\t');
    let mut next = || columns.next();
    let (text, causes, weight, phase, pages, live) =
        (next()?, next()?, next()?, next()?, next()?, next()?);
    let found = |codes: &str| -> Vec<&'static Cause> {
        codes
            .split(',')
            .filter_map(|code| by_code.get(code).copied())
            .collect()
    };
    Some(Row {
        text,
        causes: found(causes),
        weight: match weight {
            "Exact" => Some(Weight::Exact),
            "Broad" => Some(Weight::Broad),
            "General" => Some(Weight::General),
            "Vague" => Some(Weight::Vague),
            _ => None,
        },
        phase: match phase {
            "Connect" => Phase::Connect,
            "Session" => Phase::Session,
            _ => Phase::Any,
        },
        pages: found(pages),
        live: match live {
            "" => None,
            "server" => Some(Live::Server),
            "relayed" => Some(Live::Relayed),
            make => Some(Live::Pooler(make)),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_read() {
        assert_eq!(ROWS.len(), TABLE.lines().count());
        let of_no_use = |row: &&Row| row.causes.is_empty() && row.pages.is_empty();
        assert!(ROWS.iter().find(of_no_use).is_none());
        assert!(ROWS.iter().any(|row| row.weight == Some(Weight::Vague)));
        assert!(ROWS.iter().any(|row| row.live == Some(Live::Relayed)));
    }
}
