//! Where the database lies, how large it may grow, how long things are kept.

use serde::Deserialize;
use std::num::NonZeroU16;
use std::num::NonZeroU64;
use std::path::PathBuf;

const EVIDENCE_DAYS: NonZeroU16 = NonZeroU16::new(30).expect("30 is not zero");
const GATES_DAYS: NonZeroU16 = NonZeroU16::new(400).expect("400 is not zero");

/// The longest period of an SLO is a year; a month more, for who looks at the one before.
const BUDGETS_DAYS: NonZeroU16 = NonZeroU16::new(400).expect("400 is not zero");

/// 64 GiB: some 700 gates a day over 400 days with sixty documents of 3 KiB each,
/// and the evidence of the last 30 days.
const MAX_BYTES: NonZeroU64 = NonZeroU64::new(64 << 30).expect("2^36 is not zero");

/// The `store` part of the configuration.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// The database; its folder is made where it is missing. The lock file and the
    /// write-ahead log lie beside it.
    pub path: PathBuf,
    /// The database grows no further than this: writes are then refused and reads
    /// go on, and the disk is left to its other users. Rounded up to pages of 4 KiB.
    pub max_bytes: NonZeroU64,
    /// How long things are kept.
    pub retention: Retention,
}

impl Default for Settings {
    fn default() -> Self {
        Self { path: PathBuf::from("wavegate-data/wavegate.db"), max_bytes: MAX_BYTES, retention: Retention::default() }
    }
}

/// How long things are kept. Of gates it is counted from the last revision of one that is
/// final, or its opening where that is later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Retention {
    /// Evidence.
    pub evidence_days: NonZeroU16,
    /// Gates with all their documents, audit entries and outgoing messages.
    pub gates_days: NonZeroU16,
    /// What error budgets are counted from: slices of services, and what waves are charged
    /// with. An SLO whose period is longer is refused: what was spent of its budget would be
    /// forgotten within it.
    pub budgets_days: NonZeroU16,
}

impl Default for Retention {
    fn default() -> Self {
        Self { evidence_days: EVIDENCE_DAYS, gates_days: GATES_DAYS, budgets_days: BUDGETS_DAYS }
    }
}
