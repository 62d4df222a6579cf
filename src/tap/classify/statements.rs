//! Named statements behind a pooler that gives every transaction another server.

use crate::cause;
use crate::client::pooler::Pooler;
use crate::client::statements::{Clash, verdict};
use crate::config::Target;
use crate::finding::Finding;
use crate::tap::record::Record;
use crate::tap::{facts, marks};

/// `invalid_sql_statement_name` and `duplicate_prepared_statement`: the server that a statement
/// runs on is not the one that it was prepared on.
const ON_ANOTHER_SERVER: [&str; 2] = ["26000", "42P05"];

/// Named statements that broke, or will.
pub(super) fn named(records: &[Record], target: &Target) -> Option<Finding> {
    broken(records, target).or_else(|| doubtful(records, target))
}

/// Errors about statements.
fn broken(records: &[Record], target: &Target) -> Option<Finding> {
    let (code, count) = ON_ANOTHER_SERVER
        .into_iter()
        .map(|code| {
            let of = |record: &Record| record.conversation.sqlstates.get(code).copied();
            (code, records.iter().filter_map(of).sum::<u64>())
        })
        .max_by_key(|(_, count)| *count)
        .filter(|(_, count)| *count > 0)?;
    let first = records
        .iter()
        .find(|record| record.conversation.sqlstates.contains_key(code))?;
    let statements = &first.conversation.statements;
    let finding = Finding::new(&cause::client::PREPARED_STATEMENT)
        .with("client", first.label())
        .with("endpoint", target.endpoints[0].label())
        .with("sqlstate", code)
        .with("errors", count)
        .with("statement", statements.names.first().cloned());
    let pooler = facts::pooler(first, Some(target)).unwrap_or(UNKNOWN);
    Some(match cure(first, &pooler) {
        Some((driver, clash)) => finding.with("driver", driver.clone()).fix_first(format!(
            "Turn named statements off in {driver}: {} in {}.",
            clash.cure, clash.place
        )),
        None => finding,
    })
}

/// Named statements that a known pooler will break.
fn doubtful(records: &[Record], target: &Target) -> Option<Finding> {
    records.iter().find_map(|record| {
        let name = record.conversation.statements.names.first()?;
        let pooler = facts::pooler(record, Some(target))?;
        let (driver, clash) = cure(record, &pooler)?;
        Some(
            Finding::new(&cause::driver::STATEMENTS)
                .with("driver", driver)
                .with("endpoint", target.endpoints[0].label())
                .with("pooler", pooler.product.map(|product| product.name))
                .with("statement", name.clone())
                .with("client", record.label())
                .fix_first(format!(
                    "Turn named statements off: {} in {}.",
                    clash.cure, clash.place
                )),
        )
    })
}

/// The driver that a client looks like, and what turns its named statements off.
fn cure(record: &Record, pooler: &Pooler) -> Option<(String, Clash)> {
    let driver = marks::recognise(&record.conversation)?.driver()?;
    let clash = verdict(&driver, pooler)?;
    Some((driver.to_string(), clash))
}

/// A pooler of which nothing is known.
const UNKNOWN: Pooler = Pooler {
    product: None,
    mode: None,
};
