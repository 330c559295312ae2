//! The public shapes: verdicts and events as JSON, prose made from typed reasons.
//!
//! A document is a function of a gate and nothing else: keys stand in one fixed
//! order, every key is always there (`null` where there is nothing to say), and
//! a number that is not finite is `null`. So equal gates give equal bytes, today
//! and in a replay, and a document can be signed, hashed and compared.
//!
//! Words that people read are made here, at the edge, from typed causes: the
//! core has no sentences, so nobody has to parse one to learn a number.

mod budget;
mod document;
mod event;
mod evidence;
mod headline;
mod json;
mod plan;
mod prose;
mod reason;
mod recording;
mod simulation;
mod standing;
mod summary;

pub use budget::History;
pub use budget::Loading;
pub use budget::SloView;
pub use budget::Trouble;
pub use budget::slo_document;
pub use budget::slos_document;
pub use document::STATES;
pub use document::gate_document;
pub use document::state;
pub use document::verdict;
pub use document::wave_document;
pub use event::EventParts;
pub use event::MAX_EVENT_BYTES;
pub use event::event_body;
pub use event::event_type;
pub use evidence::read_evidence;
pub use evidence::write_evidence;
pub use headline::Headline;
pub use json::pointer_token;
pub use plan::cannot_decide;
pub use plan::plan_document;
pub(crate) use prose::length;
pub(crate) use prose::number;
pub(crate) use prose::percent;
pub use recording::ANSWER_BEGINS;
pub use recording::Label;
pub use recording::RECORDING_FORMAT;
pub use recording::RecordedAnswer;
pub use recording::RecordedAttestation;
pub use recording::RecordedEnd;
pub use recording::RecordedQuestion;
pub use recording::Recording;
pub use recording::RecordingHeader;
pub use recording::RecordingLine;
pub use simulation::simulation_document;
pub use standing::Standing;
