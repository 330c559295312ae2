//! The shop that the demo judges: instances that price baskets and export metrics of
//! doing so.
//!
//! Nothing here knows of verdicts. A release has its price list; the bad one lacks an
//! article, so whoever has it in the basket gets a 500, as when a migration forgot a row.

use anyhow::Context as _;
use axum::Router;
use axum::extract::Path;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::response::Response;
use axum::routing::get;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use std::net::Ipv4Addr;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio::time::Instant;

/// Articles that the shop sells.
const ARTICLES: u64 = 400;
/// The most articles in a basket; with one article of 400 missing about 5 % of baskets
/// cannot be priced.
const BASKET_MAX: u64 = 40;
/// Rounds of work that one price takes: a basket takes some tens of microseconds.
const ROUNDS: u64 = 200;
/// Seconds; from an almost empty basket to a busy machine.
const BUCKETS: [f64; 14] = [
    0.000_005, 0.000_01, 0.000_02, 0.000_03, 0.000_05, 0.000_075, 0.000_1, 0.000_15, 0.000_25, 0.000_5, 0.001, 0.005,
    0.05, 0.5,
];
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// What one release does differently.
#[derive(Clone, Copy, Debug)]
pub(super) struct Release {
    /// An article that its price list lacks.
    pub(super) unpriced: Option<u64>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Code {
    code: u16,
}

/// One instance.
struct Shop {
    release: Release,
    registry: Registry,
    requests: Family<Code, Counter>,
    seconds: Histogram,
    in_flight: Gauge,
}

/// Starts an instance of `release` on a free port of this machine.
///
/// # Errors
/// No port is free.
pub(super) async fn start(release: Release, tasks: &mut JoinSet<()>) -> anyhow::Result<SocketAddr> {
    let shop = Arc::new(Shop::new(release));
    let router = Router::new().route("/baskets/{basket}", get(sell)).route("/metrics", get(metrics)).with_state(shop);
    serve(router, tasks).await
}

/// Serves `router` on a free port of this machine.
///
/// # Errors
/// No port is free.
pub(super) async fn serve(router: Router, tasks: &mut JoinSet<()>) -> anyhow::Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.context("cannot listen on 127.0.0.1")?;
    let address = listener.local_addr().context("cannot listen on 127.0.0.1")?;
    tasks.spawn(async move {
        // It ends with the process; axum itself never ends.
        let _ = axum::serve(listener, router).await;
    });
    Ok(address)
}

impl Shop {
    fn new(release: Release) -> Self {
        let mut registry = Registry::with_prefix("shop");
        let (requests, in_flight) = (Family::<Code, Counter>::default(), Gauge::default());
        let seconds = Histogram::new(BUCKETS);
        registry.register("requests", "Baskets asked for, by status", requests.clone());
        registry.register("request_duration_seconds", "Time to price a basket", seconds.clone());
        registry.register("requests_in_flight", "Baskets being priced", in_flight.clone());
        Self { release, registry, requests, seconds, in_flight }
    }

    /// What the basket costs; `None` where an article has no price.
    fn total(&self, basket: u64) -> Option<u64> {
        let articles = 1 + mixed(basket) % BASKET_MAX;
        (1..=articles).map(|place| self.price(mixed(basket ^ place << 32) % ARTICLES)).sum()
    }

    fn price(&self, article: u64) -> Option<u64> {
        let price = (0..ROUNDS).fold(article, |price, round| mixed(price ^ round));
        (self.release.unpriced != Some(article)).then_some(1 + price % 100)
    }
}

async fn sell(State(shop): State<Arc<Shop>>, Path(basket): Path<u64>) -> Response {
    let begun = Instant::now();
    shop.in_flight.inc();
    let answer = match shop.total(basket) {
        Some(total) => (StatusCode::OK, total.to_string()),
        None => (StatusCode::INTERNAL_SERVER_ERROR, "an article has no price".to_owned()),
    };
    shop.in_flight.dec();
    shop.requests.get_or_create(&Code { code: answer.0.as_u16() }).inc();
    shop.seconds.observe(begun.elapsed().as_secs_f64());
    answer.into_response()
}

async fn metrics(State(shop): State<Arc<Shop>>) -> Response {
    let mut text = String::new();
    match prometheus_client::encoding::text::encode(&mut text, &shop.registry) {
        Ok(()) => ([(CONTENT_TYPE, OPEN_METRICS)], text).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// A number that looks like any other, the same for the same: `SplitMix64`.
pub(super) fn mixed(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ mixed >> 31
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failing(release: Release) -> usize {
        let shop = Shop::new(release);
        (0..20_000).filter(|basket| shop.total(*basket).is_none()).count()
    }

    #[test]
    fn a_price_list_without_an_article_fails_one_basket_in_twenty() {
        assert_eq!(failing(Release { unpriced: None }), 0);
        let failing = failing(Release { unpriced: Some(13) });
        assert!((800..1200).contains(&failing), "{failing} of 20000");
    }
}
