//! Ranges of versions, as the tables have them.

use super::version::Version;

/// Whether a version is from `since` on and before `until`; both where absent.
pub(super) fn holds(version: Version, since: Option<&str>, until: Option<&str>) -> bool {
    let bound = |text: Option<&str>| text.and_then(Version::parse);
    bound(since).is_none_or(|since| version.at_least(since))
        && bound(until).is_none_or(|until| !version.at_least(until))
}
