//! Recordings: files of evidence, and a source that answers from one.
//!
//! ```text
//! file      read and written, every size bounded
//! recorder  stands before a source and keeps what it answers
//! source    answers the same again
//! ```

mod file;
mod recorder;
mod source;

pub use file::Answers;
pub use file::FileError;
pub use file::MAX_BYTES;
pub use file::pack;
pub use file::read;
pub use file::read_as;
pub use file::unpack;
pub use file::write;
pub use recorder::Recorder;
pub use source::Recorded;

use serde::Deserialize;
use std::path::PathBuf;

/// A recording as a source of the configuration.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The file.
    pub path: PathBuf,
}
