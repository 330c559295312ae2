//! When a message is tried, and until when.

use super::Answer;
use super::NOW;
use super::Post;
use super::World;
use super::endpoint;
use std::collections::BTreeMap;
use std::time::Duration;
use wavegate::delivery::DELAYS;
use wavegate::plan::traffic::Random;
use wavegate::store::Backlog;
use wavegate::store::Outbox as _;
use wavegate::store::Settlement;

const OK: Answer = Answer::Status(200, None);

#[tokio::test(start_paused = true)]
async fn a_dead_endpoint_is_tried_by_the_whole_schedule_and_then_no_more() {
    let world = World::new().await;
    let receiver = world.receiver("a", |_| Answer::Status(500, None)).await;
    world.announce(&["w"]).await;
    world.deliver(&[("a", endpoint(&receiver.url()))]);
    world.until("a", |backlog| backlog.dead == 1).await;

    let posts = receiver.posts();
    assert_eq!(posts.len(), DELAYS.len());
    assert_eq!(posts[0].at, NOW, "at once");
    let slack = Duration::from_millis(50);
    for (pair, delay) in posts.windows(2).zip(&DELAYS[1..]) {
        let gap = pair[1].at.since(pair[0].at);
        assert!(gap >= delay.mul_f64(0.8) && gap <= delay.mul_f64(1.2) + slack, "{gap:?} after {delay:?}");
    }
    assert!(posts.iter().all(|post| post.id == "msg_w_1_1" && post.body == posts[0].body));
    let dead = world.outbox.dead("a", None, 9).await.unwrap();
    assert_eq!((dead[0].id.as_str(), dead[0].tries), ("msg_w_1_1", 10));
    assert_eq!(dead[0].outcome.as_deref(), Some("status 500: no ok"));
    tokio::time::sleep(Duration::from_hours(48)).await;
    assert_eq!(receiver.posts().len(), DELAYS.len(), "nobody asked for more");
    assert_eq!(world.metric(r#"wavegate_webhook_tries_total{endpoint="a",outcome="server_error"}"#), Some(10));
    assert_eq!(world.metric(r#"wavegate_webhook_messages{endpoint="a",state="dead"}"#), Some(1));
    assert_eq!(world.metric(r#"wavegate_webhook_messages{endpoint="a",state="waiting"}"#), Some(0));
}

#[tokio::test(start_paused = true)]
async fn retry_after_is_obeyed_where_it_is_one() {
    for (status, value, least, most) in [
        (429, "120", 120, 121),
        (503, "120", 120, 121),
        (429, "Sun, 22 Nov 2026 12:02:00 GMT", 120, 121),
        (429, "1e18", 4, 6),
        (429, "-5", 4, 6),
        (429, "soon", 4, 6),
        (429, "0", 4, 6),
        (429, "999999999999999999999", 86_400, 86_401),
    ] {
        let world = World::new().await;
        let header = ("retry-after", String::from(value));
        let answer =
            move |post: &Post| if post.earlier == 0 { Answer::Status(status, Some(header.clone())) } else { OK };
        let receiver = world.receiver("a", answer).await;
        world.announce(&["w"]).await;
        world.deliver(&[("a", endpoint(&receiver.url()))]);
        let posts = receiver.came(2).await;
        let gap = posts[1].at.since(posts[0].at).as_secs();
        assert!((least..=most).contains(&gap), "{status} {value}: {gap} s");
    }
}

/// What the storm does to a try; the same for the same try.
fn storm(post: &Post) -> Answer {
    let outage = Duration::from_secs(2)..Duration::from_hours(2);
    if outage.contains(&post.at.since(NOW)) {
        return Answer::Reset;
    }
    let chance = Random::named(post.earlier as u64, &post.id).bits() % 100;
    match chance {
        _ if post.earlier > 7 => OK,
        0..30 => Answer::Status(500 + u16::try_from(chance % 4).unwrap(), None),
        30..40 => Answer::Reset,
        40..50 => Answer::Hang,
        50..55 => Answer::Status(429, Some(("retry-after", String::from("7")))),
        _ => OK,
    }
}

#[tokio::test(start_paused = true)]
async fn through_a_storm_every_event_arrives_with_the_same_bytes_on_every_try() {
    let world = World::new().await;
    let receiver = world.receiver("a", storm).await;
    let waves: Vec<String> = (0..80).map(|number| format!("wave-{number}")).collect();
    let waves: Vec<&str> = waves.iter().map(String::as_str).collect();
    let ids = world.announce(&waves).await;
    world.deliver(&[("a", endpoint(&receiver.url()))]);
    receiver.came(1).await;
    world.until("a", |backlog| *backlog == Backlog::default()).await;

    let mut by_id: BTreeMap<String, Vec<Post>> = BTreeMap::new();
    for post in receiver.posts() {
        by_id.entry(post.id.clone()).or_default().push(post);
    }
    assert_eq!(by_id.len(), ids.len());
    for (wave, id) in waves.iter().zip(&ids) {
        for post in &by_id[id] {
            assert_eq!(post.body, super::world::body(wave), "{id}");
        }
    }
    // It was a storm: each kind of trouble was met, and none was the end.
    for outcome in ["delivered", "server_error", "unreachable", "timeout", "throttled"] {
        let name = format!("wavegate_webhook_tries_total{{endpoint=\"a\",outcome=\"{outcome}\"}}");
        assert!(world.metric(&name).is_some_and(|count| count > 2), "{outcome}\n{}", world.metrics.encode());
    }
    let delivered = world.metric(r#"wavegate_webhook_tries_total{endpoint="a",outcome="delivered"}"#);
    assert_eq!(delivered, Some(80), "nothing is sent again that was taken");
}

#[tokio::test(start_paused = true)]
async fn an_endpoint_that_hangs_delays_no_other() {
    let world = World::new().await;
    let slow = world.receiver("slow", |_| Answer::Hang).await;
    let quick = world.receiver("quick", |_| OK).await;
    let waves: Vec<String> = (0..100).map(|number| format!("wave-{number}")).collect();
    world.announce(&waves.iter().map(String::as_str).collect::<Vec<_>>()).await;
    world.deliver(&[("slow", endpoint(&slow.url())), ("quick", endpoint(&quick.url()))]);
    let posts = quick.came(100).await;
    world.until("quick", |backlog| backlog.waiting == 0).await;
    // Time stands until somebody has nothing to do but wait for the one that hangs.
    assert!(posts.iter().all(|post| post.at == NOW), "some waited for the other");
    let slow = slow.came(8).await;
    assert!(slow[..4].iter().all(|post| post.at == NOW), "four at a time");
    assert!(slow[4].at.since(NOW) >= Duration::from_secs(15), "the next when these have timed out");
}

#[tokio::test(start_paused = true)]
async fn gone_disables_the_endpoint_until_a_person_enables_it() {
    let world = World::new().await;
    let gone = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(true));
    let is_gone = std::sync::Arc::clone(&gone);
    let answer =
        move |_: &Post| if is_gone.load(std::sync::atomic::Ordering::SeqCst) { Answer::Status(410, None) } else { OK };
    let receiver = world.receiver("a", answer).await;
    world.announce(&["u"]).await;
    let running = world.deliver(&[("a", endpoint(&receiver.url()))]);
    let backlog = world.until("a", |backlog| backlog.disabled.is_some()).await;
    assert_eq!(backlog.disabled, Some((NOW, "status 410: no ok".to_owned())));
    assert_eq!((backlog.waiting, backlog.dead), (0, 1));

    // Another process later it is still so.
    world.announce(&["v"]).await;
    tokio::time::sleep(Duration::from_hours(100)).await;
    running.abort();
    world.deliver(&[("a", endpoint(&receiver.url()))]);
    tokio::time::sleep(Duration::from_mins(10)).await;
    assert_eq!(receiver.posts().len(), 1);
    assert_eq!(world.outbox.backlog("a").await.unwrap().dead, 2);

    gone.store(false, std::sync::atomic::Ordering::SeqCst);
    assert!(world.outbox.enable("a").await.unwrap());
    assert_eq!(world.outbox.resend("a", None, world.clock.now()).await.unwrap(), 2);
    let posts = receiver.came(3).await;
    assert_eq!((&posts[1].id, &posts[1].body), (&posts[0].id, &posts[0].body));
    world.until("a", |backlog| *backlog == Backlog::default()).await;
}

#[tokio::test(start_paused = true)]
async fn a_dead_letter_that_is_resent_has_its_id_and_its_bytes() {
    let world = World::new().await;
    let receiver = world.receiver("a", |post| if post.earlier < 10 { Answer::Status(500, None) } else { OK }).await;
    world.announce(&["w"]).await;
    world.deliver(&[("a", endpoint(&receiver.url()))]);
    world.until("a", |backlog| backlog.dead == 1).await;
    let asked = world.clock.now();
    assert_eq!(world.outbox.resend("a", Some("msg_w_1_1"), asked).await.unwrap(), 1);
    world.until("a", |backlog| *backlog == Backlog::default()).await;
    let posts = receiver.posts();
    let again = posts.last().unwrap();
    assert_eq!((posts.len(), again.earlier), (11, 10));
    assert_eq!((&again.id, &again.body), (&posts[0].id, &posts[0].body));
    assert_eq!(again.at, asked, "at once, by the signal");
}

#[tokio::test(start_paused = true)]
async fn a_drain_lets_a_try_end_and_gives_up_on_one_that_hangs() {
    let world = World::new().await;
    let slow = world.receiver("slow", |_| Answer::Hang).await;
    world.announce(&["w"]).await;
    let running = world.deliver(&[("slow", endpoint(&slow.url()))]);
    slow.came(1).await;
    let begun = world.clock.now();
    world.drain.cancel();
    running.await.unwrap();
    assert!(world.clock.now().since(begun) <= Duration::from_secs(6));
    // Cut off, it is due again when its lease ends, and whoever comes then sends it.
    let backlog = world.outbox.backlog("slow").await.unwrap();
    assert_eq!((backlog.waiting, backlog.dead), (1, 0));
    let later = NOW + Duration::from_secs(20);
    let leased = world.outbox.store.lease("slow", later, later, 1).await.unwrap().leased;
    assert_eq!((leased[0].tries, leased[0].id.as_str()), (2, "msg_w_1_1"));
    assert!(world.outbox.store.settle(&leased[0], Settlement::Delivered, "").await.unwrap());
}
