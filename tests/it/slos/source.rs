//! `wavegate slo --source`: SLOs read from a real Prometheus, without a daemon.

use crate::past::START;
use crate::support::daemon::Ended;
use crate::support::daemon::Home;
use crate::support::daemon::run;
use crate::support::prometheus::PrometheusServer;
use serde_json::Value;
use std::fmt::Write as _;
use std::time::Duration;

/// Ten requests a second for eight days, of which one in 2000 fails, and in the last hour one in fifty.
fn eight_days() -> String {
    let minutes = 8 * 24 * 60;
    let (mut bad, mut text) = (0, String::from("# TYPE shop_requests counter\n"));
    let at = |minute: u64| (START + Duration::from_mins(minute)).as_millis() / 1000;
    let mut failed = String::new();
    for minute in 0..=minutes {
        let _ = writeln!(text, "shop_requests_total{{code=\"200\"}} {} {}", 600 * minute - bad, at(minute));
        let _ = writeln!(failed, "shop_requests_total{{code=\"500\"}} {bad} {}", at(minute));
        bad += if minute + 60 >= minutes { 12 } else { u64::from(minute.is_multiple_of(10)) * 3 };
    }
    text + &failed + "# EOF\n"
}

fn promise(name: &str, metric: &str) -> String {
    let ratio = format!("{{ bad: '{metric}{{code=\"500\"}}', total: {metric} }}");
    format!("version: 1\nname: {name}\nservice: shop\nobjective: 99.9%\nperiod: 7d\nindicator: {{ ratio: {ratio} }}\n")
}

/// Runs `slo --source` of `main` with `more`; the last slice ends behind the last sample.
fn slo(home: &Home, source: &str, more: &[&str]) -> Ended {
    let at = (START + Duration::from_hours(8 * 24) + Duration::from_mins(2)).to_string();
    let config = home.path("wavegate.toml").display().to_string();
    let fixed = ["slo", "--source", source, "--at", &at, "--config", &config];
    run(fixed.iter().chain(more).copied())
}

#[test]
fn slos_are_read_from_a_source_without_a_daemon_and_no_charge_is_made_up() {
    let server = PrometheusServer::backfilled_for_weeks(&eight_days());
    let home = Home::new(&[], Some(&server.url()), "");
    for (name, metric) in [("shop", "shop_requests_total"), ("typo", "shop_request_total")] {
        std::fs::write(home.path(&format!("slos/{name}.yaml")), promise(name, metric)).unwrap();
    }
    let one = slo(&home, "main", &["shop", "--format", "json"]);
    assert_eq!((one.code, one.err.contains("known to the daemon alone")), (Some(0), true), "{one:?}");
    let document: Value = serde_json::from_str(&one.out).unwrap();
    let (hour, week) = (&document["windows"][2], &document["budget"]);
    assert_eq!((&document["state"], &hour["window"]), (&"page".into(), &"1h".into()));
    // 12 of 600 a minute are 20 times the thousandth that may fail.
    assert!((hour["burn"].as_f64().unwrap() - 20.0).abs() < 0.01, "{hour}");
    // In the week before the hour 3 in ten minutes, in it 12 a minute: of 6048 that may.
    let gone = (3.0 * (7.0 * 144.0 - 6.0) + 12.0 * 60.0) / 6048.0;
    assert!((week["consumed"].as_f64().unwrap() - gone).abs() < 0.002, "{week} {gone}");
    assert_eq!((&document["spent_by_waves"], &document["waves"]["excess"]), (&Value::Null, &Value::Null));

    let text = slo(&home, "main", &["shop"]);
    for part in ["page  slo shop of shop: 99.9% of 7d", "waves  what they spent is known to the daemon alone"] {
        assert!(text.out.contains(part), "{part}: {text:?}");
    }
    let list = slo(&home, &server.url(), &[]);
    assert_eq!(list.code, Some(0), "{list:?}");
    assert!(list.out.contains("not one sample in all of its period: are the names and labels"), "{list:?}");
    let file = home.path("slos/typo.yaml");
    let alone = slo(&home, "main", &["--slos", file.to_str().unwrap(), "--format", "json"]);
    let listed: Value = serde_json::from_str(&alone.out).unwrap();
    assert_eq!((listed["slos"].as_array().unwrap().len(), &listed["slos"][0]["slo"]), (1, &"typo".into()));
    assert_eq!(listed["slos"][0]["through"], Value::Null, "nothing was seen");
}

#[test]
fn what_cannot_be_read_without_a_daemon_says_why() {
    let home = Home::new(&[], Some("http://127.0.0.1:1"), "");
    let nothing = slo(&home, "main", &[]);
    assert_eq!(nothing.code, Some(2));
    assert!(nothing.err.contains("there is no SLO: name files or folders of them with --slos"), "{nothing:?}");
    std::fs::write(home.path("slos/shop.yaml"), promise("shop", "x_total")).unwrap();
    let silent = slo(&home, "main", &["shop"]);
    assert_eq!((silent.code, silent.err.contains("error: source `main` does not answer")), (Some(13), true));
    assert!(silent.out.contains("no_data  slo shop of shop") && !silent.out.contains("names and labels"), "{silent:?}");
    let other = slo(&home, "main", &["shape"]);
    assert_eq!((other.code, other.err.contains("there is no SLO `shape`; there are: shop")), (Some(2), true));
    let unknown = slo(&home, "elsewhere", &[]);
    assert_eq!((unknown.code, unknown.err.contains("there is no source `elsewhere`")), (Some(2), true));
    std::fs::write(home.path("slos/bad.yaml"), "version: 1\nname: bad\nobjective: 100%\n").unwrap();
    let broken = slo(&home, "main", &[]);
    assert_eq!((broken.code, broken.err.contains("bad.yaml:3")), (Some(2), true), "{broken:?}");
    for flags in [["slo", "--at", "2026-01-01T00:00:00Z"], ["slo", "--slos", "slos"]] {
        let ended = run(flags);
        assert_eq!((ended.code, ended.err.contains("--source")), (Some(2), true), "{ended:?}");
    }
}
