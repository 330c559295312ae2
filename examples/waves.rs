//! Writes two waves of a made-up service as OpenMetrics text: `good`, and `bad`
//! with ten times the errors. README fills a Prometheus with it; the tests do the
//! same with more kinds of waves.

use std::io::Write as _;

#[path = "../tests/it/support"]
mod support {
    pub(crate) mod waves;
}

fn main() -> std::io::Result<()> {
    let text = support::waves::openmetrics(&support::waves::shown());
    std::io::stdout().write_all(text.as_bytes())
}
