//! `config`: which settings are in force, read exactly as libpq reads them.

use crate::cli::TargetArgs;
use crate::config::Target;
use crate::config::resolve::Resolver;
use crate::report::{StageRecord, TargetReport};
use crate::secret::Secret;
use crate::stage::Verdict;
use crate::system::System;

/// Resolves the target. What could be read is left in `report` even when
/// something is wrong.
pub async fn probe(
    args: &TargetArgs,
    surroundings: &System,
    report: &mut TargetReport,
    record: &mut StageRecord,
) -> Verdict<Target> {
    let typed = match args.password && surroundings.interactive {
        true => ask("Password: ").await,
        false => None,
    };
    let mut target = Resolver::new(args, surroundings, report, record).resolve(typed)?;
    target.report = report.clone();
    Ok(target)
}

/// Asks on the terminal, off the threads that carry the run.
async fn ask(prompt: &'static str) -> Option<Secret> {
    tokio::task::spawn_blocking(move || rpassword::prompt_password(prompt))
        .await
        .ok()?
        .ok()
        .map(Secret::new)
}
