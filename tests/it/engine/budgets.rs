//! Error budgets: read once, kept, and minded by every gate of the service.

use crate::engine::world::NOON;
use crate::engine::world::World;
use crate::engine::world::entry;
use crate::engine::world::json;
use crate::engine::world::named;
use crate::engine::world::open;
use crate::engine::world::text;
use crate::engine::world::wave;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use wavegate::engine;
use wavegate::engine::AccountView;
use wavegate::engine::BookEntry;
use wavegate::engine::Folders;
use wavegate::engine::Open;
use wavegate::engine::Past;
use wavegate::engine::RuleBook;
use wavegate::engine::SloBook;
use wavegate::engine::Watch;
use wavegate::rules;
use wavegate::rules::Class;
use wavegate::rules::SloName;
use wavegate::series::Timestamp;
use wavegate::series::Window;
use wavegate::sources::recording;
use wavegate::sources::recording::Answers;
use wavegate::telemetry::Metrics;
use wavegate::wave::Verdict;

const MINUTE: Duration = Duration::from_mins(1);

/// What is always kept before the period of a week: two days.
const KEPT: Duration = Duration::from_hours(9 * 24);

/// The SLO of the shop, with `more` keys.
fn slo(name: &str, more: &str) -> String {
    format!(
        "version: 1\nname: {name}\nservice: shop\nobjective: 99.9%\nperiod: 7d\nindicator:\n  \
         ratio: {{ bad: shop_{name}_errors_total, total: shop_{name}_requests_total }}\n{more}"
    )
}

/// A gate that minds `slo`, whose text is `promise`.
fn gate(name: &str, slo: &str, promise: &str) -> BookEntry {
    let own = format!(
        "version: 1\nname: {name}\nbudget: {{ slo: {slo} }}\n\
         schedule: {{ interval: 15s, warmup: 30s, min_duration: 3m, deadline: 40m }}\n\
         checks:\n  - name: queue\n    threshold: queue_depth\n    max: 10\n    breach: 1 of 1\n\
         \x20   match: {{ canary: 'wave_id=\"$wave\"' }}\n"
    );
    entry(&rules::bundle_slo(&own, slo, promise))
}

/// The gates `checkout` and `payments` of the shop.
fn shop(more: &str) -> RuleBook {
    let promise = slo("shop", more);
    book([gate("checkout", "shop", &promise), gate("payments", "shop", &promise)], &[&promise])
}

fn book(gates: impl IntoIterator<Item = BookEntry>, promises: &[&str]) -> RuleBook {
    let mut slos = SloBook::default();
    for (place, text) in promises.iter().enumerate() {
        slos.with_text(PathBuf::from(format!("slo{place}.yaml")), (*text).to_owned()).unwrap();
    }
    RuleBook::of(gates).with_slos(slos)
}

fn account(world: &World, name: &str) -> Arc<AccountView> {
    world.handle.account(&SloName::new(name).unwrap()).unwrap()
}

/// How much of the whole shop's past was asked for since `then`, in how many questions.
fn asked_since(world: &World, then: Timestamp) -> (Duration, usize) {
    let asked = world.source.asked();
    let own = asked.iter().filter(|(query, _, at)| then <= *at && query.starts_with("shop_shop_requests_total"));
    let own: Vec<Window> = own.filter(|(query, ..)| !query.contains("wave_id")).map(|(_, window, _)| *window).collect();
    (own.iter().map(Window::length).sum(), own.len())
}

#[tokio::test(start_paused = true)]
async fn the_first_start_reads_the_period_and_a_restart_what_is_new() {
    let world = World::of(shop(""), |_| ()).await;
    assert_eq!(account(&world, "shop").upkeep.loading, Some(0.0), "nothing was read yet");
    tokio::time::sleep(MINUTE).await;
    let kept = account(&world, "shop");
    assert_eq!((kept.upkeep.loading, kept.upkeep.trouble.clone()), (None, None));
    let (first, _) = asked_since(&world, NOON);
    assert!(KEPT <= first && first <= KEPT + Duration::from_hours(24), "{first:?}");

    let then = world.clock.now();
    tokio::time::sleep(MINUTE * 30 + Duration::from_secs(5)).await;
    let (more, questions) = asked_since(&world, then);
    assert!((29..=31).contains(&questions), "{questions}: one a minute");
    assert!(more <= MINUTE * 8 * 31, "{more:?}: three slices, and what an increment reaches back");
    let view = account(&world, "shop");
    assert_eq!(view.reading.through, NOON + MINUTE * 30);
    assert!(view.upkeep.samples_last <= 2 * 8 * 4, "{}", view.upkeep.samples_last);

    let world = world.restarted_after(MINUTE * 60).await;
    let then = world.clock.now();
    tokio::time::sleep(MINUTE / 2).await;
    let (again, _) = asked_since(&world, then);
    assert!(MINUTE * 60 <= again && again <= MINUTE * 80, "{again:?}");
    let view = account(&world, "shop");
    assert_eq!((view.upkeep.loading, view.reading.seen_from), (None, Some(view.reading.period_from + MINUTE)));
    assert!((view.burn.period.remaining.unwrap() - 0.9).abs() < 1e-6, "{:?}", view.burn.period);
    assert!(view.history.len() <= 120 && view.history.iter().all(|point| point.counts.is_some()));
}

#[tokio::test(start_paused = true)]
async fn a_start_that_was_broken_off_goes_on() {
    let world = World::of(shop(""), |behaviour| behaviour.slow = true).await;
    world.source.answers.add_permits(30);
    tokio::time::sleep(MINUTE / 2).await;
    let loading = account(&world, "shop").upkeep.loading.unwrap();
    assert!(0.0 < loading && loading < 0.9, "{loading}");
    let view = account(&world, "shop");
    let period = &view.burn.period;
    assert_eq!((period.total, period.remaining, period.events), (None, None, None), "the rest may be worse");
    assert!(view.burn.windows.iter().all(|window| window.burn.is_some()), "what is read is told");
    assert_eq!(view.spent.as_ref().unwrap().share, None);
    world.source.set(|behaviour| behaviour.slow = false);
    let world = world.restarted_after(MINUTE).await;
    let then = world.clock.now();
    tokio::time::sleep(MINUTE / 2).await;
    let (rest, _) = asked_since(&world, then);
    assert!(rest < KEPT.mul_f64(1.1 - loading), "{rest:?} after {loading}");
    assert_eq!(account(&world, "shop").upkeep.loading, None);
}

#[tokio::test(start_paused = true)]
async fn a_source_that_falls_silent_takes_nothing_that_was_read_and_no_time_goes_on() {
    let world = World::of(shop(""), |_| ()).await;
    tokio::time::sleep(MINUTE * 2).await;
    let read = account(&world, "shop").through().unwrap();
    world.source.set(|behaviour| behaviour.shop.silent = true);
    tokio::time::sleep(MINUTE * 45).await;
    let view = account(&world, "shop");
    assert!(view.burn.through > read + MINUTE * 40 && view.upkeep.trouble.is_some());
    assert_eq!(view.through(), Some(read));
    assert!(view.burn.period.remaining.is_some(), "all of the period was read to there");
}

#[tokio::test(start_paused = true)]
async fn a_budget_that_nobody_reads_pauses_its_gates_and_heals() {
    let world = World::of(shop(""), |behaviour| behaviour.shop.silent = true).await;
    world.handle.open(open("w", &["checkout"])).await.unwrap();
    let paused =
        world.until("w", None, |published| text(published).contains("error budget of `shop` is not known")).await;
    assert_eq!(paused.verdict, Verdict::Pause);
    assert!(text(&paused).contains("source `fake` does not answer"), "{}", text(&paused));
    assert!(world.handle.readiness().remarks.iter().any(|(what, _)| *what == "slos"));
    world.source.set(|behaviour| behaviour.shop.silent = false);
    assert_eq!(world.is_final("w", None).await.verdict, Verdict::Pass);
}

#[tokio::test(start_paused = true)]
async fn a_burn_that_pages_pauses_every_gate_of_the_service_until_it_is_over() {
    let (promise, other) = (slo("shop", ""), slo("cart", ""));
    let gates = [gate("checkout", "shop", &promise), gate("cart", "cart", &other)];
    let burst = Window { from: NOON - MINUTE * 5, to: NOON + MINUTE * 4 };
    let world = World::of(book(gates, &[&promise, &other]), |behaviour| {
        behaviour.shop.bursts = vec![(burst, 0.3)];
    });
    let world = world.await;
    for id in ["w", "v"] {
        world.handle.open(open(id, &["checkout", "cart"])).await.unwrap();
    }
    for id in ["w", "v"] {
        for rules in ["checkout", "cart"] {
            let paused = world.until(id, Some(rules), |published| text(published).contains("slo_page")).await;
            assert_eq!((paused.verdict, paused.settled), (Verdict::Pause, false), "{}", text(&paused));
        }
    }
    for id in ["w", "v"] {
        assert_eq!(world.is_final(id, None).await.verdict, Verdict::Pass);
    }
    // The slower of the tiers that page looks back half an hour.
    let over = burst.to + MINUTE * 30;
    assert!(over < world.clock.now() && world.clock.now() < over + MINUTE * 5, "{}", world.clock.now());
}

#[tokio::test(start_paused = true)]
async fn the_reserve_is_kept_for_waves_that_explore() {
    let world = World::of(shop(""), |behaviour| behaviour.shop.others = 0.000_85).await;
    world.handle.open(open("w", &["checkout"])).await.unwrap();
    let held = world.until("w", None, |published| published.settled).await;
    assert!(text(&held).contains("budget_reserve") && !held.is_final, "{}", text(&held));
    world.handle.open(Open { class: Some(Class::Exploratory), ..open("x", &["checkout"]) }).await.unwrap();
    let passed = world.is_final("x", None).await;
    assert_eq!(passed.verdict, Verdict::Pass, "{}", text(&passed));
}

#[tokio::test(start_paused = true)]
async fn what_a_wave_spent_counts_against_the_next_one_and_once_a_wave() {
    // Three minutes of ten requests a second, of which 0.3 % fail: some five errors, where
    // 60 480 are the budget of the week. Two waves spend more than 0.013 % of it, one does not.
    let policies = "policies: { wave_burn: off, projected: off, waves_spend: 0.013% }\n";
    let world = World::of(shop(policies), |behaviour| behaviour.shop.canary = 0.003).await;
    world.handle.open(open("w", &["checkout", "payments"])).await.unwrap();
    let passed = world.is_final("w", None).await;
    assert_eq!(passed.verdict, Verdict::Pass, "{}", text(&passed));
    let view = account(&world, "shop");
    let spent = view.spent.as_ref().unwrap();
    assert_eq!((spent.waves.len(), view.charges.len()), (1, 2), "two gates of one wave");
    assert!((3.0..7.0).contains(&spent.excess), "{}", spent.excess);

    let world = world.restarted_after(MINUTE).await;
    world.handle.open(Open { start: Some(world.clock.now()), ..open("v", &["checkout"]) }).await.unwrap();
    let held = world.until("v", None, |published| published.settled).await;
    assert!(text(&held).contains("budget_spent_by_waves") && !held.is_final, "{}", text(&held));
    assert_eq!(account(&world, "shop").spent.as_ref().unwrap().waves.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_gate_reads_the_same_whether_the_daemon_was_there_or_not() {
    let burst = Window { from: NOON - MINUTE * 5, to: NOON + MINUTE * 4 };
    let shaken = |behaviour: &mut crate::engine::world::Behaviour| behaviour.shop.bursts = vec![(burst, 0.3)];
    let always = World::of(shop(""), shaken).await;
    always.handle.open(open("w", &["checkout"])).await.unwrap();
    let expect = always.is_final("w", None).await;

    let mut world = World::of(shop(""), shaken).await;
    world.handle.open(open("w", &["checkout"])).await.unwrap();
    for down in [MINUTE / 4, MINUTE * 2, MINUTE * 8] {
        tokio::time::sleep(MINUTE).await;
        world = world.restarted_after(down).await;
    }
    let found = world.is_final("w", None).await;
    let parts = |published| {
        let mut document = json(published);
        document["gates"][0]["opened_at"] = serde_json::Value::Null;
        document
    };
    assert_eq!(parts(&found), parts(&expect));
    assert_eq!(found.body, expect.body);
}

#[tokio::test(start_paused = true)]
async fn an_slo_that_is_edited_keeps_its_slices_and_an_open_gate_keeps_its_slo() {
    let world = World::of(shop(""), |behaviour| behaviour.shop.others = 0.000_5).await;
    world.handle.open(open("w", &["checkout"])).await.unwrap();
    tokio::time::sleep(MINUTE).await;
    let before = account(&world, "shop");
    let promise = slo("shop", "description: edited\n").replace("99.9%", "99.5%");
    world.handle.reload(book([gate("checkout", "shop", &promise)], &[&promise])).await.unwrap();
    let after = account(&world, "shop");
    assert_eq!((after.upkeep.loading, after.upkeep.samples_fetched), (None, before.upkeep.samples_fetched));
    assert!(before.burn.period.remaining < after.burn.period.remaining);

    let other = slo("shop", "slice: 30s\n");
    world.handle.reload(book([gate("checkout", "shop", &other)], &[&other])).await.unwrap();
    let passed = world.is_final("w", None).await;
    assert_eq!(passed.verdict, Verdict::Pass, "{}", text(&passed));

    world.handle.reload(book([], &[])).await.unwrap();
    assert_eq!((world.handle.accounts().len(), world.handle.account(&SloName::new("shop").unwrap())), (0, None));
}

#[tokio::test(start_paused = true)]
async fn what_a_source_does_not_have_any_more_stays_counted() {
    let world = World::of(shop(""), |_| ()).await;
    tokio::time::sleep(MINUTE * 2 + Duration::from_secs(5)).await;
    let whole = account(&world, "shop").reading.period;
    assert_eq!(whole.seen, whole.slices);
    world.source.set(|behaviour| behaviour.shop.partial = true);
    let world = world.restarted_after(MINUTE).await;
    tokio::time::sleep(MINUTE * 2).await;
    let view = account(&world, "shop");
    assert_eq!(view.reading.through, NOON + MINUTE * 4);
    assert_eq!(view.reading.period.seen, whole.seen - 3, "three slices were never counted");
    assert!(view.upkeep.remarks.iter().any(|remark| remark.contains("not everything")), "{:?}", view.upkeep);
}

#[tokio::test(start_paused = true)]
async fn an_open_gate_is_not_paused_by_an_edit_of_how_soon_slices_settle() {
    let world = World::of(shop(""), |_| ()).await;
    world.handle.open(open("w", &["checkout"])).await.unwrap();
    tokio::time::sleep(MINUTE).await;
    let slower = slo("shop", "settle: 5m\n");
    world.handle.reload(book([gate("checkout", "shop", &slower)], &[&slower])).await.unwrap();
    let passed = world.is_final("w", None).await;
    assert_eq!(passed.verdict, Verdict::Pass, "{}", text(&passed));
    assert!(world.clock.now() < NOON + MINUTE * 5, "{}", world.clock.now());
}

#[tokio::test(start_paused = true)]
async fn a_gate_of_probes_alone_counts_its_budget_by_the_source_of_the_slo() {
    let promise = slo("shop", "");
    let own = "version: 1\nname: probed\nbudget: { slo: shop }\n\
         schedule: { interval: 15s, warmup: 30s, min_duration: 2m, deadline: 10m }\n\
         checks:\n  - name: journey\n    \
         probe: { canary: 'http://127.0.0.1:1/new', baseline: 'http://127.0.0.1:1/old' }\n";
    let world = World::of(book([entry(&rules::bundle_slo(own, "shop", &promise))], &[&promise]), |_| ()).await;
    world.handle.open(open("w", &["probed"])).await.unwrap();
    let held = world.until("w", Some("probed"), |published| published.settled).await;
    let document = json(&held);
    assert!(text(&held).contains("\"no_telemetry\"") && !text(&held).contains("source_unavailable"), "{document:#}");
    let counted = document.pointer("/budget/wave/canary").unwrap().to_string();
    assert!(!counted.contains("null") && document["budget"]["outcome"] == "pass", "{:#}", document["budget"]);
}

#[tokio::test(start_paused = true)]
async fn a_recording_is_replayed_by_the_budget_that_was_read() {
    let burst = Window { from: NOON - MINUTE * 5, to: NOON + MINUTE * 4 };
    let world = World::of(shop(""), |behaviour| behaviour.shop.bursts = vec![(burst, 0.3)]).await;
    world.handle.open(Open { class: Some(Class::Exploratory), ..open("w", &["checkout"]) }).await.unwrap();
    let published = world.is_final("w", Some("checkout")).await;
    let bytes = world.handle.recording(&wave("w"), &named("checkout")).await.unwrap();
    let recording = recording::unpack(Path::new("w.recording"), &bytes, Answers::Wanted).unwrap();
    assert_eq!(engine::replay(&recording).unwrap().document, text(&published));

    let by = async |promise: &str| {
        engine::replay_by(&gate("checkout", "shop", promise).rules, &recording).await.unwrap().document
    };
    // Other policies of the same counts are judged by what was recorded.
    let lenient = by(&slo("shop", "policies: { page: off }\n")).await;
    assert!(!lenient.contains("budget_unknown") && lenient.contains("\"verdict\":\"pass\""), "{lenient}");
    // Of other counts nobody knows anything.
    let stranger = by(&slo("shop", "").replace("shop_shop_errors", "shop_shop_failures")).await;
    assert!(stranger.contains("budget_unknown") && stranger.contains("\"verdict\":\"pause\""), "{stranger}");
}

#[tokio::test(start_paused = true)]
async fn a_past_wave_is_judged_by_an_account_of_its_own() {
    let spent = |behaviour: &mut crate::engine::world::Behaviour| behaviour.shop.others = 0.000_85;
    let world = World::of(shop(""), spent).await;
    world.handle.open(open("w", &["checkout"])).await.unwrap();
    let held = world.until("w", Some("checkout"), |published| published.settled).await;
    let past = Past {
        wave: wave("w"),
        baseline: Some("old".to_owned()),
        params: BTreeMap::new(),
        class: None,
        start: NOON,
        until: NOON + MINUTE * 5,
    };
    let rules = gate("checkout", "shop", &slo("shop", "")).rules;
    let judged = engine::judge_past(&*world.source, &rules, past, |_, _| ()).await.unwrap();
    let judged: serde_json::Value = serde_json::from_str(&judged.document).unwrap();
    let (held, parts) = (json(&held), ["/state", "/reasons/0", "/budget/outcome"]);
    assert_eq!(parts.map(|part| judged.pointer(part)), parts.map(|part| held.pointer(part)), "{judged}");
    let remaining = |document: &serde_json::Value| document["budget"]["remaining"].as_f64().unwrap();
    assert!((remaining(&judged) - remaining(&held)).abs() < 1e-4, "{judged}");
}

#[tokio::test(start_paused = true)]
async fn slo_files_are_watched_and_taken_with_the_rules_or_not_at_all() {
    let (world, place) = (World::of(book([], &[]), |_| ()).await, tempfile::tempdir().unwrap());
    let (rules, slos) = (place.path().join("rules"), place.path().join("slos"));
    for folder in [&rules, &slos] {
        fs::create_dir(folder).unwrap();
    }
    let own = gate("checkout", "shop", &slo("shop", "")).text;
    fs::write(rules.join("checkout.yaml"), own.split("--- # slo:").next().unwrap()).unwrap();
    let inline = vec![("slos.cart".to_owned(), slo("cart", "").replace("version", "\"version\""))];
    let folders = Folders {
        rules,
        slos: slos.clone(),
        slos_may_lack: false,
        inline,
        sources: vec!["fake".to_owned()],
        kept_days: Some(30),
    };
    let mut watch = Watch::new(folders, world.handle.clone(), Arc::new(Metrics::new()), world.clock);
    let names = || world.handle.accounts().iter().map(|account| account.slo.name.to_string()).collect::<Vec<_>>();
    let trouble = || world.handle.rules().last_reload().trouble.as_ref().map(|trouble| trouble.message.clone());

    watch.reload().await;
    assert!(trouble().unwrap().contains("no_slo"), "{:?}", trouble());
    fs::write(slos.join("shop.yaml"), slo("shop", "")).unwrap();
    watch.glance().await;
    watch.glance().await;
    assert_eq!((names(), trouble()), (vec!["cart".to_owned(), "shop".to_owned()], None));

    fs::write(slos.join("shop.yaml"), slo("shop", "source: elsewhere\n")).unwrap();
    watch.glance().await;
    watch.glance().await;
    assert!(trouble().unwrap().contains("SLO `shop` asks the source `elsewhere`"), "{:?}", trouble());
    assert_eq!(account(&world, "shop").slo.source, None, "what was in force stays");

    fs::write(slos.join("shop.yaml"), slo("shop", "").replace("7d", "31d")).unwrap();
    watch.glance().await;
    watch.glance().await;
    assert!(trouble().unwrap().contains("SLO `shop` has a period of 31d, and the store keeps"), "{:?}", trouble());
}
