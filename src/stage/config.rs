//! `config`: which settings are in force, read exactly as libpq reads them.

use std::time::Instant;

use crate::config::Target;
use crate::config::request::Request;
use crate::config::resolve::Resolver;
use crate::report::{StageRecord, TargetReport};
use crate::stage::Verdict;
use crate::system::System;
use crate::terminal::{self, Echo};

/// Resolves the target. What could be read is left in `report` even when
/// something is wrong. A password may be typed until `limit`.
pub async fn probe(
    args: &Request,
    surroundings: &System,
    limit: Instant,
    report: &mut TargetReport,
    record: &mut StageRecord,
) -> Verdict<Target> {
    let typed = match args.password && surroundings.interactive {
        true => terminal::ask("Password: ".to_owned(), Echo::Off, limit)
            .await
            .ok(),
        false => None,
    };
    let mut target = Resolver::new(args, surroundings, report, record).resolve(typed)?;
    target.report = report.clone();
    Ok(target)
}
