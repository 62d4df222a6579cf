//! `knowledge/tokens.tsv`, read strictly. The head of the file explains the columns.

use super::providers::{NONE, ProviderRow, Wrong, address, list, rows};

/// A kind of token.
#[derive(Debug)]
pub struct TokenRow {
    pub name: String,
    pub form: &'static str,
    pub matches: Vec<String>,
    pub audiences: Vec<String>,
    pub users: Vec<String>,
    pub providers: Option<Vec<String>>,
}

/// Every kind of token.
pub fn tokens(table: &str, providers: &[ProviderRow]) -> Result<Vec<TokenRow>, Wrong> {
    rows(
        table,
        |[name, form, matches, audiences, users, accepted_by, source]| {
            address(source)?;
            if !name.starts_with("a ") && !name.starts_with("an ") {
                return Err(format!("{name:?} has no article"));
            }
            let form = match form {
                "aws" => "Aws",
                "jwt" => "Jwt",
                "text" => "Text",
                other => return Err(format!("{other:?} is no form")),
            };
            let accepted_by = match accepted_by {
                NONE => None,
                "none" => Some(Vec::new()),
                names => Some(list(names)),
            };
            let is_known = |name: &&String| providers.iter().any(|row| row.name == **name);
            let mut names = accepted_by.iter().flatten();
            if let Some(stranger) = names.find(|name| !is_known(name)) {
                return Err(format!("{stranger} is no provider"));
            }
            Ok(TokenRow {
                name: name.to_owned(),
                form,
                matches: list(matches),
                audiences: list(audiences),
                users: list(users),
                providers: accepted_by,
            })
        },
    )
}
