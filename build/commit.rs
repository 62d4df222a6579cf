//! The commit that is built, for `--version` and the reports: null rather than
//! a guess.

use std::path::Path;
use std::process::Command;

/// What a packager may set where there is neither a repository nor cargo's note.
const VARIABLE: &str = "DBDOCTOR_COMMIT";

/// What `cargo package` puts into a source archive.
const NOTE: &str = ".cargo_vcs_info.json";

/// The commit, of the variable, of the archive that `cargo package` made, or of
/// the repository whose top this is.
pub fn find() -> Option<String> {
    println!("cargo:rerun-if-env-changed={VARIABLE}");
    let named = std::env::var(VARIABLE).ok().filter(|name| !name.is_empty());
    let found = named.or_else(noted).or_else(checked_out)?;
    is_commit(&found).then_some(found)
}

fn is_commit(text: &str) -> bool {
    (7..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// The only long hexadecimal number of cargo's note is the commit.
fn noted() -> Option<String> {
    let note = std::fs::read_to_string(NOTE).ok()?;
    let mut strings = note.split('"');
    strings
        .find(|text| text.len() >= 40 && is_commit(text))
        .map(str::to_owned)
}

fn checked_out() -> Option<String> {
    let here = std::env::current_dir().ok()?.canonicalize().ok()?;
    // The sources may lie in a folder of somebody else's repository.
    let top = git(&["rev-parse", "--show-toplevel"])?;
    if Path::new(&top).canonicalize().ok()? != here {
        return None;
    }
    let branch = git(&["symbolic-ref", "--quiet", "HEAD"]);
    // The log of HEAD tells of a new commit where the branch is in no file of its own.
    let moves = ["HEAD", "logs/HEAD"].into_iter().chain(branch.as_deref());
    for file in moves.filter_map(|name| git(&["rev-parse", "--git-path", name])) {
        // A missing file would have cargo build everything anew each time.
        if Path::new(&file).exists() {
            println!("cargo:rerun-if-changed={file}");
        }
    }
    git(&["rev-parse", "HEAD"])
}

/// The first line that git prints, where it is installed and succeeds.
fn git(args: &[&str]) -> Option<String> {
    // Whoever owns the folder: nothing of its configuration is run here.
    let trusted = format!(
        "safe.directory={}",
        std::env::var("CARGO_MANIFEST_DIR").ok()?
    );
    let output = Command::new("git")
        .args(["-c", &trusted])
        .args(args)
        .output()
        .ok()?;
    let line = String::from_utf8(output.stdout).ok()?;
    (output.status.success() && !line.is_empty()).then(|| line.trim_end().to_owned())
}
