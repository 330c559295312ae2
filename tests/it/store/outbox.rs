//! What every store promises of messages on their way, said as `contract` says the rest.

use crate::store::worlds;
use std::time::Duration;
use wavegate::series::Timestamp;
use wavegate::store::Leased;
use wavegate::store::Outbox;
use wavegate::store::Settlement;
use wavegate::store::Store;
use wavegate::store::Subscription;
use wavegate::wave::EventKind;
use wavegate::wave::Verdict;

/// Calls `$each!(promise)` for every promise below.
macro_rules! for_every_promise {
    ($each:ident) => {
        $each!(each_endpoint_gets_what_it_wants_once);
        $each!(a_lease_keeps_others_away_until_it_ends);
        $each!(a_clock_that_was_a_year_ahead_delays_nothing);
        $each!(only_the_holder_of_a_lease_settles_it);
        $each!(the_dead_are_listed_in_pages_and_resent);
        $each!(who_is_gone_gets_nothing_until_enabled);
        $each!(news_rings_the_signal);
    };
}
pub(crate) use for_every_promise;

pub(crate) trait Both: Store + Outbox {}
impl<T: Store + Outbox> Both for T {}

const NOW: Timestamp = worlds::NOON;
const MINUTE: Duration = Duration::from_mins(1);

fn wants(endpoint: &str, kinds: &[EventKind]) -> Subscription {
    Subscription { endpoint: endpoint.to_owned(), kinds: kinds.iter().copied().collect() }
}

/// Waves that were opened and failed: two messages each.
async fn failed(store: &dyn Both, names: &[&str]) {
    for name in names {
        let opening = worlds::opening(name);
        let decided = worlds::deciding(&opening, Verdict::Fail);
        store.commit(&[opening, decided]).await.unwrap();
    }
}

async fn fan_out(store: &dyn Both, endpoints: &[&str]) -> u64 {
    let all: Vec<_> = endpoints.iter().map(|name| wants(name, &[EventKind::Opened, EventKind::Failed])).collect();
    store.fan_out(&all, NOW).await.unwrap()
}

async fn lease(store: &dyn Both, endpoint: &str, now: Timestamp) -> Vec<Leased> {
    store.lease(endpoint, now, now + MINUTE, 10).await.unwrap().leased
}

fn ids(leased: &[Leased]) -> Vec<&str> {
    leased.iter().map(|leased| leased.id.as_str()).collect()
}

async fn counts(store: &dyn Both, endpoint: &str) -> (u64, u64) {
    let backlog = store.backlog(endpoint).await.unwrap();
    (backlog.waiting, backlog.dead)
}

pub(crate) async fn each_endpoint_gets_what_it_wants_once(store: &dyn Both) {
    failed(store, &["w"]).await;
    let both = [wants("a", &[EventKind::Opened, EventKind::Failed]), wants("b", &[EventKind::Failed])];
    assert_eq!(store.fan_out(&both, NOW).await.unwrap(), 2);
    assert_eq!(store.fan_out(&both, NOW).await.unwrap(), 0);
    // Who comes later is not told the past.
    assert_eq!(fan_out(store, &["late"]).await, 0);

    let to_a = lease(store, "a", NOW).await;
    assert_eq!(ids(&to_a), ["msg_w_1_1", "msg_w_1_final"]);
    let sent: Vec<_> = to_a.iter().map(|leased| (leased.kind, leased.body.as_str(), leased.tries)).collect();
    assert_eq!(sent, [(EventKind::Opened, r#"{"type":"wave.opened"}"#, 1), (EventKind::Failed, "{}", 1)]);
    assert_eq!(ids(&lease(store, "b", NOW).await), ["msg_w_1_final"]);
    assert_eq!(ids(&lease(store, "late", NOW).await), [""; 0]);
    assert_eq!(store.lease("late", NOW, NOW, 1).await.unwrap().next, None);
}

pub(crate) async fn a_lease_keeps_others_away_until_it_ends(store: &dyn Both) {
    failed(store, &["w"]).await;
    fan_out(store, &["a"]).await;
    let first = store.lease("a", NOW, NOW + MINUTE, 1).await.unwrap();
    assert_eq!((ids(&first.leased), first.next), (vec!["msg_w_1_1"], Some(NOW)));
    let second = store.lease("a", NOW, NOW + MINUTE, 10).await.unwrap();
    assert_eq!((ids(&second.leased), second.next), (vec!["msg_w_1_final"], Some(NOW + MINUTE)));
    assert_eq!(lease(store, "a", NOW + MINUTE - Duration::from_millis(1)).await, []);

    // Whoever held them has died: a try was made, and the next is due.
    let again = lease(store, "a", NOW + MINUTE).await;
    assert_eq!(ids(&again), ["msg_w_1_1", "msg_w_1_final"]);
    assert!(again.iter().all(|leased| leased.tries == 2));
    assert_eq!(counts(store, "a").await, (2, 0));
}

pub(crate) async fn a_clock_that_was_a_year_ahead_delays_nothing(store: &dyn Both) {
    failed(store, &["w"]).await;
    fan_out(store, &["a"]).await;
    let tried = lease(store, "a", NOW).await;
    let (year, longest) = (NOW + Duration::from_hours(365 * 24), NOW + Duration::from_hours(29));
    assert!(store.settle(&tried[0], Settlement::Retry(year), "status 500").await.unwrap());
    assert!(store.settle(&tried[1], Settlement::Retry(longest), "status 500").await.unwrap());
    let due = store.lease("a", NOW, NOW + MINUTE, 10).await.unwrap();
    assert_eq!((ids(&due.leased), due.next), (vec!["msg_w_1_1"], Some(NOW + MINUTE)));
    assert!(store.settle(&due.leased[0], Settlement::Delivered, "status 200").await.unwrap());
    assert_eq!(store.lease("a", NOW, NOW + MINUTE, 10).await.unwrap().next, Some(longest));
}

pub(crate) async fn only_the_holder_of_a_lease_settles_it(store: &dyn Both) {
    failed(store, &["w"]).await;
    fan_out(store, &["a"]).await;
    let slow = lease(store, "a", NOW).await;
    let quick = lease(store, "a", NOW + MINUTE).await;
    assert!(!store.settle(&slow[0], Settlement::Dead, "late").await.unwrap());
    assert!(store.settle(&quick[0], Settlement::Delivered, "status 200").await.unwrap());
    assert!(!store.settle(&slow[0], Settlement::Retry(NOW), "later still").await.unwrap());
    assert!(!store.settle(&quick[0], Settlement::Retry(NOW), "twice").await.unwrap());
    assert_eq!(counts(store, "a").await, (1, 0));

    let later = NOW + MINUTE * 10;
    assert!(store.settle(&quick[1], Settlement::Retry(later), "status 500").await.unwrap());
    assert_eq!(store.lease("a", later - MINUTE, later, 1).await.unwrap().next, Some(later));
    let third = lease(store, "a", later).await;
    assert_eq!((third[0].id.as_str(), third[0].tries), ("msg_w_1_final", 3));
    assert!(store.settle(&third[0], Settlement::Dead, "status 500").await.unwrap());
    assert_eq!(counts(store, "a").await, (0, 1));
}

pub(crate) async fn the_dead_are_listed_in_pages_and_resent(store: &dyn Both) {
    failed(store, &["u", "v"]).await;
    fan_out(store, &["a", "b"]).await;
    let tried = lease(store, "a", NOW).await;
    for leased in &tried {
        assert!(store.settle(leased, Settlement::Dead, "status 500").await.unwrap());
    }
    let first = store.dead("a", None, 3).await.unwrap();
    let second = store.dead("a", Some(first[2].sequence), 3).await.unwrap();
    let told: Vec<_> = first.iter().chain(&second).map(|dead| dead.id.as_str()).collect();
    assert_eq!(told, ids(&tried));
    assert_eq!((first[0].kind, first[0].at, first[0].tries), (EventKind::Opened, NOW, 1));
    assert_eq!(first[0].outcome.as_deref(), Some("status 500"));
    assert_eq!(store.dead("b", None, 3).await.unwrap(), []);

    assert_eq!(store.resend("a", Some("msg_v_1_1"), NOW).await.unwrap(), 1);
    assert_eq!(store.resend("a", Some("msg_v_1_1"), NOW).await.unwrap(), 0, "it waits");
    assert_eq!(store.resend("a", Some("no such message"), NOW).await.unwrap(), 0);
    // Who sent it before it died has nothing to say about it now.
    assert!(!store.settle(&tried[2], Settlement::Dead, "late").await.unwrap());
    let again = lease(store, "a", NOW).await;
    let sent: Vec<_> = again.iter().map(|leased| (&leased.id, &leased.body, leased.tries)).collect();
    assert_eq!(sent, [(&tried[2].id, &tried[2].body, 1)]);
    assert_eq!(store.resend("a", None, NOW).await.unwrap(), 3);
    assert_eq!(counts(store, "a").await, (4, 0));
}

pub(crate) async fn who_is_gone_gets_nothing_until_enabled(store: &dyn Both) {
    failed(store, &["u"]).await;
    fan_out(store, &["a", "b"]).await;
    let tried = lease(store, "a", NOW).await;
    assert!(store.settle(&tried[0], Settlement::Gone(NOW), "status 410").await.unwrap());
    let backlog = store.backlog("a").await.unwrap();
    assert_eq!(backlog.disabled, Some((NOW, "status 410".to_owned())));
    assert_eq!((backlog.waiting, backlog.dead), (0, 2));
    // What was on its way may still arrive, and is then not dead; else it stays dead.
    assert!(store.settle(&tried[1], Settlement::Retry(NOW), "status 500").await.unwrap());
    assert_eq!(counts(store, "a").await, (0, 2));
    assert!(store.settle(&tried[1], Settlement::Delivered, "status 200").await.unwrap());
    assert_eq!(counts(store, "a").await, (0, 1));

    failed(store, &["v"]).await;
    fan_out(store, &["a", "b"]).await;
    assert_eq!(counts(store, "a").await, (0, 3));
    assert_eq!(counts(store, "b").await, (4, 0), "others do not notice");
    assert_eq!(store.resend("a", None, NOW).await.unwrap(), 0);

    assert!(store.enable("a").await.unwrap());
    assert!(!store.enable("a").await.unwrap(), "it is enabled");
    assert_eq!(store.resend("a", None, NOW).await.unwrap(), 3);
    assert_eq!(store.backlog("a").await.unwrap().disabled, None);
    assert_eq!(lease(store, "a", NOW).await.len(), 3);
}

pub(crate) async fn news_rings_the_signal(store: &dyn Both) {
    let signal = store.signal();
    let opening = worlds::opening("w");
    store.commit(std::slice::from_ref(&opening)).await.unwrap();
    signal.notified().await;
    fan_out(store, &["a"]).await;
    let leased = lease(store, "a", NOW).await;
    assert!(store.settle(&leased[0], Settlement::Dead, "status 500").await.unwrap());
    store.resend("a", None, NOW).await.unwrap();
    signal.notified().await;
    store.enable("a").await.unwrap();
    signal.notified().await;
    // A look without a message is no news.
    store.commit(&[worlds::next_look(&opening)]).await.unwrap();
    let rung = futures_util::FutureExt::now_or_never(Box::pin(async move { signal.notified().await }));
    assert!(rung.is_none());
}
