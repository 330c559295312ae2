//! Rule files on disk that change while the engine runs.

use super::world::World;
use super::world::json;
use super::world::named;
use super::world::open;
use super::world::queue;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use wavegate::engine::Folders;
use wavegate::engine::Watch;
use wavegate::telemetry::Metrics;

/// Texts of rule files that a world knows by name, with `depth` for a maximum.
fn text(name: &str, depth: u32) -> String {
    queue(name).text.replace("max: 10", &format!("max: {depth}"))
}

fn put(folder: &Path, name: &str, depth: u32) {
    fs::write(folder.join(format!("{name}.yaml")), text(name, depth)).unwrap();
}

struct Folder {
    world: World,
    place: tempfile::TempDir,
    metrics: Arc<Metrics>,
    watch: Watch,
}

impl Folder {
    /// A world whose folder holds `checkout` alone, which is in force.
    async fn new() -> Self {
        let (world, place) = (World::new().await, tempfile::tempdir().unwrap());
        let metrics = Arc::new(Metrics::new());
        put(place.path(), "checkout", 10);
        let folders = Folders { rules: place.path().to_owned(), ..Folders::default() };
        let watch = Watch::new(folders, world.handle.clone(), Arc::clone(&metrics), world.clock);
        let mut new = Self { world, place, metrics, watch };
        new.watch.reload().await;
        assert_eq!(new.names(), "checkout");
        new
    }

    fn names(&self) -> String {
        self.world.handle.rules().book().names()
    }

    fn trouble(&self) -> Option<String> {
        self.world.handle.rules().last_reload().trouble.as_ref().map(|trouble| trouble.message.clone())
    }

    fn counted(&self, line: &str) -> bool {
        self.metrics.encode().lines().any(|found| found == line)
    }

    async fn glances(&mut self, count: u32) {
        for _ in 0..count {
            self.watch.glance().await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_file_is_taken_once_it_has_stood_still() {
    let mut folder = Folder::new().await;
    put(folder.place.path(), "payments", 10);
    folder.glances(1).await;
    assert_eq!(folder.names(), "checkout", "it may be half written");
    // It goes on being written.
    put(folder.place.path(), "payments", 20);
    folder.glances(1).await;
    assert_eq!(folder.names(), "checkout");
    folder.glances(1).await;
    assert_eq!(folder.names(), "checkout, payments");
    assert!(folder.world.handle.rules().book().get(&named("payments")).unwrap().text.contains("max: 20"));
    folder.glances(5).await;
    assert!(folder.counted("wavegate_rules_reloads_total{result=\"success\"} 2"), "{}", folder.metrics.encode());
}

#[tokio::test(start_paused = true)]
async fn every_way_to_change_a_file_is_seen() {
    let mut folder = Folder::new().await;
    let path = folder.place.path().to_owned();
    // In place, by the same number of bytes.
    put(&path, "checkout", 11);
    folder.glances(2).await;
    let holds = |folder: &Folder, line: &str| {
        folder.world.handle.rules().book().get(&named("checkout")).unwrap().text.contains(line)
    };
    assert!(holds(&folder, "max: 11"));
    // By a rename over it.
    fs::write(path.join(".checkout.tmp"), text("checkout", 12)).unwrap();
    fs::rename(path.join(".checkout.tmp"), path.join("checkout.yaml")).unwrap();
    folder.glances(2).await;
    assert!(holds(&folder, "max: 12"));
    // As Kubernetes mounts a ConfigMap: a link to a link that is swapped as one.
    for version in [13, 14] {
        let real = path.join(format!("..{version}"));
        fs::create_dir(&real).unwrap();
        put(&real, "checkout", version);
        symlink(format!("..{version}"), path.join("..next")).unwrap();
        fs::rename(path.join("..next"), path.join("..data")).unwrap();
        if version == 13 {
            fs::remove_file(path.join("checkout.yaml")).unwrap();
            symlink("..data/checkout.yaml", path.join("checkout.yaml")).unwrap();
        }
        folder.glances(2).await;
        assert!(holds(&folder, &format!("max: {version}")));
    }
    // By a removal, once another file is there.
    put(&path, "payments", 10);
    fs::remove_file(path.join("checkout.yaml")).unwrap();
    folder.glances(2).await;
    assert_eq!(folder.names(), "payments");
}

#[tokio::test(start_paused = true)]
async fn a_bad_file_changes_nothing_and_is_told_until_it_is_mended() {
    let mut folder = Folder::new().await;
    let path = folder.place.path().to_owned();
    let digest = folder.world.handle.rules().digest();
    put(&path, "payments", 10);
    fs::write(path.join("errors.yaml"), text("errors", 10).replace("breach:", "braech:")).unwrap();
    folder.glances(4).await;
    assert_eq!(folder.names(), "checkout", "all or nothing");
    assert!(folder.counted("wavegate_rules_reloads_total{result=\"failure\"} 1"), "refused once");
    assert!(folder.counted("wavegate_rules_last_reload_successful 0"));
    let readiness = folder.world.handle.readiness();
    assert!(readiness.checks.iter().all(|(_, fault)| fault.is_none()), "the old rules go on");
    let [("rules", remark)] = &readiness.remarks[..] else { panic!("{readiness:?}") };
    for part in ["reload failed at 2026-11-22T12:00:", "errors.yaml:", "unknown_key", "still running", digest.as_str()]
    {
        assert!(remark.contains(part), "`{part}` is not in {remark}");
    }
    let shelf = folder.world.handle.rules();
    assert!(shelf.last_reload().trouble.as_ref().is_some_and(|trouble| !trouble.diagnostics.is_empty()));

    fs::remove_file(path.join("errors.yaml")).unwrap();
    folder.glances(2).await;
    assert_eq!((folder.names(), folder.trouble()), ("checkout, payments".to_owned(), None));
    assert!(folder.world.handle.readiness().remarks.is_empty());
}

#[tokio::test(start_paused = true)]
async fn taking_back_what_was_bad_is_good_again_and_an_empty_folder_is_not() {
    let mut folder = Folder::new().await;
    let path = folder.place.path().join("checkout.yaml");
    let good = fs::read_to_string(&path).unwrap();
    fs::write(&path, "no: rules").unwrap();
    folder.glances(2).await;
    assert!(folder.trouble().is_some());
    fs::write(&path, &good).unwrap();
    folder.glances(2).await;
    assert_eq!(folder.trouble(), None);

    fs::remove_file(&path).unwrap();
    folder.glances(3).await;
    assert!(folder.trouble().is_some_and(|trouble| trouble.contains("holds no .yaml file")), "{:?}", folder.trouble());
    assert_eq!(folder.names(), "checkout");
    assert!(folder.counted("wavegate_rules_reloads_total{result=\"failure\"} 2"));
}

#[tokio::test(start_paused = true)]
async fn a_running_gate_keeps_its_digest_and_the_next_one_gets_the_new() {
    let mut folder = Folder::new().await;
    let first = folder.world.handle.open(open("w", &["checkout"])).await.unwrap();
    let digest = json(&first)["gates"][0]["rules_digest"].clone();
    tokio::time::sleep(Duration::from_mins(1)).await;
    put(folder.place.path(), "checkout", 11);
    folder.glances(2).await;
    let now = folder.world.now("w", None).await;
    assert_eq!(json(&now)["gates"][0]["rules_digest"], digest);
    folder.world.handle.open(open("x", &["checkout"])).await.unwrap();
    let now = folder.world.now("x", None).await;
    assert_ne!(json(&now)["gates"][0]["rules_digest"], digest);
    let passed = folder.world.is_final("w", None).await;
    assert_eq!(json(&passed)["verdict"], "pass");
}

#[tokio::test(start_paused = true)]
async fn a_file_that_did_not_change_was_loaded_when_it_was() {
    let mut folder = Folder::new().await;
    tokio::time::sleep(Duration::from_mins(1)).await;
    put(folder.place.path(), "payments", 10);
    folder.glances(2).await;
    let shelf = folder.world.handle.rules();
    let since = |name: &str| shelf.entry(&named(name)).unwrap().1;
    assert_eq!(since("payments"), since("checkout") + Duration::from_mins(1));
}
