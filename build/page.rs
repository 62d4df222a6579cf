//! A page of `causes/`, read strictly: what has no place in it is an error.
//!
//! ````text
//! ---
//! severity: fail
//! retryable: false
//! since: 0.1.0
//! ---
//! # The title
//!
//! The finding's sentence, with {values}.
//!
//! ## Meaning
//!
//! What it means, and how it differs from its neighbours.
//!
//! ## What to do
//!
//! 1. The first fix:
//!
//!    ```sh
//!    a command to paste
//!    ```
//! 2. The second fix.
//! ````
//!
//! What drivers print for it stands in `knowledge/texts.tsv`.

/// What a page says.
pub struct Page {
    /// `Fail` or `Warn`.
    pub severity: &'static str,
    /// Whether `--wait` tries again.
    pub retryable: bool,
    /// The version that brought it.
    pub since: String,
    pub title: String,
    pub summary: String,
    pub meaning: String,
    /// Texts with their commands.
    pub fixes: Vec<(String, Option<String>)>,
}

/// Where a page is wrong, and how.
type Wrong = (usize, String);

/// The lines of a page, with their numbers.
struct Lines<'a> {
    lines: Vec<&'a str>,
    at: usize,
}

impl<'a> Lines<'a> {
    fn peek(&self) -> Option<&'a str> {
        self.lines.get(self.at).copied()
    }

    fn wrong<T>(&self, why: impl Into<String>) -> Result<T, Wrong> {
        Err((self.at + 1, why.into()))
    }

    /// The next line, which must be this.
    fn expect(&mut self, wanted: &str) -> Result<(), Wrong> {
        match self.peek() {
            Some(line) if line == wanted => {
                self.at += 1;
                Ok(())
            }
            _ => self.wrong(format!("here stands {wanted:?}")),
        }
    }

    fn blanks(&mut self) {
        while self.peek() == Some("") {
            self.at += 1;
        }
    }

    /// The lines up to a blank one or a heading, indented by `indent`, as one.
    fn paragraph(&mut self, indent: &str) -> Result<String, Wrong> {
        let mut words = Vec::new();
        while let Some(line) = self.peek()
            && let Some(text) = line.strip_prefix(indent)
            && !text.is_empty()
            && !text.starts_with("```")
        {
            if text != text.trim() || text.contains("  ") {
                return self.wrong("blanks where there should be none");
            }
            if text.starts_with('#') {
                break;
            }
            words.push(text);
            self.at += 1;
        }
        match words.is_empty() {
            true => self.wrong("a paragraph is missing"),
            false => Ok(words.join(" ")),
        }
    }

    /// What stands in a fence of this kind, indented by `indent`.
    fn fence(&mut self, indent: &str, kind: &str) -> Result<Vec<&'a str>, Wrong> {
        self.expect(&format!("{indent}```{kind}"))?;
        let mut inside = Vec::new();
        while let Some(line) = self.peek() {
            self.at += 1;
            match line.strip_prefix(indent) {
                Some("```") => return Ok(inside),
                Some(text) => inside.push(text),
                None => break,
            }
        }
        self.wrong("the fence is not closed")
    }
}

impl Page {
    /// Reads a page.
    ///
    /// # Errors
    /// The line that is wrong, and why.
    pub fn parse(text: &str) -> Result<Self, Wrong> {
        let mut lines = Lines {
            lines: text.lines().collect(),
            at: 0,
        };
        lines.expect("---")?;
        let mut value = |name: &str| match lines.peek().and_then(|line| line.strip_prefix(name)) {
            Some(value) if value.starts_with(": ") => {
                lines.at += 1;
                Ok(value[2..].to_owned())
            }
            _ => lines.wrong(format!("here stands {name}: VALUE")),
        };
        let severity = value("severity")?;
        let retryable = value("retryable")?;
        let since = value("since")?;
        let severity = match severity.as_str() {
            "fail" => "Fail",
            "warn" => "Warn",
            _ => return Err((2, "severity is fail or warn".to_owned())),
        };
        let Ok(retryable) = retryable.parse() else {
            return Err((3, "retryable is true or false".to_owned()));
        };
        lines.expect("---")?;
        let title = match lines.peek().and_then(|line| line.strip_prefix("# ")) {
            Some(title) if !title.ends_with('.') && !title.contains(['{', '}']) => title.to_owned(),
            _ => return lines.wrong("here stands # TITLE, without a full stop or a value"),
        };
        lines.at += 1;
        lines.blanks();
        let summary = template(&mut lines, "")?;
        lines.blanks();
        lines.expect("## Meaning")?;
        let mut meaning = Vec::new();
        lines.blanks();
        while lines.peek().is_some_and(|line| !line.starts_with('#')) {
            meaning.push(lines.paragraph("")?);
            lines.blanks();
        }
        lines.expect("## What to do")?;
        let fixes = fixes(&mut lines)?;
        if lines.peek().is_some() {
            return lines.wrong("nothing stands behind the last section");
        }
        Ok(Self {
            severity,
            retryable,
            since,
            title,
            summary,
            meaning: meaning.join("\n\n"),
            fixes,
        })
    }
}

/// The numbered fixes.
fn fixes(lines: &mut Lines<'_>) -> Result<Vec<(String, Option<String>)>, Wrong> {
    const INDENT: &str = "   ";
    let mut fixes = Vec::new();
    lines.blanks();
    while let Some(line) = lines.peek().filter(|line| !line.starts_with('#')) {
        let number = format!("{}. ", fixes.len() + 1);
        let Some(first) = line.strip_prefix(&number) else {
            return lines.wrong(format!("here stands fix {number}"));
        };
        let begins = lines.at;
        lines.at += 1;
        let mut text = first.to_owned();
        if lines.peek().is_some_and(|line| line.starts_with(INDENT)) {
            text = format!("{text} {}", lines.paragraph(INDENT)?);
        }
        check(&text).map_err(|why| (begins + 1, why))?;
        lines.blanks();
        let mut command = None;
        if lines.peek() == Some("   ```sh") {
            let begins = lines.at;
            let text = lines.fence(INDENT, "sh")?.join("\n");
            check(&text).map_err(|why| (begins + 1, why))?;
            command = Some(text);
            lines.blanks();
        }
        fixes.push((text, command));
    }
    match fixes.is_empty() {
        true => lines.wrong("there is no fix"),
        false => Ok(fixes),
    }
}

/// A paragraph that is a template.
fn template(lines: &mut Lines<'_>, indent: &str) -> Result<String, Wrong> {
    let begins = lines.at;
    let text = lines.paragraph(indent)?;
    check(&text).map_err(|why| (begins + 1, why))?;
    Ok(text)
}

/// Whether the braces of a template name evidence: `{name}`, `{name|wording}`,
/// `{name?wording}`; `{{` and `}}` are braces.
pub fn check(template: &str) -> Result<(), String> {
    let plain = template.replace("{{", "").replace("}}", "");
    let mut parts = plain.split('{');
    if parts.next().is_some_and(|before| before.contains('}')) {
        return Err("a } without its {".to_owned());
    }
    for part in parts {
        let Some((inside, after)) = part.split_once('}') else {
            return Err("a { without its }".to_owned());
        };
        let name = inside.split(['|', '?']).next().unwrap_or_default();
        let is_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        if name.is_empty() || !name.chars().all(is_name) {
            return Err(format!("{{{inside}}} names no evidence"));
        }
        if after.contains('}') {
            return Err("a } without its {".to_owned());
        }
    }
    Ok(())
}
