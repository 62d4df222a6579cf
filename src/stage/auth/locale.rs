//! The database's locale, which the server's machine does not know. Pure.

use crate::finding::Finding;
use crate::message::Message;
use crate::wire::server_error::ServerError;

/// Adds the locale by name, and what the C library of the server's machine
/// would make it of.
pub fn describe(finding: Finding, error: &ServerError, message: &Message) -> Finding {
    // `setlocale` is told of in DETAIL, ICU in the message.
    let detail = error.detail.as_deref().map(Message::of).unwrap_or_default();
    let told = detail.names.last().or(message.names.first()).cloned();
    // Of ICU and of PostgreSQL itself, not of the C library.
    let other_provider = ["icu", "ucol", "builtin"]
        .iter()
        .any(|provider| error.routine().contains(provider));
    let of_library = told.as_deref().filter(|_| !other_provider);
    let source = of_library.and_then(source).map(str::to_owned);
    let other = of_library.filter(|_| source.is_none()).map(str::to_owned);
    let generated = of_library.filter(|_| source.is_some()).map(str::to_owned);
    finding
        .with("locale", told.clone())
        .word("locale_source", source)
        .word("generated_locale", generated)
        .word("other_locale", other)
}

/// What glibc's `localedef` makes this locale of, in UTF-8: `de_DE` for
/// `de_DE.utf8`. `None` where the name is of another form.
fn source(locale: &str) -> Option<&str> {
    let (name, charset) = locale.split_once('.')?;
    let (language, country) = name.split_once('_')?;
    let letters = |text: &str, case: fn(&u8) -> bool| {
        matches!(text.len(), 2 | 3) && text.as_bytes().iter().all(case)
    };
    let utf8 = matches!(charset.to_ascii_lowercase().as_str(), "utf8" | "utf-8");
    let known =
        letters(language, u8::is_ascii_lowercase) && letters(country, u8::is_ascii_uppercase);
    (known && utf8).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cause::server;

    fn described(routine: &str, message: &str, detail: &str) -> Finding {
        let error = ServerError {
            code: "XX000".to_owned(),
            detail: (!detail.is_empty()).then(|| detail.to_owned()),
            routine: Some(routine.to_owned()),
            ..ServerError::default()
        };
        describe(Finding::new(&server::LOCALE), &error, &Message::of(message))
    }

    #[test]
    fn the_name_is_found_in_any_language() {
        let found = described(
            "CheckMyDatabase",
            "nuqneH",
            "Die Datenbank wurde mit LC_COLLATE »de_DE.utf8« initialisiert.",
        );
        assert_eq!(found.evidence["locale"], "de_DE.utf8");
        assert!(found.fills("locale_source") && !found.fills("other_locale"));
    }

    #[test]
    fn only_the_c_library_s_locales_are_made_with_localedef() {
        let icu = described(
            "pg_ucol_open",
            "could not open collator for locale \"de_DE.utf8\": U_X",
            "",
        );
        assert!(icu.evidence.contains_key("locale") && !icu.fills("locale_source"));
        assert!(!icu.fills("other_locale"));
        for name in [
            "C.UTF-8",
            "de_DE@euro",
            "de_DE.utf8; reboot",
            "x_Y.utf8",
            "German_Germany.1252",
        ] {
            assert_eq!(source(name), None, "{name}");
        }
        assert_eq!(source("fil_PH.UTF-8"), Some("fil_PH"));
    }
}
