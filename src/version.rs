//! Which dbdoctor this is: its version, how it was built, and the libraries in it.

use std::ffi::OsString;

use schemars::JsonSchema;
use serde::Serialize;

include!(concat!(env!("OUT_DIR"), "/built.rs"));

/// The program that wrote a report.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Tool {
    /// Always `dbdoctor`.
    pub name: &'static str,
    /// Its version.
    pub version: &'static str,
    /// The commit that it was built from; null if that was not known.
    #[schemars(skip_serializing_if = "older_versions_lack_it")]
    pub commit: Option<&'static str>,
    /// The target triple that it was built for.
    #[schemars(skip_serializing_if = "older_versions_lack_it")]
    pub target: &'static str,
    /// Its OpenSSL.
    #[schemars(skip_serializing_if = "older_versions_lack_it")]
    pub openssl: OpenSsl,
}

/// The OpenSSL that a run uses.
#[derive(Debug, Serialize, JsonSchema)]
pub struct OpenSsl {
    /// As it names itself, with the date of its release.
    pub version: &'static str,
    /// Whether it is part of the program; else it is the system's.
    pub built_in: bool,
}

impl Tool {
    /// This program.
    pub fn this() -> Self {
        Self {
            name: env!("CARGO_PKG_NAME"),
            version: env!("CARGO_PKG_VERSION"),
            commit: COMMIT,
            target: TARGET,
            openssl: OpenSsl {
                version: openssl::version::version(),
                built_in: OPENSSL_BUILT_IN,
            },
        }
    }
}

/// What `--version` prints, if the arguments (without the program's name) ask
/// for nothing else: one line, or with `-v` also how it was built.
pub fn asked(args: &[OsString]) -> Option<String> {
    let (mut version, mut verbose) = (false, false);
    for arg in args {
        match arg.to_str()? {
            "--version" => version = true,
            "--verbose" => verbose = true,
            flags => {
                let letters = flags
                    .strip_prefix('-')
                    .filter(|letters| !letters.is_empty())?;
                for letter in letters.chars() {
                    match letter {
                        'V' => version = true,
                        'v' => verbose = true,
                        _ => return None,
                    }
                }
            }
        }
    }
    version.then(|| match verbose {
        true => long(),
        false => short(),
    })
}

fn short() -> String {
    let Tool { name, version, .. } = Tool::this();
    format!("{name} {version}\n")
}

fn long() -> String {
    let Tool {
        commit,
        target,
        openssl,
        ..
    } = Tool::this();
    let commit = commit.unwrap_or("unknown");
    let whose = match openssl.built_in {
        true => "built in",
        false => "the system's",
    };
    let features = match FEATURES {
        "" => "none",
        some => some,
    };
    let first = short();
    let openssl = openssl.version;
    format!(
        "{first}commit:   {commit}\n\
         target:   {target}\n\
         profile:  {PROFILE}\n\
         features: {features}\n\
         openssl:  {openssl}, {whose}\n\
         libssh2:  {LIBSSH2}\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked_by(args: &[&str]) -> Option<usize> {
        let args: Vec<OsString> = args.iter().map(OsString::from).collect();
        asked(&args).map(|text| text.lines().count())
    }

    #[test]
    fn a_version_is_asked_for_alone() {
        for args in [&["-V"][..], &["--version"], &["-V", "--version"]] {
            assert_eq!(asked_by(args), Some(1), "{args:?}");
        }
        let long = [
            &["-v", "--version"][..],
            &["--version", "-v"],
            &["-vV"],
            &["-Vv"],
            &["-vv", "-V"],
            &["--verbose", "--version"],
        ];
        for args in long {
            assert_eq!(asked_by(args), Some(7), "{args:?}");
        }
        let others = [
            &[][..],
            &["-v"],
            &["-"],
            &["--"],
            &["check", "--version"],
            &["--version", "check"],
            &["-Vx"],
        ];
        for args in others {
            assert_eq!(asked_by(args), None, "{args:?}");
        }
    }
}
