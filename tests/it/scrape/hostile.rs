//! Targets that are broken, slow, in the way, or hostile.

use super::ALWAYS;
use super::scraped;
use super::settings;
use super::start;
use super::target;
use super::text;
use super::values;
use crate::support::http::TestServer;
use crate::support::http::answer;
use std::io::Write as _;
use std::time::Duration;
use tokio::io::AsyncWriteExt as _;
use wavegate::sources::Answer;
use wavegate::sources::Source as _;
use wavegate::sources::scrape::Settings;

/// What is known after two scrapes of `served`: of `up`, and of `lamps`.
async fn after_two(served: &TestServer, change: impl FnOnce(&mut Settings)) -> (Vec<f64>, Answer) {
    let mut settings = settings(vec![target(&served.url(), &[("pod", "a")])]);
    change(&mut settings);
    let source = start(&settings);
    let up = scraped(&source, 2).await;
    (values(&up.series[0])[..2].to_vec(), source.raw("lamps", ALWAYS).await.unwrap())
}

/// An answer that is no scrape: a gap, for a reason, and nothing is known of the target.
async fn check_gap(served: &TestServer, change: impl FnOnce(&mut Settings), reason: &str) {
    let (up, lamps) = after_two(served, change).await;
    assert_eq!(up, [0.0; 2], "{reason}");
    assert_eq!(lamps.series, vec![], "{reason}");
    assert!(lamps.partial.as_ref().is_some_and(|text| text.contains(reason)), "{reason}: {:?}", lamps.partial);
}

/// A scrape of which some lines are lost: `lamps` is 4, and the answer incomplete.
async fn check_partial(body: impl AsRef<[u8]>, reason: &str) {
    let (up, lamps) = after_two(&TestServer::answering(vec![text(body)]).await, |_| {}).await;
    assert_eq!(up, [1.0; 2], "{reason}");
    assert_eq!(values(&lamps.series[0])[..2], [4.0; 2], "{reason}");
    let partial = lamps.partial.expect("an incomplete answer");
    assert!(partial.contains(reason), "{reason}: {partial}");
}

#[tokio::test]
async fn statuses_and_pages_are_gaps() {
    for (head, reason) in [
        (&["500 Internal Server Error"][..], "status 500"),
        (&["302 Found", "Location: http://169.254.169.254/"][..], "status 302"),
        (&["204 No Content"][..], "status 204"),
        (&["200 OK", "Content-Type: text/html; charset=utf-8"][..], "`text/html; charset=utf-8`"),
        (&["200 OK", "Content-Type: application/json"][..], "`application/json`"),
    ] {
        let served = TestServer::answering(vec![answer(head, "lamps 4\n")]).await;
        check_gap(&served, |_| {}, reason).await;
    }
}

#[tokio::test]
async fn an_endless_body_is_given_up_at_its_limit() {
    let served = TestServer::start(|_, mut stream| async move {
        let head = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n";
        let mut line = stream.write_all(head).await;
        while line.is_ok() {
            line = stream.write_all(&b"lamps 4\n".repeat(1000)).await;
        }
    })
    .await;
    check_gap(&served, |settings| settings.max_bytes = 100_000, "more than 100000 bytes").await;
}

#[tokio::test]
async fn a_compressed_bomb_is_given_up_at_its_limit() {
    let mut bomb = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    for _ in 0..64 {
        bomb.write_all(&vec![b'#'; 1 << 20]).unwrap();
    }
    let bomb = bomb.finish().unwrap();
    assert!(bomb.len() < 100_000);
    let served =
        TestServer::answering(vec![answer(&["200 OK", "Content-Type: text/plain", "Content-Encoding: gzip"], bomb)])
            .await;
    check_gap(&served, |settings| settings.max_bytes = 1 << 20, "more than 1048576 bytes").await;
}

#[tokio::test]
async fn compression_is_understood_and_its_corruption_told() {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(b"lamps 4\n").unwrap();
    let packed = packed.finish().unwrap();
    let head = ["200 OK", "Content-Type: text/plain", "Content-Encoding: gzip"];
    let (up, lamps) = after_two(&TestServer::answering(vec![answer(&head, &packed)]).await, |_| {}).await;
    assert_eq!((up, values(&lamps.series[0])[0].to_bits()), (vec![1.0; 2], 4.0_f64.to_bits()));
    let cut = &packed[..packed.len() - 5];
    check_gap(&TestServer::answering(vec![answer(&head, cut)]).await, |_| {}, "broke off").await;
}

#[tokio::test]
async fn silence_and_a_body_that_drips_are_timed_out() {
    for begin in ["", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nlamps 4\n"] {
        let served = TestServer::start(move |_, mut stream| async move {
            drop(stream.write_all(begin.as_bytes()).await);
            std::future::pending::<()>().await;
        })
        .await;
        check_gap(&served, |settings| settings.timeout = Some(Duration::from_millis(50)), "within 50ms").await;
    }
}

#[tokio::test]
async fn a_body_that_is_cut_is_a_gap() {
    let cut = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 100\r\n\r\nlamps 4\n".to_vec();
    check_gap(&TestServer::answering(vec![cut]).await, |_| {}, "broke off").await;
}

#[tokio::test]
async fn too_many_series_are_no_scrape() {
    let served = TestServer::answering(vec![text("a 1\nb 1\nlamps 4\n")]).await;
    check_gap(&served, |settings| settings.max_series = 2, "more than 2 samples").await;
}

#[tokio::test]
async fn lines_that_cannot_be_read_make_the_answer_incomplete() {
    check_partial("lamps 4\nlamps{pod=\"b\" 4\n", "1 line was not read: line 2, column").await;
    check_partial("lamps 4\n<!doctype html>\n<p>\n<p>\n<p>\n", "4 lines were not read: line 2, column 1: no metric")
        .await;
    check_partial(b"lamps 4\nx{y=\"\xff\"} 1\n", "line 2, column 6: not UTF-8").await;
    check_partial(format!("lamps 4\nx{{y=\"{}\"}} 1\n", "z".repeat(1 << 20)), "too long").await;
    let many: Vec<String> = (0..200).map(|k| format!("l{k}=\"v\"")).collect();
    check_partial(format!("lamps 4\nx{{{}}} 1\n", many.join(",")), "too many labels").await;
    check_partial("lamps 4\nx 1", "no line feed").await;
}

#[tokio::test]
async fn a_series_with_two_values_is_told_and_the_same_twice_is_once() {
    check_partial("lamps 4\nlamps 5\n", "line 2: the series is there twice, with two values").await;
    let served = TestServer::answering(vec![text("lamps 4\nlamps 4\n")]).await;
    let (up, lamps) = after_two(&served, |_| {}).await;
    assert_eq!((up, lamps.partial), (vec![1.0; 2], None));
}

#[tokio::test]
async fn a_target_cannot_say_that_it_is_up() {
    let (up, lamps) = after_two(&TestServer::answering(vec![text("lamps 4\nup 0\n")]).await, |_| {}).await;
    assert_eq!(up, [1.0; 2]);
    assert!(lamps.partial.unwrap().contains("line 2: the series is there twice"));
}

#[tokio::test]
async fn openmetrics_without_its_end_is_incomplete() {
    let head = ["200 OK", "Content-Type: application/openmetrics-text; version=1.0.0; charset=utf-8"];
    let served = TestServer::answering(vec![answer(&head, "lamps 4\n")]).await;
    assert!(after_two(&served, |_| {}).await.1.partial.unwrap().contains("# EOF"));
    let served = TestServer::answering(vec![answer(&head, "lamps 4 # {trace=\"x\"} 1\n# EOF\n")]).await;
    assert_eq!(after_two(&served, |_| {}).await.1.partial, None);
}

#[tokio::test]
async fn what_one_target_does_is_no_matter_to_those_that_are_asked_for() {
    let good = TestServer::answering(vec![text("lamps 4\n")]).await;
    let bad = TestServer::answering(vec![text("lamps 4\n}\n")]).await;
    let targets = vec![target(&good.url(), &[("wave_id", "good")]), target(&bad.url(), &[("wave_id", "bad")])];
    let source = start(&settings(targets));
    scraped(&source, 2).await;
    for (selector, is_partial) in [
        (r#"lamps{wave_id="good"}"#, false),
        (r#"lamps{wave_id="bad"}"#, true),
        (r#"lamps{wave_id=~"g.*",pod=""}"#, false),
        ("lamps", true),
        // A label that the target does not set may be exposed.
        (r#"lamps{pod="x"}"#, true),
    ] {
        let answer = source.raw(selector, ALWAYS).await.unwrap();
        assert_eq!(answer.partial.is_some(), is_partial, "{selector}");
    }
}
