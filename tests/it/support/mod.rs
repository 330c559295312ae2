//! What the tests start: the real binary, a real Prometheus, seeded traffic to fill
//! it with, a valve between the two, and an HTTP server that misbehaves on purpose.

pub(crate) mod daemon;
pub(crate) mod http;
pub(crate) mod prometheus;
pub(crate) mod random;
pub(crate) mod remote_write;
pub(crate) mod valve;
pub(crate) mod waves;
