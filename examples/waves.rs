//! Writes two waves of a made-up service as OpenMetrics text: `good`, and `bad`
//! with ten times the errors. README fills a Prometheus with it; the tests do the
//! same with more kinds of waves.

use std::io::Write as _;
use support::waves::Wave;
use wavegate::series::Timestamp;

#[path = "../tests/it/support"]
mod support {
    pub(crate) mod random;
    pub(crate) mod waves;
}

fn main() -> std::io::Result<()> {
    let start = Timestamp::parse("2026-11-22T12:00:00Z").expect("a time");
    let bad = Wave { canary_errors: 0.02, seed: 2, ..Wave::new("bad", start) };
    let text = support::waves::openmetrics(&[Wave::new("good", start), bad]);
    std::io::stdout().write_all(text.as_bytes())
}
