//! Samples that we took ourselves, kept in memory, and questions answered from them.
//!
//! What is scraped and what is probed is kept alike, so that gaps, ends of series
//! and lost samples mean the same for both.

mod kept;
mod recall;

pub(in crate::sources) use kept::Bounds;
pub(in crate::sources) use kept::Memory;
pub(in crate::sources) use kept::One;
pub(in crate::sources) use kept::Read;
pub(in crate::sources) use kept::Words;
pub(in crate::sources) use recall::Recall;
pub(in crate::sources) use recall::Shared;

use crate::series::Timestamp;
use std::sync::Arc;

/// What time it is.
pub(in crate::sources) type Now = Arc<dyn Fn() -> Timestamp + Send + Sync>;
