//! `config`: which settings are in force, read exactly as libpq reads them.

use std::time::Instant;

use crate::config::Target;
use crate::config::as_driver::view::View;
use crate::config::request::Request;
use crate::config::resolve::Resolver;
use crate::report::{StageRecord, TargetReport};
use crate::stage::Verdict;
use crate::system::System;
use crate::terminal::{self, Echo};

/// Resolves the target. What could be read is left in `report` even when
/// something is wrong, and what a driver made of it in `view`. A password may be typed until `limit`.
pub async fn probe(
    args: &Request,
    surroundings: &System,
    limit: Instant,
    report: &mut TargetReport,
    record: &mut StageRecord,
    view: &mut Option<View>,
) -> Verdict<Target> {
    let typed = match args.password && surroundings.interactive {
        true => terminal::ask("Password: ".to_owned(), Echo::Off, limit)
            .await
            .ok(),
        false => None,
    };
    let mut resolver = Resolver::new(args, surroundings, report, record);
    let outcome = resolver.resolve(typed);
    *view = resolver.view();
    let mut target = outcome?;
    target.report = report.clone();
    Ok(target)
}
