//! What the daemon and the commands refuse: at once, with an exit code, and in
//! words that name the place.

use super::home;
use crate::past::service_rules;
use crate::support::daemon::Daemon;
use crate::support::daemon::Ended;
use crate::support::daemon::Home;
use crate::support::daemon::run;
use serde_json::Value;
use std::fs;
use std::net::TcpListener;

/// Nobody listens there.
const NOWHERE: &str = "http://127.0.0.1:1";

#[track_caller]
fn check(ended: &Ended, code: i32, words: &[&str]) {
    assert_eq!(ended.code, Some(code), "{}{}", ended.out, ended.err);
    for word in words {
        assert!(ended.err.contains(word), "`{word}` is not in:\n{}", ended.err);
    }
}

/// Runs `serve` in `home` at a port that is taken: who gets as far as that has
/// refused nothing before it bound.
#[track_caller]
fn check_refused(home: &Home, more: &[&str], words: &[&str]) {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let mut arguments = home.serve();
    arguments.extend(["--listen", &address].map(Into::into));
    arguments.extend(more.iter().map(Into::into));
    check(&run(arguments), 2, words);
    assert!(!home.path("data").exists(), "nothing is written");
}

#[test]
fn what_cannot_be_used_is_refused_before_anything_is_bound_or_written() {
    let rules = service_rules();
    let good = [("http-service.yaml", rules.as_str())];
    let configured = |more: &str| Home::new(&good, Some(NOWHERE), more);
    check_refused(&configured("lisen = '127.0.0.1:1'"), &[], &["lisen: unknown field"]);
    check_refused(&configured("[http]\nmax_waiters = 'many'"), &[], &["http.max_waiters"]);
    check_refused(&configured("[log]\nlevel = 'a=b=c'"), &[], &["log.level", "a=b=c"]);
    check_refused(&configured("[[tokens]]\nname = 'ci'\ntoken_file = '/nowhere'"), &[], &["ci", "/nowhere"]);
    check_refused(&Home::new(&good, Some("http://u:hunter2@p"), ""), &[], &["sources.main.prometheus"]);
    check_refused(&configured(""), &["--rules", "/nowhere"], &["/nowhere"]);
    check_refused(&configured(""), &["--slos", "/nowhere"], &["/nowhere"]);
    check_refused(&Home::new(&[], Some(NOWHERE), ""), &[], &["rules` holds no .yaml file"]);
    let twice = Home::new(&[("a.yaml", &rules), ("b.yaml", &rules)], Some(NOWHERE), "");
    check_refused(&twice, &[], &["a.yaml", "b.yaml", "http-service"]);
}

#[test]
fn a_broken_rule_file_is_shown_with_every_fault_and_its_line() {
    let bad = service_rules().replace("tolerance: 1.25x", "tolerence: 1.25x").replace("interval: 15s", "interval: 15");
    let home = Home::new(&[("bad.yaml", &bad), ("fine.yaml", &service_rules())], Some(NOWHERE), "");
    let line = |words: &str| 1 + bad.lines().position(|line| line.contains(words)).unwrap();
    let place = |words: &str| format!("bad.yaml:{}:", line(words));
    check_refused(&home, &[], &[&place("tolerence"), &place("interval: 15,"), "tolerence"]);
}

#[test]
fn the_world_may_not_reach_a_daemon_without_a_token() {
    let home = home(NOWHERE);
    let mut arguments = home.serve();
    arguments.extend(["--listen", "0.0.0.0:0"].map(Into::into));
    check(&run(arguments), 2, &["0.0.0.0:0", "token"]);
    assert!(!home.path("data").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_daemon_gets_neither_the_store_nor_the_port_of_the_first() {
    let mut first = Daemon::start(home(NOWHERE)).await;
    check(&run(first.home.serve()), 1, &["wavegate.db", "another"]);
    let other = home(NOWHERE);
    let mut arguments = other.serve();
    let address = first.address().to_string();
    arguments.extend(["--listen", &address].map(Into::into));
    check(&run(arguments), 1, &[&address, "in use"]);
    assert_eq!(first.get("/readyz").await.status, 200);
    assert_eq!(first.terminate().await, Some(0));
    first.restart().await;
}

#[test]
fn check_tells_good_files_from_broken_ones() {
    let home = Home::new(&[("good.yaml", &service_rules())], Some(NOWHERE), "");
    let path = |name: &str| home.path(name).display().to_string();
    let (folder, configuration) = (path("rules"), path("wavegate.toml"));
    let fine = run(["check", &folder, &configuration]);
    check(&fine, 0, &[]);
    assert_eq!(fine.out.matches(": ok").count(), 2, "{}", fine.out);

    home.put_rules("bad.yaml", "version: 1\nname: bad\nchecks: 7\n");
    fs::write(home.path("bad.toml"), "lisen = 1\n").unwrap();
    let broken = run(["check", &folder, &path("bad.toml")]);
    check(&broken, 2, &[]);
    for words in ["bad.yaml:3:9", "lisen: unknown field", "good.yaml: ok", "bad.yaml: refused, 1 to mend"] {
        assert!(broken.out.contains(words), "`{words}` is not in:\n{}", broken.out);
    }
    let hook = "[endpoints.ci]\nurl = \"http://127.0.0.1/\"\nsecret_file = \"s\"\n";
    fs::write(home.path("hook.toml"), hook).unwrap();
    let two = run(["check", &path("hook.toml")]);
    check(&two, 2, &[]);
    assert_eq!(two.out.matches("error[configuration]: endpoints.ci.url: ").count(), 2, "{}", two.out);
    assert!(two.out.contains("refused, 2 to mend"), "{}", two.out);
    let json = run(["check", "--format", "json", &folder, &configuration]);
    check(&json, 2, &[]);
    let files: Vec<Value> = serde_json::from_str(&json.out).unwrap();
    let ok: Vec<&Value> = files.iter().map(|file| &file["ok"]).collect();
    assert_eq!(ok, [false, true, true]);
    let fault = &files[0]["diagnostics"][0];
    assert_eq!((&fault["line"], &fault["column"]), (&3.into(), &9.into()), "{fault}");

    check(&run(["check", "/nowhere.yaml"]), 2, &["/nowhere.yaml"]);
    check(&run(["check"]), 2, &["FILE"]);
}

#[test]
fn judge_says_what_it_cannot_use_and_when_nobody_answers() {
    let home = Home::new(&[("good.yaml", &service_rules())], Some(NOWHERE), "");
    let path = |name: &str| home.path(name).display().to_string();
    let (good, configuration) = (path("rules/good.yaml"), path("wavegate.toml"));
    let judge = |more: &[&str]| {
        let usual = ["judge", &good, "--wave", "w", "--baseline", "b", "--config", &configuration];
        run(usual.iter().chain(more))
    };
    let unreachable = judge(&["--start", "2025-01-04T10:00:00Z"]);
    check(&unreachable, 13, &["127.0.0.1:1"]);
    assert!(unreachable.out.contains("the source has not answered"), "{}", unreachable.out);
    let json = judge(&["--start", "2025-01-04T10:00:00Z", "--format", "json"]);
    let document: Value = serde_json::from_str(&json.out).unwrap();
    assert_eq!((json.code, &document["reasons"][0]["code"]), (Some(13), &"source_unavailable".into()));

    check(&judge(&["--source", "other"]), 2, &["`other`", "main"]);
    check(&judge(&["--source", "http://u:hunter2@p"]), 2, &["--source", "basic_auth"]);
    check(&judge(&["--start", "yesterday"]), 2, &["--start", "`yesterday`"]);
    check(&judge(&["--at", "2025-13-04T10:00:00Z"]), 2, &["--at"]);
    check(&judge(&["--wave", "again"]), 2, &["--wave"]);
    check(&run(["judge", &good, "--wave", "a\nb", "--source", NOWHERE]), 2, &["--wave", "control"]);
    check(&run(["judge", &good, "--wave", "w", "--source", NOWHERE]), 2, &["baseline"]);
    check(&run(["judge", &good, "--wave", "w"]), 2, &["--source"]);
    home.put_rules("good.yaml", &service_rules().replacen("tolerance: 10%", "tolerance: ten", 1));
    check(&judge(&[]), 2, &["good.yaml:", "ten", "1 to mend"]);
}

#[test]
fn check_tells_what_is_wrong_with_the_slos_of_a_configuration() {
    let home = Home::new(&[("good.yaml", &service_rules())], Some(NOWHERE), "");
    let path = home.path("slos.toml").display().to_string();
    let told = |slos: &str| {
        let retention = "[store]\nretention = { evidence_days = 9, gates_days = 9, budgets_days = 30 }\n";
        fs::write(&path, format!("{retention}[sources.main.prometheus]\nurl = '{NOWHERE}'\n{slos}")).unwrap();
        let (people, machines) = (run(["check", &path]), run(["check", "--format", "json", &path]));
        assert_eq!(people.code, machines.code);
        let files: Vec<Value> = serde_json::from_str(&machines.out).unwrap();
        (people.code, people.out, files[0]["diagnostics"].clone())
    };
    let shop = "[slos.shop]\nobjective = '99%'\nindicator = { up = 'up' }\n";
    assert_eq!(told(shop).0, Some(0));
    let (code, people, machines) =
        told(&format!("{shop}[slos.\"sh\"]\nobjective = '99%'\nindicator = {{ up = 'up', upp = 'up' }}\n"));
    assert_eq!(code, Some(2));
    // The table as it was read is shown with its caret; editors get the line of the file.
    for words in ["error[unknown_key]: `upp` is not a key", "slos.toml: slos.sh:", "\"upp\": \"up\"", "^^^^^"] {
        assert!(people.contains(words), "`{words}` is not in:\n{people}");
    }
    assert_eq!((&machines[0]["code"], &machines[0]["line"]), (&"unknown_key".into(), &8.into()), "{machines}");
    assert!(machines[0]["message"].as_str().unwrap().starts_with("slos.sh: "), "{machines}");
    for (more, words) in [
        ("source = 'other'", "which is not configured"),
        ("period = '31d'", "has a period of 31d, and the store keeps"),
    ] {
        let (code, people, _) = told(&format!("{shop}{more}\n"));
        assert!(code == Some(2) && people.contains(words), "{people}");
    }
    // A warning is told, and refuses nothing.
    let (code, people, _) = told(&shop.replace("99%", "80%"));
    assert!(code == Some(0) && people.contains("tier_cannot_fire"), "{people}");
}
