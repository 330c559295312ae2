//! Keeps the arrows of `ARCHITECTURE.md` true: a module may name only the
//! modules that the table grants it, and the core may not name the world.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// Who may import whom, lowest first. A module that is not listed does not exist.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    // The core: pure, synchronous, total.
    ("series", &[]),
    ("stats", &[]),
    ("rules", &["series"]),
    ("judge", &["rules", "series", "stats"]),
    ("wave", &["judge", "rules", "series"]),
    ("plan", &["judge", "rules", "series", "stats"]),
    // The shell: everything that waits, fails or talks.
    ("wire", &["judge", "plan", "rules", "series", "wave"]),
    ("sources", &["rules", "series", "telemetry", "wire"]),
    ("store", &["judge", "rules", "series", "telemetry", "wave", "wire"]),
    ("delivery", &["judge", "rules", "series", "store", "telemetry", "wave", "wire"]),
    ("engine", &["delivery", "judge", "plan", "rules", "series", "sources", "store", "telemetry", "wave", "wire"]),
    ("report", &["telemetry", "wire"]),
    ("http", &["engine", "judge", "report", "rules", "series", "store", "telemetry", "wave", "wire"]),
    ("config", &["delivery", "engine", "http", "sources", "store", "telemetry"]),
    ("telemetry", &[]),
];

/// The roots wire everything together and may see everything.
const ROOTS: &[&str] = &["main", "lib", "app", "cli"];

/// The core ends here; what follows may not be named above this line.
const CORE: &[&str] = &["series", "stats", "rules", "judge", "wave", "plan"];
const WORLD: &[&str] = &["tokio", "reqwest", "sqlx", "axum", "tracing", "std::fs", "std::net", "std::env", ".await"];

#[test]
fn arrows_point_one_way() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut faults = Vec::new();

    for path in rust_files(&src) {
        let file = path.strip_prefix(&src).expect("under src").display().to_string();
        let module = file.split(['/', '.']).next().expect("a name");
        if ROOTS.contains(&module) {
            continue;
        }
        let Some((_, allowed)) = MAY_IMPORT.iter().find(|(name, _)| *name == module) else {
            faults.push(format!("{file}: `{module}` is not in the table"));
            continue;
        };
        let code = without_comments(&fs::read_to_string(&path).expect("readable"));
        for target in named_after_crate(&code) {
            if target != module && !allowed.contains(&target) {
                faults.push(format!("{file}: `{module}` must not name `{target}`"));
            }
        }
        if CORE.contains(&module) {
            for word in WORLD {
                if code.contains(word) {
                    faults.push(format!("{file}: the core must not name `{word}`"));
                }
            }
        }
    }

    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
}

/// The word after each `crate::`. A grouped `crate::{…}` yields the empty word,
/// which no table grants: write one `use` per module.
fn named_after_crate(code: &str) -> impl Iterator<Item = &str> {
    code.split("crate::").skip(1).map(|rest| {
        let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
        &rest[..end]
    })
}

fn without_comments(text: &str) -> String {
    text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

fn rust_files(dir: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(dir).expect("readable") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files.sort();
    files
}
