//! Targets that wavegate scrapes itself: real ones, hostile ones, and a wave judged by them.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod hostile;
mod instances;
mod live;
mod unseen;
mod wave;

use crate::support::http::TestServer;
use crate::support::http::answer;
use std::collections::BTreeMap;
use std::time::Duration;
use wavegate::engine::Clock;
use wavegate::series::Series;
use wavegate::series::Timestamp;
use wavegate::series::Window;
use wavegate::sources::Answer;
use wavegate::sources::Source;
use wavegate::sources::prometheus::Endpoint;
use wavegate::sources::scrape::Scrape;
use wavegate::sources::scrape::Settings;
use wavegate::sources::scrape::TargetSettings;

/// Everything that there may be, 2017 to 2096.
const ALWAYS: Window =
    Window { from: Timestamp::from_millis(1_500_000_000_000), to: Timestamp::from_millis(4_000_000_000_000) };

fn target(url: &str, labels: &[(&str, &str)]) -> TargetSettings {
    let labels = labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    TargetSettings { url: Endpoint::parse(url).unwrap(), labels: labels.collect::<BTreeMap<_, _>>() }
}

/// Scraped every second, which is also how long an honest target has on a busy machine.
fn settings(targets: Vec<TargetSettings>) -> Settings {
    Settings { interval: Duration::from_secs(1), ..Settings::new(targets) }
}

fn start(settings: &Settings) -> Scrape {
    Scrape::start("local", settings, || Clock::System.now()).unwrap()
}

/// Asks for `selector` until the answer is `enough`, for a minute.
async fn raw_until(source: &Scrape, selector: &str, enough: impl Fn(&Answer) -> bool) -> Answer {
    let asking = async {
        loop {
            let answer = source.raw(selector, ALWAYS).await.unwrap();
            if enough(&answer) {
                break answer;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_mins(1), asking).await.expect("enough within a minute")
}

/// Waits until every target was scraped `times`, well or not.
async fn scraped(source: &Scrape, times: usize) -> Answer {
    raw_until(source, "up", |up| !up.series.is_empty() && up.series.iter().all(|one| one.samples().len() >= times))
        .await
}

fn values(series: &Series) -> Vec<f64> {
    series.samples().iter().map(|sample| sample.value).collect()
}

/// A 200 in the text format.
fn text(body: impl AsRef<[u8]>) -> Vec<u8> {
    answer(&["200 OK", "Content-Type: text/plain; version=0.0.4"], body)
}

async fn serving(body: &str) -> TestServer {
    TestServer::answering(vec![text(body)]).await
}
