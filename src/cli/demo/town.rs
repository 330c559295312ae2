//! What the demo's daemon watches: shops of three releases, and who buys in them.

use crate::cli::demo::shop;
use crate::cli::demo::shop::Release;
use crate::cli::demo::shoppers;
use crate::cli::demo::shoppers::Served;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::task::JoinSet;

/// The wave id of the instances that are not upgraded.
pub(super) const STABLE: &str = "stable";
/// The wave that must pass.
pub(super) const GOOD: &str = "good";
/// The wave that must fail, by its errors.
pub(super) const BAD: &str = "bad";

/// Instances of each release.
const INSTANCES: usize = 2;
/// The article that the bad release has no price for.
const UNPRICED: u64 = 13;

/// Every instance, with its stream of requests.
pub(super) struct Town {
    instances: Vec<Instance>,
}

struct Instance {
    wave: &'static str,
    address: SocketAddr,
    served: Served,
}

impl Town {
    /// Starts instances and requests.
    ///
    /// # Errors
    /// No port is free.
    pub(super) async fn open(tasks: &mut JoinSet<()>) -> anyhow::Result<Self> {
        // An error here means that a provider is installed already, which is as good.
        drop(rustls::crypto::ring::default_provider().install_default());
        let client = reqwest::Client::builder().no_proxy().tls_certs_only([]).build()?;
        let mut instances = Vec::new();
        for (wave, unpriced) in [(STABLE, None), (GOOD, None), (BAD, Some(UNPRICED))] {
            for _ in 0..INSTANCES {
                let address = shop::start(Release { unpriced }, tasks).await?;
                let served = shoppers::send(&client, address, tasks);
                instances.push(Instance { wave, address, served });
            }
        }
        Ok(Self { instances })
    }

    /// The targets, as a configuration has them.
    pub(super) fn targets(&self) -> String {
        let mut text = String::new();
        for Instance { wave, address, .. } in &self.instances {
            let _ = writeln!(
                text,
                "[[sources.shop.scrape.targets]]\nurl = \"http://{address}/metrics\"\nlabels = {{ wave_id = \"{wave}\" }}"
            );
        }
        text
    }

    /// Who is there, for people.
    pub(super) fn introduction(&self) -> String {
        let mut text = String::new();
        for (wave, what) in [
            (STABLE, "the baseline, runs already".to_owned()),
            (GOOD, "a new release that is as good".to_owned()),
            (BAD, format!("a new release whose price list lacks article {UNPRICED}: 1 basket in 20 fails")),
        ] {
            let at = |instance: &Instance| format!("http://{}/metrics", instance.address);
            let at: Vec<String> = self.instances.iter().filter(|instance| instance.wave == wave).map(at).collect();
            let _ = writeln!(text, "  {wave:<7} {what}\n          {}", at.join("  "));
        }
        text
    }

    /// What each release served in `elapsed`.
    pub(super) fn traffic(&self, elapsed: Duration) -> String {
        let rate = |wave: &str| {
            let own = self.instances.iter().filter(|instance| instance.wave == wave);
            let served: u64 = own.map(|instance| instance.served.load(Ordering::Relaxed)).sum();
            format!("{wave} {}/s", served / elapsed.as_secs().max(1))
        };
        format!("requests answered: {}", [STABLE, GOOD, BAD].map(rate).join(", "))
    }
}
