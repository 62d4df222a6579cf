//! Points and lengths of time as people read them.

use time::OffsetDateTime;

/// A point in time as people read it: `2026-11-18 09:12 UTC`.
pub fn date(at: OffsetDateTime) -> String {
    format!(
        "{:04}-{:02}-{:02} {:02}:{:02} UTC",
        at.year(),
        u8::from(at.month()),
        at.day(),
        at.hour(),
        at.minute()
    )
}

/// A point in time as programs read it: RFC 3339, in whole seconds.
pub fn rfc3339(at: OffsetDateTime) -> String {
    let whole = at.replace_nanosecond(0).unwrap_or(at);
    whole
        .format(&time::format_description::well_known::Rfc3339)
        .unwrap_or_default()
}

/// A length of time in words, by its largest unit: `3 days`, `5 hours`.
pub fn span(length: time::Duration) -> String {
    let seconds = length.whole_seconds().abs();
    let (n, unit) = match seconds {
        ..60 => (seconds, "second"),
        60..3_600 => (seconds / 60, "minute"),
        3_600..172_800 => (seconds / 3_600, "hour"),
        172_800..63_072_000 => (seconds / 86_400, "day"),
        _ => (seconds / 31_536_000, "year"),
    };
    match n {
        1 => format!("1 {unit}"),
        n => format!("{n} {unit}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_in_words() {
        assert_eq!(span(time::Duration::days(3)), "3 days");
        assert_eq!(span(time::Duration::hours(30)), "30 hours");
        assert_eq!(span(time::Duration::minutes(-1)), "1 minute");
        assert_eq!(span(time::Duration::days(365 * 3)), "3 years");
    }

    #[test]
    fn dates_in_words() {
        let at = OffsetDateTime::from_unix_timestamp(1_795_000_320).unwrap();
        assert_eq!(date(at), "2026-11-18 11:12 UTC");
    }
}
