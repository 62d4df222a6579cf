//! DSNs of PHP's PDO (`pgsql:host=db;dbname=app`): a connection string in which every
//! semicolon counts as a space, also inside quotes (php-src,
//! `pdo_pgsql_handle_factory`).

use super::catalog;
use super::conninfo;
use super::parse::{self, Reading};
use crate::finding::Finding;

/// Reads what is behind `pgsql:` as PDO hands it to libpq. `text` is the whole DSN.
///
/// # Errors
/// What PDO or libpq refuses.
pub fn read(text: &str, settings: &str, source: &str) -> Result<Reading, Finding> {
    if !text.starts_with("pgsql:") {
        let problem = "PDO reads \"pgsql:\" in lower case only";
        return Err(parse::syntax(source, problem, None));
    }
    let handed = settings.replace(';', " ");
    let mut reading = match parse::read_conninfo(&handed, source) {
        Err(_) if semicolon_in_password(settings) => return Err(semicolon(source)),
        read => read?,
    };
    if semicolon_in_quotes(settings) {
        reading.warnings.push(semicolon(source).as_warning());
    }
    Ok(reading)
}

/// Whether what follows the password is no setting, so that it most likely belongs to it.
fn semicolon_in_password(settings: &str) -> bool {
    let parts: Vec<&str> = settings.split(';').map(str::trim).collect();
    let name = |part: &str| part.split_once('=').map(|(name, _)| name.trim().to_owned());
    let known = |part: &str| name(part).is_some_and(|name| catalog::find(&name).is_some());
    parts.windows(2).any(|pair| match pair {
        [before, after] => {
            name(before).as_deref() == Some("password") && !after.is_empty() && !known(after)
        }
        _ => false,
    })
}

/// Whether a value in quotes has a semicolon, which only PDO changes.
fn semicolon_in_quotes(settings: &str) -> bool {
    let mut before = '\0';
    let (mut quoted, mut escaped) = (false, false);
    let mut outside = String::with_capacity(settings.len());
    for c in settings.chars() {
        let quote = c == '\'' && !escaped && (quoted || before == '=');
        quoted ^= quote;
        outside.push(if c == ';' && !quoted { ' ' } else { c });
        escaped = c == '\\' && !escaped;
        if !c.is_whitespace() {
            before = c;
        }
    }
    conninfo::parse(&outside).is_ok_and(|read| {
        conninfo::parse(&settings.replace(';', " ")).is_ok_and(|handed| handed != read)
    })
}

fn semicolon(source: &str) -> Finding {
    let problem = "PDO turns each \";\" of a DSN into a space, and the password contains one";
    parse::syntax(source, problem, None).fix(
        "Pass the user name and the password as the second and third arguments of new \
         PDO(…), where every character is allowed, and remove them from the DSN.",
        None,
    )
}
