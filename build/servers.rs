//! `knowledge/ssh_servers.tsv`, read strictly: a row that says nothing, or a
//! template without balanced braces, is an error. The head of the file explains
//! the columns.

use super::page::check;

/// What an absent value is written as.
const NONE: &str = "-";

/// When a row is told, as the table and as the generated field name it.
const WHEN: [(&str, &str); 4] = [
    ("login", "login"),
    ("forward", "forward"),
    ("root-login", "root_login"),
    ("root-forward", "root_forward"),
];

/// One product, with its fixes by [`WHEN`].
#[derive(Debug)]
pub struct Server {
    pub software: String,
    pub name: String,
    pub fixes: [Vec<(String, Option<String>)>; WHEN.len()],
}

impl Server {
    /// The fixes with the field that holds them.
    pub fn fields(&self) -> impl Iterator<Item = (&'static str, &[(String, Option<String>)])> {
        let fields = WHEN.iter().map(|(_, field)| *field);
        fields.zip(self.fixes.iter().map(Vec::as_slice))
    }
}

/// Reads the table.
///
/// # Errors
/// The line that is wrong, and why.
pub fn parse(table: &str) -> Result<Vec<Server>, (usize, String)> {
    let mut servers: Vec<Server> = Vec::new();
    for (at, line) in table.lines().enumerate() {
        if !line.starts_with('#') && !line.is_empty() {
            row(line, &mut servers).map_err(|why| (at + 1, why))?;
        }
    }
    Ok(servers)
}

fn row(line: &str, servers: &mut Vec<Server>) -> Result<(), String> {
    let columns: Vec<&str> = line.split('\t').collect();
    let [software, name, when, fix, command, source] = columns[..] else {
        return Err(format!(
            "six columns are wanted, {} are there",
            columns.len()
        ));
    };
    if columns.iter().any(|c| c.is_empty() || *c != c.trim()) || source == NONE {
        return Err("a column is empty or has blanks around it".to_owned());
    }
    let when = WHEN.iter().position(|(word, _)| *word == when);
    let when = when.ok_or("when is login, forward, root-login or root-forward")?;
    let command = (command != NONE).then(|| command.to_owned());
    check(fix)?;
    check(command.as_deref().unwrap_or_default())?;
    if command.is_some() != fix.ends_with(':') {
        return Err("the text above a command, and no other, ends with a colon".to_owned());
    }
    let known = servers
        .iter()
        .position(|server| server.software == software);
    let at = match known {
        Some(at) if at + 1 == servers.len() && servers[at].name == name => at,
        Some(_) => return Err(format!("the rows of {software} are not together")),
        None => {
            servers.push(Server {
                software: software.to_owned(),
                name: name.to_owned(),
                fixes: Default::default(),
            });
            servers.len() - 1
        }
    };
    servers[at].fixes[when].push((fix.to_owned(), command));
    Ok(())
}
