//! Which files hold rule tests.

use anyhow::Context as _;
use anyhow::bail;
use std::path::Path;
use std::path::PathBuf;

/// How file names of rule tests end: what they test stands beside them or elsewhere, and
/// is never taken for one.
const ENDINGS: [&str; 2] = ["_test.yaml", "_test.yml"];

/// Deepest folder that is looked into: a path that is longer was not made by a person.
const MAX_DEPTH: usize = 16;

/// Most entries of folders that are looked at: a repository, but not a disk.
const MAX_ENTRIES: usize = 100_000;

/// Most files.
const MAX_FILES: usize = 1_000;

/// The files among `paths`, and those in the folders among them, at any depth, each
/// folder's by name. Hidden entries and links to folders are passed over.
pub(super) fn files(paths: &[PathBuf]) -> anyhow::Result<Vec<PathBuf>> {
    let mut search = Search { found: Vec::new(), seen: 0 };
    for path in paths {
        let begin = search.found.len();
        // A file that was named is meant, whatever it is called.
        if path.is_dir() {
            search.folder(path, 0)?;
        } else {
            search.found.push(path.clone());
        }
        if search.found.len() == begin {
            bail!("`{}` holds no file that is named `*{}`", path.display(), ENDINGS[0]);
        }
    }
    Ok(search.found)
}

struct Search {
    found: Vec<PathBuf>,
    seen: usize,
}

impl Search {
    fn folder(&mut self, folder: &Path, depth: usize) -> anyhow::Result<()> {
        let unreadable = || format!("cannot read `{}`", folder.display());
        let mut entries = Vec::new();
        for entry in std::fs::read_dir(folder).with_context(unreadable)? {
            self.seen += 1;
            if self.seen > MAX_ENTRIES {
                bail!("`{}` is in a tree of over {MAX_ENTRIES} files: name a smaller folder", folder.display());
            }
            entries.push(entry.with_context(unreadable)?);
        }
        entries.sort_by_key(std::fs::DirEntry::file_name);
        for entry in entries {
            let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
            if name.starts_with('.') {
                continue;
            }
            let kind = entry.file_type().with_context(unreadable)?;
            if kind.is_dir() {
                if depth == MAX_DEPTH {
                    bail!("`{}` lies more than {MAX_DEPTH} folders deep: name a folder nearer to it", path.display());
                }
                self.folder(&path, depth + 1)?;
            } else if ENDINGS.iter().any(|ending| name.ends_with(ending)) && path.is_file() {
                self.found.push(path);
            }
            if self.found.len() > MAX_FILES {
                bail!("`{}` brings more than {MAX_FILES} files of tests: name fewer", folder.display());
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_are_found_at_any_depth_in_order_and_nothing_else_is() {
        let home = tempfile::tempdir().unwrap();
        let made = ["b_test.yaml", "a/c_test.yml", "a/b/d_test.yaml", "a/rules.yaml", ".git/e_test.yaml", "test.yaml"];
        for file in made {
            let path = home.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
        }
        let found = files(&[home.path().to_owned()]).unwrap();
        let names: Vec<_> =
            found.iter().map(|path| path.strip_prefix(home.path()).unwrap().to_str().unwrap()).collect();
        assert_eq!(names, ["a/b/d_test.yaml", "a/c_test.yml", "b_test.yaml"]);
        let other = home.path().join("test.yaml");
        assert_eq!(files(std::slice::from_ref(&other)).unwrap(), [other]);
        // A file of tests that is not there is told when it is read; a folder without any, here.
        std::fs::create_dir(home.path().join("none")).unwrap();
        let none = files(&[home.path().to_owned(), home.path().join("none")]).unwrap_err().to_string();
        assert!(none.ends_with("none` holds no file that is named `*_test.yaml`"), "{none}");
    }

    #[test]
    fn a_folder_too_deep_to_be_meant_is_refused() {
        let home = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(home.path().join("d/".repeat(MAX_DEPTH + 1))).unwrap();
        assert!(files(&[home.path().to_owned()]).unwrap_err().to_string().contains("16 folders deep"));
    }
}
