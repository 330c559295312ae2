//! The public shapes: verdicts and events as JSON, prose made from typed reasons.
//!
//! A document is a function of a gate and nothing else: keys stand in one fixed
//! order, every key is always there (`null` where there is nothing to say), and
//! a number that is not finite is `null`. So equal gates give equal bytes, today
//! and in a replay, and a document can be signed, hashed and compared.
//!
//! Words that people read are made here, at the edge, from typed causes: the
//! core has no sentences, so nobody has to parse one to learn a number.

mod document;
mod event;
mod headline;
mod json;
mod prose;
mod reason;
mod standing;
mod summary;

pub use document::STATES;
pub use document::gate_document;
pub use document::state;
pub use document::verdict;
pub use document::wave_document;
pub use event::EventParts;
pub use event::MAX_EVENT_BYTES;
pub use event::event_body;
pub use event::event_type;
pub use headline::Headline;
pub use standing::Standing;
