//! The files of another process: any of them may be large, a pipe, or written
//! to mislead.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

/// More than a description of a package needs, in bytes.
const LARGEST: u64 = 1 << 20;
/// A directory is read no further.
const MOST_ENTRIES: usize = 20_000;

/// Its files, by the paths that the process itself uses.
pub struct Files<'a> {
    root: &'a Path,
}

impl<'a> Files<'a> {
    /// Those below this directory.
    pub fn under(root: &'a Path) -> Self {
        Self { root }
    }

    fn at(&self, path: &Path) -> PathBuf {
        self.root.join(path.strip_prefix("/").unwrap_or(path))
    }

    /// Opens a plain file: nothing that could be waited for.
    pub fn open(&self, path: &Path) -> Option<File> {
        let path = self.at(path);
        fs::metadata(&path).ok().filter(fs::Metadata::is_file)?;
        File::open(path).ok()
    }

    /// The text of a small file.
    pub fn text(&self, path: &Path) -> Option<String> {
        let mut bytes = Vec::new();
        let file = self.open(path)?;
        file.take(LARGEST).read_to_end(&mut bytes).ok()?;
        Some(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// The names in a directory, in order.
    pub fn names(&self, directory: &Path) -> Vec<String> {
        let entries = fs::read_dir(self.at(directory));
        let entries = entries.into_iter().flatten().flatten().take(MOST_ENTRIES);
        let mut names: Vec<String> = entries
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }
}
