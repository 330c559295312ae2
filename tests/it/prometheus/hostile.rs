//! Servers that are broken, slow, in the way, or hostile.

use crate::prometheus::WINDOW;
use crate::prometheus::matrix;
use crate::prometheus::raw;
use crate::prometheus::says;
use crate::prometheus::settings;
use crate::support::http::TestServer;
use crate::support::http::answer;
use crate::support::http::json;
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use wavegate::series::Timestamp;
use wavegate::sources::Answer;
use wavegate::sources::Error;
use wavegate::sources::Excess;
use wavegate::sources::Grid;
use wavegate::sources::Source;
use wavegate::sources::prometheus::Prometheus;
use wavegate::sources::prometheus::Settings;

/// What becomes of one answer.
async fn outcome(bytes: Vec<u8>) -> Result<Answer, Error> {
    raw(settings(&TestServer::answering(vec![bytes]).await)).await
}

#[tokio::test]
async fn every_status_has_its_meaning() {
    let api = r#"{"status":"error","errorType":"x","error":"the \u001b[31m reason"}"#;
    for (status, code, is_transient) in [
        ("400 Bad Request", "refused", false),
        ("401 Unauthorized", "denied", false),
        ("403 Forbidden", "denied", false),
        ("404 Not Found", "not_found", false),
        ("413 Payload Too Large", "execution", false),
        ("418 Teapot", "failed", false),
        ("422 Unprocessable Entity", "execution", false),
        ("429 Too Many Requests", "busy", true),
        ("499 Client Closed", "gave_up", true),
        ("500 Internal Server Error", "failed", true),
        ("502 Bad Gateway", "failed", true),
        ("503 Service Unavailable", "gave_up", true),
        ("504 Gateway Timeout", "gave_up", true),
    ] {
        let error = outcome(answer(&[status, "Content-Type: application/json"], api)).await.unwrap_err();
        says(&error, code, is_transient, &["the [31m reason"]);
        let page = format!("<html>\r\n<b>{}</b>", "page ".repeat(100_000));
        let error = outcome(answer(&[status, "Content-Type: text/html"], &page)).await.unwrap_err();
        says(&error, code, is_transient, &["<html> <b>page page"]);
        assert!(error.to_string().chars().count() < 500, "{error}");
        let error = outcome(answer(&[status], "")).await.unwrap_err();
        says(
            &error,
            code,
            is_transient,
            if code == "denied" { &["no message", "credentials"] } else { &["no message"] },
        );
    }
}

#[tokio::test]
async fn a_page_instead_of_an_answer_is_not_prometheus() {
    let html = "<!doctype html><title>Log in</title>";
    let error = outcome(answer(&["200 OK", "Content-Type: text/html; charset=utf-8"], html)).await.unwrap_err();
    says(&error, "not_json", true, &["text/html", "Log in", "`url`"]);
    let error = outcome(json(html)).await.unwrap_err();
    says(&error, "not_json", true, &["Log in"]);
    let error = outcome(json("")).await.unwrap_err();
    says(&error, "not_json", true, &[]);
    let error = outcome(answer(&["200 OK"], html)).await.unwrap_err();
    says(&error, "not_json", true, &["no content type"]);
}

#[tokio::test]
async fn broken_json_is_malformed_and_cut_json_may_be_whole_next_time() {
    says(&outcome(json(r#"{"status":"success","da"#)).await.unwrap_err(), "malformed", true, &["EOF"]);
    says(&outcome(json(r#"{"status":"success";}"#)).await.unwrap_err(), "malformed", false, &["column 20"]);
    says(&outcome(json("{}")).await.unwrap_err(), "failed", false, &[]);
    let vector = r#"{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1,"2"]}]}}"#;
    says(&outcome(json(vector)).await.unwrap_err(), "malformed", false, &["`vector`"]);
    let error = r#"{"status":"error","errorType":"timeout","error":"too slow"}"#;
    says(&outcome(json(error)).await.unwrap_err(), "failed", false, &["too slow"]);
}

#[tokio::test]
async fn a_connection_that_breaks_is_told_from_one_that_never_was() {
    // The length promises more than comes.
    let mut cut = matrix("", "");
    cut.truncate(cut.len() - 10);
    says(&outcome(cut).await.unwrap_err(), "interrupted", true, &["bytes"]);
    says(
        &outcome(b"HTTP/1.1 200 OK\r\nContent-Le".to_vec()).await.unwrap_err(),
        "unreachable",
        true,
        &["http://127.0.0.1:"],
    );
    says(&outcome(Vec::new()).await.unwrap_err(), "unreachable", true, &[]);
    says(&outcome(b"SSH-2.0-OpenSSH_9.2\r\n".to_vec()).await.unwrap_err(), "unreachable", true, &[]);
    let gone = TestServer::answering(vec![Vec::new()]).await;
    let settings = settings(&gone);
    gone.close().await;
    says(&raw(settings).await.unwrap_err(), "unreachable", true, &["refused"]);
}

#[tokio::test]
async fn an_endless_head_is_given_up() {
    let server = TestServer::start(|_, mut stream| async move {
        let mut sending = stream.write_all(b"HTTP/1.1 200 OK\r\n").await;
        while sending.is_ok() {
            sending = stream.write_all(b"X-More: of the same\r\n").await;
        }
    })
    .await;
    says(&raw(settings(&server)).await.unwrap_err(), "unreachable", true, &[]);
}

#[tokio::test]
async fn corrupt_compression_is_an_interruption() {
    let error =
        outcome(answer(&["200 OK", "Content-Type: application/json", "Content-Encoding: gzip"], "not gzip")).await;
    says(&error.unwrap_err(), "interrupted", true, &[]);
}

#[tokio::test]
async fn an_endless_body_ends_at_the_limit() {
    let sent = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&sent);
    let server = TestServer::start(move |_, mut stream| {
        let counted = Arc::clone(&counted);
        async move {
            let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{\"status\":\"";
            let block = [b'x'; 8192];
            let mut sending = stream.write_all(head.as_bytes()).await;
            while sending.is_ok() {
                counted.fetch_add(block.len(), Ordering::Relaxed);
                sending = stream.write_all(&block).await;
            }
        }
    })
    .await;
    let limit = 1 << 20;
    let error = raw(Settings { max_response_bytes: limit, ..settings(&server) }).await.unwrap_err();
    assert!(matches!(error, Error::TooLarge { excess: Excess::Bytes(bytes), .. } if bytes == limit), "{error:?}");
    says(&error, "too_large", false, &["1048576 bytes"]);
    // What was sent beyond the limit lies in the buffers of two sockets: no tenfold.
    assert!(sent.load(Ordering::Relaxed) < 16 * limit, "{sent:?}");
}

#[tokio::test]
async fn a_gzip_bomb_is_given_up_at_the_limit_after_decompression() {
    // 64 MiB of blanks within a valid answer, compressed more than 200 to 1.
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(br#"{"status":"success","#).unwrap();
    for _ in 0..64 {
        gzip.write_all(&vec![b' '; 1 << 20]).unwrap();
    }
    let bomb = gzip.finish().unwrap();
    assert!(bomb.len() < (64 << 20) / 200, "{}", bomb.len());
    let server = TestServer::answering(vec![answer(
        &["200 OK", "Content-Type: application/json", "Content-Encoding: gzip"],
        bomb,
    )])
    .await;
    let error = raw(Settings { max_response_bytes: 1 << 20, ..settings(&server) }).await.unwrap_err();
    says(&error, "too_large", false, &["1048576 bytes"]);
    assert_eq!(server.requests()[0].headers["accept-encoding"], "gzip");
}

#[tokio::test]
async fn gzip_within_the_limits_is_read() {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    gzip.write_all(br#"{"status":"success","data":{"resultType":"matrix","result":[]}}"#).unwrap();
    let head = ["200 OK", "Content-Type: application/json", "Content-Encoding: gzip"];
    assert_eq!(outcome(answer(&head, gzip.finish().unwrap())).await.unwrap(), Answer::default());
}

#[tokio::test]
async fn a_trickle_is_bounded_by_the_timeout() {
    let server = TestServer::start(|_, mut stream| async move {
        let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n";
        let mut sending = stream.write_all(head.as_bytes()).await;
        while sending.is_ok() {
            tokio::time::sleep(Duration::from_millis(20)).await;
            sending = stream.write_all(b" ").await;
        }
    })
    .await;
    let error = raw(Settings { timeout: Duration::from_millis(300), ..settings(&server) }).await.unwrap_err();
    says(&error, "timed_out", true, &["300ms"]);
}

#[tokio::test]
async fn a_server_that_never_answers_is_bounded_by_the_timeout_of_all_tries() {
    let server = TestServer::start(|_, stream| async move {
        // Held open, nothing sent.
        std::future::pending::<()>().await;
        drop(stream);
    })
    .await;
    let settings = Settings { timeout: Duration::from_millis(200), retries: 2, ..settings(&server) };
    says(&raw(settings).await.unwrap_err(), "timed_out", true, &[]);
    assert!((2..=3).contains(&server.requests().len()), "{:?}", server.requests());
}

#[tokio::test]
async fn what_is_above_a_limit_is_refused_whole() {
    let three = r#"{"metric":{"a":"1"},"values":[[1,"1"]]},{"metric":{"a":"2"},"values":[[1,"1"],[2,"2"]]},{"metric":{},"values":[]}"#;
    let server = TestServer::answering(vec![matrix(three, "")]).await;
    let limited = |max_series, max_samples| raw(Settings { max_series, max_samples, ..settings(&server) });
    assert_eq!(limited(3, 3).await.unwrap().series.len(), 2);
    says(&limited(2, 3).await.unwrap_err(), "too_large", false, &["2 series"]);
    says(&limited(3, 2).await.unwrap_err(), "too_large", false, &["2 samples"]);
}

#[tokio::test]
async fn odd_samples_are_put_in_order_and_kept_apart() {
    let values = r#"[30,"3"],[10,"1"],[10,"9"],[20.5,"NaN"],[40,"+Inf"],[0,"0"],[60,"6"],[60.001,"7"]"#;
    let answer = outcome(matrix(&format!(r#"{{"metric":{{"a":"b"}},"values":[{values}]}}"#), "")).await.unwrap();
    let series = &answer.series[0];
    let seen: Vec<_> = series.samples().iter().map(|sample| (sample.at.as_millis(), sample.value)).collect();
    assert_eq!(seen, [(10_000, 1.0), (30_000, 3.0), (60_000, 6.0)]);
    assert_eq!(series.nan(), [Timestamp::from_millis(20_500)]);
    assert_eq!(series.infinite(), [Timestamp::from_millis(40_000)]);
}

#[tokio::test]
async fn missing_data_is_told_from_remarks() {
    let lint = r#","infos":["PromQL info: metric might not be a counter"],"warnings":["PromQL warning: bad bucket"]"#;
    let answer = outcome(matrix("", lint)).await.unwrap();
    assert_eq!(answer.partial, None);
    assert_eq!(answer.remarks, ["PromQL info: metric might not be a counter", "PromQL warning: bad bucket"]);
    let answer = outcome(matrix("", r#","warnings":["fetch series: store away"]"#)).await.unwrap();
    assert_eq!(answer.partial.as_deref(), Some("fetch series: store away"));
    let answer = outcome(matrix("", r#","isPartial":true"#)).await.unwrap();
    assert!(answer.partial.is_some());
}

#[tokio::test]
async fn values_off_the_grid_are_not_shifted_onto_it() {
    let grid =
        Grid { from: Timestamp::from_millis(7_000), to: Timestamp::from_millis(67_000), step: Duration::from_secs(15) };
    let of = async |values: &str| {
        let server =
            TestServer::answering(vec![matrix(&format!(r#"{{"metric":{{}},"values":[{values}]}}"#), "")]).await;
        Prometheus::new("main", settings(&server)).unwrap().grid("up", grid).await
    };
    assert_eq!(of(r#"[22,"1"],[67,"2"]"#).await.unwrap().series[0].samples().len(), 2);
    // As VictoriaMetrics realigns, and outside of what was asked.
    for values in [r#"[15,"1"]"#, r#"[82,"1"]"#, r#"[-8,"1"]"#, r#"[22,"1"],[22.001,"1"]"#] {
        let error = of(values).await.unwrap_err();
        assert!(matches!(error, Error::Inconsistent { .. }) && !error.is_transient(), "{error:?}");
    }
}

/// A series with a native histogram of one bucket at each of `seconds`.
fn native(seconds: &[u32]) -> String {
    let one = |at: &u32| format!(r#"[{at},{{"count":"{at}","sum":"1","buckets":[[0,"1","2","{at}"]]}}]"#);
    let all: Vec<String> = seconds.iter().map(one).collect();
    format!(r#"{{"metric":{{"a":"b"}},"histograms":[{}]}}"#, all.join(","))
}

#[tokio::test]
async fn native_histograms_are_cut_to_the_window_too() {
    let answer = outcome(matrix(&native(&[70, 60, 30]), "")).await.unwrap();
    let [one] = &answer.native[..] else { panic!("{answer:?}") };
    assert_eq!(one.counts().samples().iter().map(|sample| sample.at.as_millis()).collect::<Vec<_>>(), [30_000, 60_000]);
    assert_eq!((answer.series.len(), answer.remarks.len()), (0, 0));
    assert_eq!(outcome(matrix(&native(&[70]), "")).await.unwrap(), Answer::default());
}

#[tokio::test]
async fn a_native_histogram_that_is_none_is_an_error_and_no_answer() {
    let of = |histogram: &str| matrix(&format!(r#"{{"metric":{{}},"histograms":[[30,{histogram}]]}}"#), "");
    for (histogram, said) in [
        (r#"{"count":"5","buckets":[[0,"2","1","5"]]}"#, "bounds are not two numbers in order"),
        (r#"{"count":"5","buckets":[[0,"1","3","2"],[0,"2","4","3"]]}"#, "overlap"),
        (r#"{"count":"5","buckets":[[0,"1","2","6"]]}"#, "more events"),
        (r#"{"count":"5","buckets":[[9,"1","2","5"]]}"#, "kind 9"),
        (r#"{"buckets":[]}"#, "missing field `count`"),
    ] {
        says(&outcome(of(histogram)).await.unwrap_err(), "malformed", false, &[said]);
    }
    let server = TestServer::answering(vec![matrix(&native(&[10, 20, 30]), "")]).await;
    let error = raw(Settings { max_samples: 5, ..settings(&server) }).await.unwrap_err();
    assert!(matches!(error, Error::TooLarge { excess: Excess::Samples(5), .. }), "{error:?}");
}

#[tokio::test]
async fn native_histograms_on_a_grid_are_left_out_aloud() {
    let grid =
        Grid { from: Timestamp::from_millis(0), to: Timestamp::from_millis(60_000), step: Duration::from_secs(30) };
    let server = TestServer::answering(vec![matrix(&native(&[30, 60]), "")]).await;
    let answer = Prometheus::new("main", settings(&server)).unwrap().grid("up", grid).await.unwrap();
    assert_eq!((answer.series.len(), answer.native.len()), (0, 0));
    assert_eq!(answer.remarks, ["1 series have native histograms, which were not read"]);
}

#[tokio::test]
async fn limits_hold_over_all_parts_of_a_split_grid() {
    // 20 001 points are three queries; each brings the same point of its own part.
    let points = [0, 10_000, 20_000];
    let part = |labels: &str, at: usize| matrix(&format!(r#"{{"metric":{labels},"values":[[{at},"1"]]}}"#), "");
    let grid =
        Grid { from: Timestamp::from_millis(0), to: Timestamp::from_millis(20_000_000), step: Duration::from_secs(1) };
    let of = async |labels: [&str; 3], max_series, max_samples| {
        let answers = points.iter().zip(labels).map(|(at, labels)| part(labels, *at)).collect();
        let server = TestServer::answering(answers).await;
        let settings = Settings { max_series, max_samples, ..settings(&server) };
        (Prometheus::new("main", settings).unwrap().grid("up", grid).await, server.requests())
    };
    let (answer, requests) = of(["{}"; 3], 1, 3).await;
    let samples: Vec<i64> = answer.unwrap().series[0].samples().iter().map(|sample| sample.at.as_millis()).collect();
    assert_eq!(samples, [0, 10_000_000, 20_000_000]);
    let ends: Vec<_> = requests.iter().map(|request| (&request.form["start"][..], &request.form["end"][..])).collect();
    assert_eq!(ends, [("0.000", "9999.000"), ("10000.000", "19999.000"), ("20000.000", "20000.000")]);
    let (answer, _) = of(["{}"; 3], 1, 2).await;
    assert!(matches!(answer, Err(Error::TooLarge { excess: Excess::Samples(2), .. })), "{answer:?}");
    let (answer, _) = of(["{}", r#"{"a":"1"}"#, r#"{"a":"2"}"#], 2, 3).await;
    assert!(matches!(answer, Err(Error::TooLarge { excess: Excess::Series(2), .. })), "{answer:?}");
}

#[tokio::test]
async fn a_grid_that_nobody_can_answer_is_not_asked() {
    let server = TestServer::answering(vec![matrix("", "")]).await;
    let source = Prometheus::new("main", settings(&server)).unwrap();
    for (to, step) in [(60_000, Duration::ZERO), (60_001, Duration::from_secs(1)), (i64::MAX, Duration::from_millis(1))]
    {
        let grid = Grid { from: Timestamp::from_millis(0), to: Timestamp::from_millis(to), step };
        assert!(matches!(source.grid("up", grid).await, Err(Error::Grid { .. })));
    }
    assert_eq!(server.requests().len(), 0);
}

#[tokio::test]
async fn passing_failures_are_asked_again_and_lasting_ones_are_not() {
    let good = matrix("", "");
    let bad = |status: &str| answer(&[status], "");
    let html = answer(&["200 OK", "Content-Type: text/html"], "<html>");
    for (answers, expect_ok, expect_requests) in [
        (vec![bad("503 Away"), bad("500 Oops"), good.clone()], true, 3),
        (vec![bad("429 Later"), good.clone()], true, 2),
        (vec![html, good.clone()], true, 2),
        (vec![Vec::new(), good.clone()], true, 2),
        (vec![bad("422 Store away"), good.clone()], true, 2),
        (vec![bad("422 Really"), bad("422 Really"), good.clone()], false, 2),
        (vec![bad("503 Away")], false, 3),
        (vec![bad("400 Bad"), good.clone()], false, 1),
        (vec![bad("401 Who"), good.clone()], false, 1),
        (vec![bad("404 Where"), good.clone()], false, 1),
        (vec![bad("413 Big"), good.clone()], false, 1),
        (vec![answer(&["429 Later", "Retry-After: 31"], ""), good.clone()], false, 1),
        (vec![answer(&["503 Later", "Retry-After: 0"], ""), good.clone()], true, 2),
    ] {
        let server = TestServer::answering(answers).await;
        let outcome = raw(Settings { retries: 2, ..settings(&server) }).await;
        assert_eq!((outcome.is_ok(), server.requests().len()), (expect_ok, expect_requests), "{outcome:?}");
    }
}

#[tokio::test]
async fn no_more_questions_at_a_time_than_allowed() {
    let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (counted_now, counted_most) = (Arc::clone(&now), Arc::clone(&most));
    let server = TestServer::start(move |_, mut stream| {
        let (now, most) = (Arc::clone(&counted_now), Arc::clone(&counted_most));
        async move {
            most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            // Everybody who may come has come by then.
            for _ in 0..100 {
                tokio::task::yield_now().await;
            }
            now.fetch_sub(1, Ordering::SeqCst);
            drop(stream.write_all(&matrix("", "")).await);
        }
    })
    .await;
    let source = Prometheus::new("main", Settings { max_concurrent: 2, ..settings(&server) }).unwrap();
    let answers = futures_util::future::join_all((0..12).map(|_| source.raw("up", WINDOW))).await;
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
    assert!((1..=2).contains(&most.load(Ordering::SeqCst)), "{most:?}");
}
