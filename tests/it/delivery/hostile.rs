//! Addresses that must not be connected to, and answers that must not be believed.

use super::Answer;
use super::NOW;
use super::World;
use super::endpoint;
use super::signatures::verifies;
use super::world::SECRET;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::net::TcpListener;
use wavegate::delivery::EndpointSettings;
use wavegate::delivery::Lookup;
use wavegate::delivery::Target;
use wavegate::store::Outbox as _;

/// Hosts of URLs: literals in every spelling, and names that lie.
const HOSTS: &[&str] = &[
    "127.0.0.1",
    "127.1",
    "127.0.1",
    "127.255.255.254",
    "2130706433",
    "0x7f000001",
    "0x7f.1",
    "0x7F.0x0.0x0.0x1",
    "0177.0.0.1",
    "017700000001",
    "127.0.0.1.",
    "１２７.０.０.１",
    "127。0。0。1",
    "①②⑦.0.0.1",
    "0.0.0.0",
    "0",
    "0.1.2.3",
    "10.0.0.1",
    "10.255.255.255",
    "172.16.0.1",
    "172.31.255.254",
    "192.168.0.1",
    "192.168.1.1",
    "100.64.0.1",
    "100.127.255.254",
    "100.100.100.200",
    "169.254.169.254",
    "169.254.170.2",
    "0xa9fea9fe",
    "2852039166",
    "168.63.129.16",
    "192.0.0.1",
    "192.0.0.192",
    "192.0.2.1",
    "192.88.99.1",
    "198.18.0.1",
    "198.19.255.255",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
    "[::1]",
    "[0:0:0:0:0:0:0:1]",
    "[::]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[::ffff:10.0.0.1]",
    "[::ffff:169.254.169.254]",
    "[::127.0.0.1]",
    "[::ffff:0:127.0.0.1]",
    "[64:ff9b::127.0.0.1]",
    "[64:ff9b:1::127.0.0.1]",
    "[2002:7f00:1::]",
    "[2001:0:7f00:1::]",
    "[2001:db8::1]",
    "[fe80::1]",
    "[fec0::1]",
    "[fc00::1]",
    "[fd00:ec2::254]",
    "[ff02::1]",
    "[100::1]",
    "[3fff::1]",
    "[5f00::1]",
    "localhost",
    "LOCALHOST",
    "localhost.",
    "a.localhost",
    "127.0.0.1.nip.io",
    "metadata.google.internal",
    "kubernetes.default.svc",
    "mixed.example",
];

/// URLs that are none of an endpoint's at all.
const NO_TARGETS: &[&str] = &[
    "http://[fe80::1%25eth0]/",
    "http://user:pass@127.0.0.1/",
    "http://1.1.1.1@127.0.0.1/",
    "http://127.0.0.1#@example.com/",
    "file:///etc/passwd",
    "gopher://127.0.0.1/",
    "ftp://127.0.0.1/",
    "unix:///run/docker.sock",
    "data:text/plain,x",
    "http://",
    "http://256.0.0.1/",
    "http://0x100000000/",
    "//127.0.0.1/",
    "127.0.0.1",
];

/// What a hostile name server answers.
fn lying() -> Lookup {
    Arc::new(|name| {
        Box::pin(async move {
            let addresses: &[&str] = match name.trim_end_matches('.') {
                "metadata.google.internal" => &["169.254.169.254"],
                "kubernetes.default.svc" => &["10.96.0.1"],
                "mixed.example" => &["127.0.0.1", "::1", "::ffff:127.0.0.1", "10.0.0.1"],
                _ => &["127.0.0.1", "::1"],
            };
            Ok(addresses.iter().map(|address| address.parse::<IpAddr>().unwrap()).collect())
        })
    })
}

/// Listeners on one port of every address of this machine; nobody may connect.
struct Trap {
    port: u16,
    met: Arc<AtomicUsize>,
}

impl Trap {
    async fn set() -> Self {
        let four = TcpListener::bind("0.0.0.0:0").await.unwrap();
        let port = four.local_addr().unwrap().port();
        let met = Arc::new(AtomicUsize::new(0));
        // A machine without IPv6 cannot be connected to by it.
        let listeners = [Some(four), TcpListener::bind(("::1", port)).await.ok()];
        for listener in listeners.into_iter().flatten() {
            let met = Arc::clone(&met);
            tokio::spawn(async move {
                while let Ok((_stream, _)) = listener.accept().await {
                    met.fetch_add(1, Ordering::SeqCst);
                }
            });
        }
        Self { port, met }
    }

    fn met(&self) -> usize {
        self.met.load(Ordering::SeqCst)
    }
}

fn strict(url: &str) -> EndpointSettings {
    EndpointSettings { allow_private: false, ..endpoint(url) }
}

/// Sends one event to each URL, waits for every try, and looks that all were blocked.
async fn all_blocked(mut world: World, lookup: Lookup, urls: &[String]) {
    world.lookup = lookup;
    let names: Vec<String> = (0..urls.len()).map(|number| format!("e{number}")).collect();
    let endpoints: Vec<_> = names.iter().zip(urls).map(|(name, url)| (name.as_str(), strict(url))).collect();
    world.announce(&["w"]).await;
    world.deliver(&endpoints);
    world.settled(urls.len() as u64).await;
    let text = world.metrics.encode();
    let tries: Vec<_> = text.lines().filter(|line| line.starts_with("wavegate_webhook_tries_total{")).collect();
    assert!(tries.iter().all(|line| line.contains("outcome=\"blocked_address\"")), "{tries:#?}");
    for (name, url) in names.iter().zip(urls) {
        assert!(tries.iter().any(|line| line.contains(&format!("endpoint=\"{name}\""))), "{url}");
    }
}

#[tokio::test(start_paused = true)]
async fn no_hostile_url_gets_a_byte_to_the_trap() {
    let trap = Trap::set().await;
    let mut urls: Vec<String> = HOSTS.iter().map(|host| format!("http://{host}:{}/x", trap.port)).collect();
    urls.push(format!("https://127.0.0.1:{}/", trap.port));
    urls.push(format!("http:\\\\127.0.0.1:{}\\", trap.port));
    assert!(urls.len() >= 60, "{}", urls.len());
    all_blocked(World::new().await, lying(), &urls).await;
    for url in NO_TARGETS {
        assert!(Target::parse(url).is_err(), "{url}");
    }
    assert_eq!(trap.met(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_name_that_the_machine_itself_resolves_to_loopback_is_blocked() {
    let trap = Trap::set().await;
    let world = World::new().await;
    let lookup = Arc::clone(&world.lookup);
    all_blocked(world, lookup, &[format!("http://localhost:{}/", trap.port)]).await;
    assert_eq!(trap.met(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_name_that_changes_its_mind_is_asked_once_a_try_and_gains_nothing() {
    let trap = Trap::set().await;
    let mut world = World::new().await;
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    // First nothing, as if it were away, then this machine.
    world.lookup = Arc::new(move |_| {
        let first = count.fetch_add(1, Ordering::SeqCst) == 0;
        let found = if first { Vec::new() } else { vec![IpAddr::from([127, 0, 0, 1])] };
        Box::pin(async move { Ok(found) })
    });
    world.announce(&["w"]).await;
    world.deliver(&[("a", strict(&format!("http://rebind.example:{}/", trap.port)))]);
    world.settled(3).await;
    assert_eq!(asked.load(Ordering::SeqCst), 3);
    assert_eq!(world.metric(r#"wavegate_webhook_tries_total{endpoint="a",outcome="unreachable"}"#), Some(1));
    assert_eq!(world.metric(r#"wavegate_webhook_tries_total{endpoint="a",outcome="blocked_address"}"#), Some(2));
    assert_eq!(trap.met(), 0);
}

#[tokio::test(start_paused = true)]
async fn an_operator_may_allow_what_is_private_and_then_the_trap_works() {
    let trap = Trap::set().await;
    let world = World::new().await;
    world.announce(&["w"]).await;
    world.deliver(&[("a", endpoint(&format!("http://localhost:{}/", trap.port)))]);
    world.settled(1).await;
    assert!(trap.met() > 0);
}

#[tokio::test(start_paused = true)]
async fn a_redirect_is_a_failure_and_is_not_followed() {
    let trap = Trap::set().await;
    let world = World::new().await;
    let target = format!("http://127.0.0.1:{}/", trap.port);
    let statuses: BTreeMap<usize, u16> = (0..).zip([301, 302, 303, 307, 308]).collect();
    let answer = move |post: &super::Post| {
        let status = statuses.get(&post.earlier).copied().unwrap_or(200);
        Answer::Status(status, Some(("location", target.clone())))
    };
    let receiver = world.receiver("a", answer).await;
    world.announce(&["w"]).await;
    world.deliver(&[("a", endpoint(&receiver.url()))]);
    receiver.came(6).await;
    world.until("a", |backlog| backlog.waiting == 0).await;
    assert_eq!(world.metric(r#"wavegate_webhook_tries_total{endpoint="a",outcome="redirected"}"#), Some(5));
    assert_eq!(trap.met(), 0);
}

#[tokio::test(start_paused = true)]
async fn of_an_endless_answer_no_more_than_a_little_is_read() {
    let world = World::new().await;
    let receiver = world.receiver("a", |post| Answer::Endless(if post.earlier == 0 { 500 } else { 200 })).await;
    world.announce(&["w"]).await;
    world.deliver(&[("a", endpoint(&receiver.url()))]);
    world.settled(1).await;
    // Time stood, so it was no timeout that ended it.
    assert_eq!(world.clock.now(), NOW);
    assert_eq!(world.metric(r#"wavegate_webhook_tries_total{endpoint="a",outcome="server_error"}"#), Some(1));
    // The second says 200, and that counts, however it goes on.
    world.until("a", |backlog| backlog.waiting == 0).await;
    let swallowed = *receiver.swallowed.borrow();
    assert!(swallowed < 32 << 20, "the sockets' buffers hold some of it, but {swallowed} bytes");
}

#[tokio::test(start_paused = true)]
async fn a_secret_path_that_an_error_page_repeats_is_not_kept() {
    let world = World::new().await;
    let receiver = world.receiver("a", |post| Answer::Text(404, format!("Cannot POST {}", post.path))).await;
    world.announce(&["w"]).await;
    world.deliver(&[("a", endpoint(&format!("{}/T0K3N-1?key=T0K3N-2", receiver.url())))]);
    world.until("a", |backlog| backlog.dead == 1).await;
    let dead = world.outbox.dead("a", None, 1).await.unwrap();
    assert_eq!(dead[0].outcome.as_deref(), Some("status 404: Cannot POST /hook/…?key=…"));
}

#[tokio::test(start_paused = true)]
async fn secrets_are_read_again_and_a_bad_file_does_not_stop_anything() {
    let world = World::new().await;
    let receiver = world.receiver("a", |_| Answer::Status(500, None)).await;
    world.announce(&["w"]).await;
    world.deliver(&[("a", endpoint(&receiver.url()))]);
    let first = receiver.came(1).await;
    std::fs::write(world.path("secret"), "half a sec").unwrap();
    let second = receiver.came(2).await;
    std::fs::write(world.path("secret"), "whsec_YWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXphYmNkZWY=").unwrap();
    let third = receiver.came(3).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(verifies(SECRET, &first[0]) && verifies(SECRET, &second[1]));
    assert!(!verifies(SECRET, &third[2]));
    assert!(verifies("whsec_YWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXphYmNkZWY=", &third[2]));
}
