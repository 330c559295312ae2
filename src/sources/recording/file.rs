//! Recordings as files: gzip around lines of JSON.

use crate::wire::ANSWER_BEGINS;
use crate::wire::Recording;
use crate::wire::RecordingHeader;
use crate::wire::RecordingLine;
use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;
use std::fs::File;
use std::io::BufRead;
use std::io::BufReader;
use std::io::Read;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::path::PathBuf;

/// Bytes of a whole recording after decompression: a gate of a hundred instances for a
/// day, with everything its source answered.
pub const MAX_BYTES: u64 = 256 << 20;

/// Bytes of one line: an answer is as large as a source's answer may be.
const MAX_LINE_BYTES: u64 = 64 << 20;

/// Intervals, as many as a gate may have.
const MAX_INTERVALS: usize = 20_000;

/// Questions: a gate of many checks asks a hundred an hour.
const MAX_ANSWERS: usize = 50_000;

/// Series over all answers: each costs memory, however few samples it has.
const MAX_SERIES: usize = 500_000;

/// How a gzip file begins.
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// Why a recording could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The file, or its compression.
    #[error("cannot read the recording {}", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A line is none of a recording's.
    #[error("the recording {} is refused at line {line}: {fault}", path.display())]
    Line {
        /// Which.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// What is wrong, and what to do.
        fault: String,
    },
    /// It cannot be written there.
    #[error("cannot write the recording {}", path.display())]
    Unwritable {
        /// Where.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// What was to be written is no recording.
    #[error("this cannot be recorded: {fault}")]
    Unsound {
        /// Why.
        fault: String,
    },
}

/// Whether a reader wants what the source answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answers {
    /// Yes.
    Wanted,
    /// No: the evidence is enough, and answers are most of a file.
    Skipped,
}

/// The recording of the file at `path`, gzip or plain.
///
/// # Errors
/// See [`FileError`].
pub fn read(path: &Path, answers: Answers) -> Result<Recording, FileError> {
    read_as(path, |_| answers)
}

/// As [`read`]; what is wanted is known once there is the header.
///
/// # Errors
/// See [`FileError`].
pub fn read_as(path: &Path, wanted: impl FnOnce(&RecordingHeader) -> Answers) -> Result<Recording, FileError> {
    let unreadable = |source| FileError::Unreadable { path: path.to_owned(), source };
    let mut file = BufReader::new(File::open(path).map_err(unreadable)?);
    if file.fill_buf().map_err(unreadable)?.starts_with(&GZIP) {
        return lines(path, BufReader::new(MultiGzDecoder::new(file)), wanted);
    }
    lines(path, file, wanted)
}

/// The recording that `bytes` hold, as [`pack`] gives them; `path` is what messages call it.
///
/// # Errors
/// See [`FileError`].
pub fn unpack(path: &Path, bytes: &[u8], answers: Answers) -> Result<Recording, FileError> {
    lines(path, BufReader::new(MultiGzDecoder::new(bytes)), |_| answers)
}

/// The bytes of a file of `recording`: the same for the same recording.
///
/// # Errors
/// It holds a number that its type rules out.
pub fn pack(recording: &Recording) -> Result<Vec<u8>, FileError> {
    let unsound = |fault: String| FileError::Unsound { fault };
    let mut packed = GzEncoder::new(Vec::new(), Compression::default());
    for line in recording.lines() {
        let line = line.map_err(unsound)?;
        packed.write_all(line.as_bytes()).and_then(|()| packed.write_all(b"\n")).map_err(|e| unsound(e.to_string()))?;
    }
    packed.finish().map_err(|error| unsound(error.to_string()))
}

/// Writes `packed`, the bytes of a recording, to `path`: the whole file or none of it.
///
/// # Errors
/// The folder is not there, or not writable.
pub fn write(path: &Path, packed: &[u8]) -> Result<(), FileError> {
    let unwritable = |source| FileError::Unwritable { path: path.to_owned(), source };
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // As any other file that a command writes: temporary ones are for nobody else.
    let mut builder = tempfile::Builder::new();
    builder.permissions(std::fs::Permissions::from_mode(0o666));
    let mut file = builder.tempfile_in(folder).map_err(unwritable)?;
    file.write_all(packed).and_then(|()| file.as_file().sync_all()).map_err(unwritable)?;
    file.persist(path).map_err(|error| unwritable(error.error))?;
    Ok(())
}

fn lines(
    path: &Path,
    reader: impl BufRead,
    wanted: impl FnOnce(&RecordingHeader) -> Answers,
) -> Result<Recording, FileError> {
    let mut reading = Reading { path, reader: reader.take(MAX_BYTES + 1), left: MAX_BYTES, line: 0, text: Vec::new() };
    if !reading.next()? {
        return Err(reading.fault("it is empty".to_owned()));
    }
    let header = RecordingHeader::read(reading.text()?).map_err(|fault| reading.fault(fault))?;
    let answers = wanted(&header);
    let (mut intervals, mut kept, mut told, mut series) = (Vec::new(), Vec::new(), 0_usize, 0_usize);
    let mut end = None;
    while reading.next()? {
        if end.is_some() {
            return Err(reading.fault("the recording has ended before this line; remove what follows".to_owned()));
        }
        if answers == Answers::Skipped && reading.text.starts_with(ANSWER_BEGINS.as_bytes()) {
            told += 1;
            continue;
        }
        match RecordingLine::read(reading.text()?).map_err(|fault| reading.fault(fault))? {
            RecordingLine::Interval(interval) => intervals.push(interval),
            RecordingLine::Answer(answer) => {
                told += 1;
                series += answer.series.len() + answer.native.len();
                kept.push(answer);
            }
            RecordingLine::End { intervals, answers, document } => end = Some((intervals, answers, document)),
        }
        if let Some(fault) = too_many(intervals.len(), told, series) {
            return Err(reading.fault(fault));
        }
    }
    let Some((promised, promised_answers, document)) = end else {
        return Err(reading.fault("it breaks off here: copy the file again, or record the wave again".to_owned()));
    };
    let found = [(intervals.len(), promised, "intervals"), (told, promised_answers, "answers")];
    if let Some((found, promised, what)) = found.into_iter().find(|(found, promised, _)| *found != *promised as usize) {
        return Err(reading.fault(format!("it has {found} {what} and says that there were {promised}")));
    }
    Ok(Recording { header, intervals, answers: kept, document })
}

fn too_many(intervals: usize, answers: usize, series: usize) -> Option<String> {
    let counts =
        [(intervals, MAX_INTERVALS, "intervals"), (answers, MAX_ANSWERS, "answers"), (series, MAX_SERIES, "series")];
    let over = counts.into_iter().find(|(count, limit, _)| count > limit);
    over.map(|(_, limit, what)| format!("more than {limit} {what}: record a shorter wave, or fewer checks"))
}

/// A file on its way, line by line.
struct Reading<'p, R> {
    path: &'p Path,
    reader: R,
    /// Bytes that may still come.
    left: u64,
    line: usize,
    text: Vec<u8>,
}

impl<R: BufRead> Reading<'_, R> {
    /// Whether there is one more line, which is now [`Reading::text`].
    fn next(&mut self) -> Result<bool, FileError> {
        self.text.clear();
        self.line += 1;
        let limit = MAX_LINE_BYTES.min(self.left) + 1;
        let read = (&mut self.reader).take(limit).read_until(b'\n', &mut self.text);
        let read = read.map_err(|source| FileError::Unreadable { path: self.path.to_owned(), source })?;
        let bytes = read as u64;
        if bytes > MAX_LINE_BYTES {
            return Err(self.fault(format!("a line of more than {MAX_LINE_BYTES} bytes")));
        }
        if bytes > self.left {
            return Err(self.fault(format!("more than {MAX_BYTES} bytes: record a shorter wave, or fewer checks")));
        }
        self.left -= bytes;
        if self.text.last() == Some(&b'\n') {
            self.text.pop();
        }
        Ok(read > 0)
    }

    fn text(&self) -> Result<&str, FileError> {
        std::str::from_utf8(&self.text).map_err(|_| self.fault("it is not text: it is some other file".to_owned()))
    }

    fn fault(&self, fault: String) -> FileError {
        FileError::Line { path: self.path.to_owned(), line: self.line, fault }
    }
}
