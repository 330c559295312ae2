//! Writes the thirty days before the waves of `waves` as OpenMetrics text: what the error
//! budget of their service is counted from.

use std::io::Write as _;

#[path = "../tests/it/support"]
mod support {
    pub(crate) mod month;
}

fn main() -> std::io::Result<()> {
    std::io::stdout().write_all(support::month::openmetrics().as_bytes())
}
