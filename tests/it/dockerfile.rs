//! The Dockerfile, as far as it can be checked without an engine that builds it:
//! what it starts from, what it copies, what it runs, and as whom.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

/// What one stage does, an instruction and its arguments each.
struct Stage {
    image: String,
    steps: Vec<(String, String)>,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(file: &str) -> String {
    fs::read_to_string(root().join(file)).expect(file)
}

/// Comments out, continued lines joined, one stage a FROM.
fn stages() -> Vec<Stage> {
    let text = read("Dockerfile");
    let code: Vec<&str> = text.lines().filter(|line| !line.trim_start().starts_with('#')).collect();
    let joined = code.join("\n").replace("\\\n", " ");
    let mut stages: Vec<Stage> = Vec::new();
    for line in joined.lines().filter(|line| !line.trim().is_empty()) {
        let (instruction, arguments) = line.split_once(' ').expect("an instruction with arguments");
        let arguments = arguments.split_whitespace().collect::<Vec<_>>().join(" ");
        if instruction == "FROM" {
            stages.push(Stage { image: arguments, steps: Vec::new() });
        } else {
            stages.last_mut().expect("FROM comes first").steps.push((instruction.to_owned(), arguments));
        }
    }
    stages
}

impl Stage {
    fn all<'a>(&'a self, instruction: &'a str) -> impl Iterator<Item = &'a str> {
        self.steps.iter().filter(move |(found, _)| found == instruction).map(|(_, arguments)| arguments.as_str())
    }

    #[track_caller]
    fn one<'a>(&'a self, instruction: &'a str) -> &'a str {
        let found: Vec<&str> = self.all(instruction).collect();
        assert_eq!(found.len(), 1, "{instruction}: {found:?}");
        found[0]
    }

    /// What is copied from the context, not from another stage.
    fn copied(&self) -> Vec<&str> {
        let from_context = self.all("COPY").filter(|arguments| !arguments.contains("--from="));
        from_context.flat_map(|arguments| arguments.rsplit_once(' ').expect("a place").0.split(' ')).collect()
    }
}

fn build_and_runtime() -> (Stage, Stage) {
    let mut stages = stages();
    assert_eq!(stages.len(), 2);
    let runtime = stages.pop().expect("two");
    (stages.pop().expect("one"), runtime)
}

#[test]
fn it_is_built_by_the_compiler_that_is_pinned() {
    let (build, _) = build_and_runtime();
    let toolchain = read("rust-toolchain.toml");
    let version =
        toolchain.lines().find_map(|line| line.strip_prefix("channel = ")).expect("a channel").trim_matches('"');
    assert_eq!(build.image, format!("rust:{version}-bookworm AS build"));
    // Were it in the context, rustup would fetch the components that it lists.
    assert!(!build.copied().contains(&"rust-toolchain.toml"));
    assert!(build.all("RUN").any(|run| run == "cargo build --release --locked --bin wavegate"));
}

#[test]
fn what_is_copied_exists_and_is_in_the_context() {
    let ignored = read(".dockerignore");
    let rules: Vec<&str> = ignored.lines().filter(|line| !line.starts_with('#')).collect();
    assert_eq!(rules.first(), Some(&"*"));
    let let_in: BTreeSet<&str> = rules.iter().filter_map(|rule| rule.strip_prefix('!')).collect();
    let (build, runtime) = build_and_runtime();
    let copied: BTreeSet<&str> = build.copied().into_iter().chain(runtime.copied()).collect();
    assert_eq!(copied, let_in);
    for path in copied {
        assert!(root().join(path).exists(), "{path}");
    }
}

/// Every RUN of the build stage, by a shell as there, in a folder that holds what was
/// copied and nothing else. Optimising is left out: it proves nothing here.
#[test]
fn its_build_steps_run_in_what_is_copied() {
    let (build, runtime) = build_and_runtime();
    let context = tempfile::tempdir().expect("a folder");
    let root_of_image = tempfile::tempdir().expect("a folder");
    for path in build.copied() {
        copy(&root().join(path), &context.path().join(path));
    }
    let target = root().join("target/image");
    for run in build.all("RUN") {
        let inside = format!(" {}/data", root_of_image.path().display());
        let ran = Command::new("sh")
            .args(["-ec", &run.replace(" /data", &inside)])
            .current_dir(context.path())
            .env("CARGO_TARGET_DIR", &target)
            .env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "0")
            .env("CARGO_PROFILE_RELEASE_LTO", "off")
            .env("CARGO_NET_OFFLINE", "true")
            .output()
            .expect("a shell runs");
        assert!(ran.status.success(), "{run}\n{}", String::from_utf8_lossy(&ran.stderr));
    }
    assert!(root_of_image.path().join("data").is_dir());
    let made = runtime.all("COPY").find_map(|copy| copy.strip_prefix("--from=build /src/target/"));
    let made = target.join(made.and_then(|made| made.split(' ').next()).expect("the binary"));
    let version = Command::new(made).arg("--version").output().expect("it runs");
    assert_eq!(String::from_utf8_lossy(&version.stdout).trim(), concat!("wavegate ", env!("CARGO_PKG_VERSION")));
}

#[test]
fn it_runs_as_nobody_and_writes_only_its_volume() {
    let (build, runtime) = build_and_runtime();
    assert_eq!(runtime.image, "gcr.io/distroless/cc-debian12:nonroot");
    assert_eq!(runtime.one("USER"), "65532:65532");
    assert_eq!(runtime.one("VOLUME"), "/data");
    assert_eq!(runtime.one("WORKDIR"), "/data");
    assert_eq!(runtime.one("EXPOSE"), "9466");
    // No shell is there to run anything.
    assert_eq!(runtime.all("RUN").count(), 0);
    let copies: Vec<&str> = runtime.all("COPY").collect();
    assert!(copies.contains(&"--from=build /src/target/release/wavegate /usr/local/bin/wavegate"), "{copies:?}");
    assert!(copies.contains(&"--from=build --chown=65532:65532 /data /data"), "{copies:?}");
    assert_eq!(build.one("WORKDIR"), "/src");
    for variable in runtime.one("ENV").split(' ') {
        let (name, value) = variable.split_once('=').expect("a value");
        assert!(!name.contains("PATH") || value.starts_with("/data/"), "{variable}");
    }
}

#[test]
fn its_variables_are_settings_and_its_commands_are_ours() {
    let (_, runtime) = build_and_runtime();
    let health = runtime.one("HEALTHCHECK");
    assert!(health.ends_with(r#"CMD ["/usr/local/bin/wavegate", "healthcheck"]"#), "{health}");
    assert_eq!(runtime.one("ENTRYPOINT"), r#"["/usr/local/bin/wavegate"]"#);
    assert_eq!(runtime.one("CMD"), r#"["serve"]"#);
    for command in ["serve", "healthcheck"] {
        let help = Command::new(env!("CARGO_BIN_EXE_wavegate")).args([command, "--help"]).output().expect("it runs");
        assert!(help.status.success(), "{command}");
    }
    let environment = runtime.one("ENV").split(' ').map(|variable| {
        let (name, value) = variable.split_once('=').expect("a value");
        (name.to_owned(), value.to_owned())
    });
    let inputs = wavegate::config::Inputs { environment: environment.collect(), ..Default::default() };
    let config = wavegate::config::Config::load(&inputs).expect("settings");
    assert_eq!(config.listen.to_string(), "0.0.0.0:9466");
    assert_eq!(config.rules_dir, Path::new("/etc/wavegate/rules"));
}

fn copy(from: &Path, to: &Path) {
    if from.is_file() {
        fs::copy(from, to).expect("copied");
        return;
    }
    fs::create_dir_all(to).expect("made");
    for entry in fs::read_dir(from).expect("readable") {
        let path = entry.expect("an entry").path();
        copy(&path, &to.join(path.file_name().expect("a name")));
    }
}
