//! What each driver does, from the files in `knowledge/drivers`, whose README explains
//! the keys.

include!(concat!(env!("OUT_DIR"), "/drivers.rs"));

/// A driver, and what it does.
#[derive(Debug)]
pub struct Profile {
    /// Its name, as `--as` takes it and reports show it.
    pub name: &'static str,
    /// What else it is called.
    pub called: &'static [&'static str],
    /// The language of its applications.
    pub language: &'static str,
    /// The version that is judged where none is given.
    pub version: &'static str,
    /// What is taken where nothing stands behind the slash.
    pub connector: Option<&'static str>,
    /// What may stand behind a slash: the part of the driver that does TLS, or a switch
    /// that changes how it reads everything else.
    pub connectors: &'static [&'static str],
    /// Where its documentation or source is.
    pub source: &'static str,
}

impl Profile {
    /// Every driver, libpq first.
    pub fn all() -> &'static [Profile] {
        &PROFILES
    }

    /// The driver of this name, whatever its case.
    pub fn of(name: &str) -> Option<&'static Profile> {
        let is = |known: &&str| known.eq_ignore_ascii_case(name);
        PROFILES
            .iter()
            .find(|profile| is(&profile.name) || profile.called.iter().any(|called| is(&called)))
    }
}
