//! Which major versions get fixes, and until when (postgresql.org, "Versioning
//! Policy").

use time::Date;
use time::macros::date;

/// Each major version with the day of its last release.
const LAST_RELEASES: &[(&str, Date)] = &[
    ("9.6", date!(2021 - 11 - 11)),
    ("10", date!(2022 - 11 - 10)),
    ("11", date!(2023 - 11 - 09)),
    ("12", date!(2024 - 11 - 21)),
    ("13", date!(2025 - 11 - 13)),
    ("14", date!(2026 - 11 - 12)),
    ("15", date!(2027 - 11 - 11)),
    ("16", date!(2028 - 11 - 09)),
    ("17", date!(2029 - 11 - 08)),
    ("18", date!(2030 - 11 - 14)),
];

/// The major version of a `server_version_num`.
pub fn major(version_num: i64) -> u32 {
    u32::try_from(version_num / 10_000).unwrap_or_default()
}

/// Since when a version gets no more fixes, if it is out of support. Nothing
/// is known of versions younger than the list.
pub fn unsupported_since(version_num: i64, today: Date) -> Option<Date> {
    let name = match version_num {
        ..90_600 => "9.6",
        90_600..100_000 => "9.6",
        _ => &major(version_num).to_string(),
    };
    LAST_RELEASES
        .iter()
        .find(|(version, _)| *version == name)
        .map(|(_, last)| *last)
        .filter(|last| *last < today)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn support_ends_five_years_after_the_release() {
        let today = date!(2026 - 11 - 21);
        assert!(unsupported_since(140_020, today).is_some());
        assert!(unsupported_since(140_020, date!(2026 - 11 - 01)).is_none());
        assert!(unsupported_since(150_018, today).is_none());
        assert!(unsupported_since(80_402, today).is_some());
        assert!(unsupported_since(990_000, today).is_none());
    }
}
