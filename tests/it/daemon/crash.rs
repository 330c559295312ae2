//! Killed with SIGKILL at many points of two waves: what was read stays true, and
//! the history is that of a daemon that nobody disturbed.

use super::cpu;
use super::good;
use super::open;
use super::shared;
use super::verdict_path;
use crate::past::service_rules;
use crate::support::daemon::Daemon;
use crate::support::daemon::Home;
use crate::support::valve::Valve;
use crate::support::waves::Wave;
use serde_json::Value;
use std::collections::BTreeSet;

/// Requests that the daemon gets through before it is killed, life after life. A
/// survey asks some, a batch of looks of one gate a dozen; what was under way is asked
/// again, so most lives end within a batch and some after one.
const LIVES: [usize; 8] = [0, 2, 7, 13, 31, 9, 24, 12];

/// Rules that take their time, so that there is a while to be killed in.
fn patient(source: &str) -> Home {
    let rules = service_rules()
        .replace("min_duration: 10m", "min_duration: 45m")
        .replace("    tolerance: 5%\n    pass_within: 20%", "    tolerance: 35%\n    pass_within: 40%");
    Home::new(&[("http-service.yaml", &rules)], Some(source), "")
}

async fn judge_all(daemon: &Daemon, waves: &[Wave]) {
    for wave in waves {
        daemon.settled(&verdict_path(&wave.id)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_any_point_it_goes_on_and_its_history_is_that_of_an_undisturbed_daemon() {
    let server = shared();
    let waves = [good(), cpu()];
    let mut undisturbed = Daemon::start(patient(&server.url())).await;
    for wave in &waves {
        open(&undisturbed, wave).await;
    }
    judge_all(&undisturbed, &waves).await;
    assert_eq!(undisturbed.terminate().await, Some(0));
    let expect = undisturbed.left().await;

    let valve = Valve::before(server.address()).await;
    valve.let_through(0);
    let mut daemon = Daemon::start(patient(&valve.url())).await;
    for wave in &waves {
        open(&daemon, wave).await;
    }
    let mut met = BTreeSet::new();
    for requests in LIVES {
        valve.let_through(requests);
        valve.holds().await;
        let mut before = Vec::new();
        for wave in &waves {
            before.push(daemon.get(&verdict_path(&wave.id)).await);
        }
        daemon.kill9();
        valve.cut_off();
        daemon.restart().await;
        for (wave, before) in waves.iter().zip(before) {
            // What was under way while we read may have been committed before the kill.
            let after = daemon.get(&verdict_path(&wave.id)).await;
            let revision = |document: &Value| document["revision"].as_u64().unwrap();
            let (then, now) = (revision(&before.json()), revision(&after.json()));
            assert!(then <= now, "{} went from {then} to {now} after {requests} requests", wave.id);
            if then == now {
                assert_eq!(after.text(), before.text());
                assert_eq!(after.headers["etag"], before.headers["etag"]);
            }
            met.insert((&wave.id, now));
        }
    }
    valve.open();
    judge_all(&daemon, &waves).await;
    daemon.kill9();
    daemon.restart().await;
    assert_eq!(daemon.terminate().await, Some(0));

    let left = daemon.left().await;
    for (wave, end) in waves.iter().zip(["wave.passed", "wave.failed"]) {
        assert_eq!(left.events(&wave.id), ["wave.opened", end]);
        let history = left.history(&wave.id);
        assert_eq!(history, expect.history(&wave.id), "{}", wave.id);
        let looks_done =
            |(id, revision): &(&String, u64)| **id == wave.id && (3..history.len() as u64).contains(revision);
        assert!(met.iter().any(looks_done), "never killed between two looks of {}: {met:?}", wave.id);
    }
}
