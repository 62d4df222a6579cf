//! `config`: which settings are in force, read exactly as libpq reads them.

use crate::cli::TargetArgs;
use crate::report::{StageRecord, TargetReport};
use crate::stage::Verdict;
use crate::surroundings::Surroundings;
use crate::target::Target;

/// Resolves the target. What could be read is left in `report` even when
/// something is wrong.
pub async fn probe(
    args: &TargetArgs,
    surroundings: &Surroundings,
    report: &mut TargetReport,
    record: &mut StageRecord,
) -> Verdict<Target> {
    let _ = (args, surroundings, report, record);
    todo!()
}
