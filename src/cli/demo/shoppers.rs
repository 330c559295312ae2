//! Who buys in the shop: a steady stream of requests to every instance.

use crate::cli::demo::shop::mixed;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio::time::MissedTickBehavior;

/// Shoppers of one instance: each waits for its answer before it asks again, so a slow
/// shop is not buried.
const SHOPPERS: u64 = 3;
/// How often one of them asks: 300 requests a second an instance, 600 a cohort of two.
const EVERY: Duration = Duration::from_millis(10);

/// Moments within [`EVERY`] at which a shopper may begin, in microseconds.
const PHASES_US: u64 = 10_000;

/// Requests that were answered, whatever with.
pub(super) type Served = Arc<AtomicU64>;

/// Sends shoppers to `instance`; counts what it answers.
pub(super) fn send(client: &reqwest::Client, instance: SocketAddr, tasks: &mut JoinSet<()>) -> Served {
    let served = Served::default();
    for shopper in 0..SHOPPERS {
        let (client, served) = (client.clone(), Arc::clone(&served));
        tasks.spawn(async move {
            // Every instance sees baskets of its own.
            let mut basket = mixed(u64::from(instance.port()) << 8 | shopper);
            // Nor do all ask at the same moment, or some would always be served last.
            let phase = Duration::from_micros(basket % PHASES_US);
            let mut ticks = tokio::time::interval_at(Instant::now() + phase, EVERY);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                ticks.tick().await;
                basket = mixed(basket);
                if buy(&client, instance, basket).await.is_ok() {
                    served.fetch_add(1, Ordering::Relaxed);
                }
            }
        });
    }
    served
}

async fn buy(client: &reqwest::Client, instance: SocketAddr, basket: u64) -> reqwest::Result<()> {
    let response = client.get(format!("http://{instance}/baskets/{basket}")).send().await?;
    response.bytes().await.map(drop)
}
