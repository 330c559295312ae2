//! What the tests start: the real binary, a real Prometheus, seeded traffic to fill
//! it with, a valve between the two, an HTTP server that misbehaves on purpose, and
//! waves of made-up evidence.

pub(crate) mod budgets;
pub(crate) mod bursts;
pub(crate) mod daemon;
pub(crate) mod headers;
pub(crate) mod http;
pub(crate) mod month;
pub(crate) mod prometheus;
pub(crate) mod remote_write;
pub(crate) mod simulation;
pub(crate) mod valve;
pub(crate) mod waves;
