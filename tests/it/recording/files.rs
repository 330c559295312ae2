//! Files that are no recordings, or no longer what they were, are refused with the line.

use super::recorded;
use super::wave;
use flate2::Compression;
use flate2::write::GzEncoder;
use std::fmt::Write as _;
use std::io::Read as _;
use std::io::Write as _;
use std::path::Path;
use std::time::Duration;
use wavegate::engine;
use wavegate::engine::ReplayError;
use wavegate::series::Labels;
use wavegate::series::Sample;
use wavegate::series::Series;
use wavegate::series::Timestamp;
use wavegate::series::Window;
use wavegate::series::native;
use wavegate::series::native::Bucket;
use wavegate::series::native::Histogram;
use wavegate::series::native::Histograms;
use wavegate::sources::recording;
use wavegate::sources::recording::Answers;
use wavegate::wire::Label;
use wavegate::wire::RecordedAnswer;
use wavegate::wire::RecordedQuestion;
use wavegate::wire::Recording;

fn short() -> Recording {
    recorded(&wave("low-traffic-1"), Duration::from_mins(3))
}

/// The lines of a recording.
fn lines(recording: &Recording) -> Vec<String> {
    let packed = recording::pack(recording).unwrap();
    let mut text = String::new();
    flate2::read::GzDecoder::new(&packed[..]).read_to_string(&mut text).unwrap();
    text.lines().map(str::to_owned).collect()
}

fn zipped(text: &[u8]) -> Vec<u8> {
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(text).unwrap();
    packed.finish().unwrap()
}

#[track_caller]
fn refused(bytes: &[u8], expect: &str) {
    let file = tempfile::Builder::new().suffix(".recording").tempfile().unwrap();
    std::fs::write(file.path(), bytes).unwrap();
    for answers in [Answers::Wanted, Answers::Skipped] {
        let error = recording::read(file.path(), answers).unwrap_err();
        let cause = std::error::Error::source(&error).map_or(String::new(), |cause| format!(": {cause}"));
        let said = format!("{error}{cause}");
        assert!(said.contains(expect) && said.contains(".recording"), "`{expect}` is not in `{said}`");
    }
}

#[test]
fn a_file_that_is_no_recording_is_refused_with_its_line() {
    let whole = lines(&short());
    let last = whole.len();
    let edited = |line: usize, from: &str, to: &str| {
        let mut lines = whole.clone();
        assert!(lines[line].contains(from), "{from} in {}", lines[line]);
        lines[line] = lines[line].replacen(from, to, 1);
        zipped(lines.join("\n").as_bytes())
    };
    let without = |line: usize| {
        let mut lines = whole.clone();
        lines.remove(line);
        zipped(lines.join("\n").as_bytes())
    };
    refused(b"", "at line 1: it is empty");
    refused(&zipped(b""), "at line 1: it is empty");
    refused(b"wave: 1\n", "at line 1: it does not begin with a recording's header");
    refused(&[0xff, 0xfe, 0x00], "at line 1: it is not text");
    refused(&[0x1f, 0x8b, 0x08], "cannot read the recording");
    refused(&edited(0, "\"format\":1", "\"format\":2"), "it has format 2, and this version reads 1");
    refused(&edited(0, "\"attempt\":1", "\"attempt\":0"), "at line 1: attempts and revisions count from 1");
    refused(&edited(0, "\"label\":null", "\"label\":\"fine\""), "at line 1: unknown variant `fine`");
    refused(&edited(0, "\"run\":null", "\"ran\":null"), "at line 1: unknown field `ran`");
    refused(&edited(0, "\"state\":\"", "\"state\":\"x"), "is no state");
    let note = format!("\"note\":\"{}\"", "x".repeat(5000));
    refused(&edited(0, "\"note\":null", &note), "`note` is longer than 4096 bytes");
    refused(&edited(2, "\"checks\"", "\"tests\""), "at line 3: unknown field `tests`");
    refused(&edited(2, "\"expected\":1", "\"expected\":0"), "at line 3: no sample is expected");
    refused(
        &edited(last - 1, "\"intervals\":12", "\"intervals\":13"),
        "it has 12 intervals and says that there were 13",
    );
    refused(&without(3), "it has 11 intervals and says that there were 12");
    refused(&without(last - 2), "answers and says that there were");
    refused(&without(last - 1), "it breaks off here");
    refused(&zipped(format!("{}\n{}", whole.join("\n"), whole[1]).as_bytes()), "the recording has ended before");
    let cut = zipped(whole.join("\n").as_bytes());
    refused(&cut[..cut.len() / 2], "cannot read the recording");
}

#[test]
fn an_answer_that_cannot_be_is_refused_where_it_is_read() {
    let whole = lines(&short());
    let line = whole.iter().position(|line| line.starts_with("{\"answer\":") && line.contains("\"at\":[1")).unwrap();
    for (from, to, expect) in [
        ("\"at\":[1", "\"at\":[0,1", "instants and"),
        ("\"values\":[", "\"values\":[1e999,", "out of range"),
        ("\"labels\":{", "\"labels\":{\"x\":1,", "invalid type"),
    ] {
        let mut lines = whole.clone();
        lines[line] = lines[line].replacen(from, to, 1);
        let error =
            recording::unpack(Path::new("x"), &zipped(lines.join("\n").as_bytes()), Answers::Wanted).unwrap_err();
        assert!(error.to_string().contains(expect), "{to}: {error}");
        assert!(error.to_string().contains(&format!("at line {}", line + 1)), "{to}: {error}");
    }
}

#[test]
fn a_bomb_is_refused_before_it_fills_the_memory() {
    let mut bomb = GzEncoder::new(Vec::new(), Compression::fast());
    let zeros = vec![b'0'; 1 << 20];
    for _ in 0..80 {
        bomb.write_all(&zeros).unwrap();
    }
    refused(&bomb.finish().unwrap(), "a line of more than");
}

#[test]
fn a_plain_file_is_read_as_well() {
    let recording = short();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), lines(&recording).join("\n")).unwrap();
    assert!(recording::read(file.path(), Answers::Wanted).unwrap() == recording);
}

#[test]
fn rules_that_were_changed_in_the_file_are_not_those_that_were_judged_by() {
    let mut recording = short();
    recording.header.rules_text.push_str("# harmless\n");
    assert!(matches!(engine::replay(&recording), Err(ReplayError::Digest { .. })));
    recording.header.rules_text = "version: 9\n".to_owned();
    let Err(ReplayError::Rules { faults }) = engine::replay(&recording) else { panic!("replayed") };
    assert!(faults.contains("version"), "{faults}");
}

#[test]
fn what_a_source_can_answer_is_read_as_it_was_written() {
    let at = |second: i64| Timestamp::from_millis(second * 1000 + 7);
    let labels: Labels =
        [("__name__", "a\n\"b"), ("le", "+Inf")].map(|(n, v)| (n.to_owned(), v.to_owned())).into_iter().collect();
    let values = [0.1, -0.0, f64::NAN, f64::INFINITY, 1e-320, 9_007_199_254_740_993.0, f64::NAN];
    let samples = || (0..).zip(values).map(|(k, value)| Sample { at: at(k * 15), value }).collect();
    let bucket = |left: f64, right: f64| Bucket { left, right, is_closed: left.total_cmp(&right).is_eq(), events: 2.5 };
    let buckets = [bucket(0.0, 0.0), bucket(0.25, 0.5), bucket(8.0, f64::INFINITY)];
    let histogram = |(k, count): (i64, f64)| native::Sample {
        at: at(k),
        histogram: Histogram::new(count, if count.is_finite() { &buckets } else { &[] }).unwrap(),
    };
    let native = [(0, 7.5), (15, f64::NAN), (30, 11.0), (45, f64::INFINITY)].map(histogram).to_vec();
    let answer = |question| RecordedAnswer {
        question,
        series: vec![Series::new(labels.clone(), samples())],
        native: vec![Histograms::new(labels.clone(), native.clone())],
        partial: Some("a shard is down".to_owned()),
        remarks: vec!["odd".to_owned()],
    };
    let mut recording = short();
    recording.header.label = Some(Label::Bad);
    recording.answers = vec![
        answer(RecordedQuestion::Raw { selector: "a{}".to_owned(), window: Window { from: at(0), to: at(90) } }),
        answer(RecordedQuestion::Grid {
            expr: "a".to_owned(),
            from: at(0),
            to: at(90),
            step: Duration::from_millis(15_001),
        }),
    ];
    let read = recording::unpack(Path::new("x"), &recording::pack(&recording).unwrap(), Answers::Wanted).unwrap();
    let (mut found, mut expect) = (String::new(), String::new());
    write!(found, "{read:?}").unwrap();
    write!(expect, "{recording:?}").unwrap();
    assert!(found == expect, "{:?}\n{:?}", read.answers, recording.answers);
}
