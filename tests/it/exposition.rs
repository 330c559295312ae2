//! Expositions: every sample is read or its loss is told, on real ones and on broken ones.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use proptest::prelude::*;
use std::fs;
use std::path::Path;
use std::path::PathBuf;
use wavegate::series::exposition;
use wavegate::series::exposition::Cause;
use wavegate::series::exposition::Exposed;
use wavegate::series::exposition::Format;
use wavegate::series::exposition::Limits;
use wavegate::series::exposition::Unread;

type Read = Vec<Result<String, Unread>>;

/// Every sample as `name {label="value" …} value [@millis]`, or what became of it.
fn read(body: impl AsRef<[u8]>, format: Format, limits: &Limits) -> Read {
    let mut all = Vec::new();
    exposition::read(body.as_ref(), format, limits, |line| all.push(line.map(shown)));
    all
}

fn shown(sample: &Exposed<'_>) -> String {
    let labels: Vec<String> = sample.labels.iter().map(|(name, value)| format!("{name}={value:?}")).collect();
    let at = sample.at.map(|at| format!(" @{}", at.as_millis())).unwrap_or_default();
    format!("{} {{{}}} {}{at}", sample.name, labels.join(" "), sample.value)
}

#[track_caller]
fn check(line: &str, format: Format, expect: &str) {
    let end = if format == Format::OpenMetrics { "# EOF\n" } else { "" };
    for feed in ["\n", "\r\n"] {
        let all = read(format!("{line}{feed}{end}"), format, &Limits::default());
        assert_eq!(all, [Ok(expect.to_owned())], "{line}");
    }
}

#[track_caller]
fn check_unread(line: &str, format: Format, column: usize, cause: Cause) {
    let end = if format == Format::OpenMetrics { "# EOF\n" } else { "" };
    let all = read(format!("good 1\n{line}\ngood 2\n{end}"), format, &Limits::default());
    let unread = Unread { line: 2, column, cause };
    assert_eq!(all, [Ok("good {} 1".to_owned()), Err(unread), Ok("good {} 2".to_owned())], "{line}");
}

#[test]
fn samples_are_read_as_prometheus_reads_them() {
    for (line, expect) in [
        ("a 1", "a {} 1"),
        ("a\t 1.5e3 \t", "a {} 1500"),
        (" a 1", "a {} 1"),
        ("a{} 1", "a {} 1"),
        ("a {b=\"c\"} 1", "a {b=\"c\"} 1"),
        ("a{b=\"c\"}1", "a {b=\"c\"} 1"),
        ("a{ b = \"c\" , d=\"e\" , } 1", "a {b=\"c\" d=\"e\"} 1"),
        ("job:rate5m:sum 1", "job:rate5m:sum {} 1"),
        ("a{b=\"x,y\",c=\"x=y\",d=\"x}y{\",e=\"x#y z\"} 1", r#"a {b="x,y" c="x=y" d="x}y{" e="x#y z"} 1"#),
        (r#"a{b="x\"y\\z\nw"} 1"#, r#"a {b="x\"y\\z\nw"} 1"#),
        (r#"a{b="\d\é\t"} 1"#, r#"a {b="\\d\\é\\t"} 1"#),
        (r#"a{b="\\"} 1"#, r#"a {b="\\"} 1"#),
        ("a{b=\"\",c=\"d\"} 1", r#"a {c="d"} 1"#),
        ("a{b=\"äöü 日本\"} 1", r#"a {b="äöü 日本"} 1"#),
        ("{\"http.requests\"} 1", "http.requests {} 1"),
        (r#"{"a b\n", "c.d"="e", f="g"} 1"#, "a b\n {c.d=\"e\" f=\"g\"} 1"),
        (r#"{c="d","http.requests"} 1"#, r#"http.requests {c="d"} 1"#),
        ("a NaN", "a {} NaN"),
        ("a +Inf", "a {} inf"),
        ("a -Inf", "a {} -inf"),
        ("a -0", "a {} -0"),
        ("a 1e400", "a {} inf"),
    ] {
        check(line, Format::Text, expect);
        check(line, Format::OpenMetrics, expect);
    }
}

#[test]
fn timestamps_are_milliseconds_or_seconds_by_format() {
    check("a 1 1700000000123", Format::Text, "a {} 1 @1700000000123");
    check("a 1 -5 ", Format::Text, "a {} 1 @-5");
    check("a 1 1700000000.123", Format::OpenMetrics, "a {} 1 @1700000000123");
    check("a 1 1.7e9", Format::OpenMetrics, "a {} 1 @1700000000000");
    check_unread("a 1 1.5", Format::Text, 5, Cause::BadTimestamp);
    check_unread("a 1 99999999999999999", Format::Text, 5, Cause::BadTimestamp);
    check_unread("a 1 NaN", Format::OpenMetrics, 5, Cause::BadTimestamp);
    check_unread("a 1 1e30", Format::OpenMetrics, 5, Cause::BadTimestamp);
}

#[test]
fn exemplars_are_passed_over_in_openmetrics_alone() {
    for line in [
        "a_bucket{le=\"1\"} 1 # {trace_id=\"x\"} 0.5",
        "a_bucket{le=\"1\"} 1 # {trace_id=\"x y # z\"} 0.5 1.7e9",
        "a_bucket{le=\"1\"} 1 #{}",
    ] {
        check(line, Format::OpenMetrics, "a_bucket {le=\"1\"} 1");
        check_unread(line, Format::Text, 20, Cause::BadTimestamp);
    }
    check("a 1 1.7e9 # {} 1", Format::OpenMetrics, "a {} 1 @1700000000000");
    check_unread("a 1 # exemplar", Format::OpenMetrics, 5, Cause::Trailing);
}

#[test]
fn every_line_that_cannot_be_read_is_named_with_its_place_and_cause() {
    for (line, column, cause) in [
        ("} 1", 1, Cause::NoName),
        ("1 1", 1, Cause::NoName),
        ("{} 1", 4, Cause::NoName),
        ("{a=\"b\"} 1", 9, Cause::NoName),
        ("é 1", 1, Cause::NoName),
        ("a-b 1", 2, Cause::NoName),
        ("http.500 7", 5, Cause::NoName),
        ("a{\"b\"} 1", 3, Cause::NameTwice),
        ("{\"a\",\"b\"} 1", 6, Cause::NameTwice),
        ("a{=\"b\"} 1", 3, Cause::NoLabelName),
        ("a{,} 1", 3, Cause::NoLabelName),
        ("a{b:c=\"d\"} 1", 4, Cause::NoEquals),
        ("a{\"\"=\"d\"} 1", 3, Cause::NoLabelName),
        ("a{b} 1", 4, Cause::NoEquals),
        ("a{b=c} 1", 5, Cause::NoQuote),
        ("a{b='c'} 1", 5, Cause::NoQuote),
        ("a{b=\"c} 1", 5, Cause::OpenQuote),
        ("a{b=\"c\\\"} 1", 5, Cause::OpenQuote),
        ("a{b=\"c\\", 5, Cause::OpenQuote),
        ("a{b=\"c\" d=\"e\"} 1", 9, Cause::NoComma),
        ("a{b=\"c\"", 8, Cause::NoComma),
        ("a{b=\"c\",b=\"d\"} 1", 9, Cause::LabelTwice),
        ("a{__name__=\"b\"} 1", 3, Cause::LabelTwice),
        ("a", 2, Cause::NoValue),
        ("a{b=\"c\"}", 9, Cause::NoValue),
        ("a one", 3, Cause::BadValue),
        ("a 1_000", 3, Cause::BadValue),
        ("a 0x10", 3, Cause::BadValue),
        ("a 1 2 3", 7, Cause::Trailing),
        ("<html>", 1, Cause::NoName),
    ] {
        check_unread(line, Format::Text, column, cause);
        check_unread(line, Format::OpenMetrics, column, cause);
    }
    let told = Unread { line: 17, column: 3, cause: Cause::BadValue }.to_string();
    assert_eq!(told, "line 17, column 3: the value is not a number");
}

#[test]
fn bytes_that_are_no_text_cost_their_own_line() {
    let all = read(b"a 1\nb{c=\"\xff\"} 1\nd 2\n", Format::Text, &Limits::default());
    let lost = Unread { line: 2, column: 6, cause: Cause::NotUtf8 };
    assert_eq!(all, [Ok("a {} 1".to_owned()), Err(lost), Ok("d {} 2".to_owned())]);
}

#[test]
fn a_body_that_was_cut_is_not_whole() {
    let lost = |all: &Read| *all.last().unwrap().as_ref().unwrap_err();
    let text = read("a 1\nb 12", Format::Text, &Limits::default());
    assert_eq!(lost(&text), Unread { line: 2, column: 5, cause: Cause::Unfinished });
    let open = read("a 1\nb 12\n", Format::OpenMetrics, &Limits::default());
    assert_eq!(lost(&open), Unread { line: 3, column: 1, cause: Cause::NoEof });
    let after = read("a 1\n# EOF\nb 1\n\n", Format::OpenMetrics, &Limits::default());
    assert_eq!(lost(&after), Unread { line: 3, column: 1, cause: Cause::AfterEof });
    assert_eq!(read("", Format::Text, &Limits::default()), []);
    assert_eq!(read("a 1\n# EOF", Format::OpenMetrics, &Limits::default()).len(), 1);
    assert_eq!(read("a 1\n# EOF\nb 2\n", Format::Text, &Limits::default()).len(), 2);
}

#[test]
fn each_limit_is_kept_and_told() {
    let limits = Limits { lines: 2, labels: 2, label_bytes: 4 };
    let lost = |body: &str| read(body, Format::Text, &limits).into_iter().find_map(Result::err).map(|lost| lost.cause);
    assert_eq!(lost("abcd{a=\"b\",c=\"defg\"} 1\n# x\n"), None);
    assert_eq!(lost("a 1\nb 1\nc 1\nd 1\n"), Some(Cause::TooManyLines));
    assert_eq!(read("a 1\nb 1\nc 1\nd 1\n", Format::Text, &limits).len(), 3);
    assert_eq!(lost("a{b=\"1\",c=\"1\",d=\"1\"} 1\n"), Some(Cause::TooManyLabels));
    assert_eq!(lost("abcde 1\n"), Some(Cause::LabelTooLong));
    assert_eq!(lost("a{bcdef=\"1\"} 1\n"), Some(Cause::LabelTooLong));
    assert_eq!(lost("a{b=\"cdefg\"} 1\n"), Some(Cause::LabelTooLong));
    assert_eq!(lost("{\"bcdef\"} 1\n"), Some(Cause::LabelTooLong));
}

/// Real expositions: where each was taken, how many samples it has, and of how many of
/// them prometheus-parse can be asked.
const CORPUS: [(&str, usize, usize); 4] = [
    // Debian's prometheus-node-exporter 1.5.0, asked for text.
    ("node-exporter.txt", 288, 288),
    // Debian's prometheus 2.42.0, of itself, asked for text.
    ("prometheus.txt", 293, 293),
    // `wavegate demo`: what an instance of the release `bad` exposed after 8 s.
    ("shop.om", 20, 20),
    // `wavegate serve`, of itself.
    ("wavegate.om", 87, 71),
];

fn corpus() -> Vec<(PathBuf, usize, usize)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/expositions");
    let mut files: Vec<PathBuf> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let listed = CORPUS.map(|(name, samples, asked)| (folder.join(name), samples, asked));
    assert_eq!(files, listed.clone().map(|(file, ..)| file));
    listed.into()
}

fn format(file: &Path) -> Format {
    if file.extension().is_some_and(|extension| extension == "om") { Format::OpenMetrics } else { Format::Text }
}

#[test]
fn no_line_of_real_expositions_is_lost() {
    for (file, samples, _) in corpus() {
        let body = fs::read(&file).unwrap();
        let lines = body.split(|byte| *byte == b'\n').filter(|line| !line.is_empty() && !line.starts_with(b"#"));
        let all = read(&body, format(&file), &Limits::default());
        assert!(all.iter().all(Result::is_ok), "{}: {all:?}", file.display());
        assert_eq!(all.len(), lines.count(), "{}", file.display());
        assert_eq!(all.len(), samples, "{}", file.display());
    }
}

/// `sample` as exporters write it, up to its value.
fn written(sample: &Exposed<'_>) -> String {
    let escape = |text: &str| text.replace('\\', r"\\").replace('"', "\\\"").replace('\n', r"\n");
    let labels: Vec<String> =
        sample.labels.iter().map(|(name, value)| format!("{name}=\"{}\"", escape(value))).collect();
    if labels.is_empty() { sample.name.to_string() } else { format!("{}{{{}}}", sample.name, labels.join(",")) }
}

/// Also of the lines that prometheus-parse cannot be asked about.
#[test]
fn every_line_of_real_expositions_is_read_as_it_was_written() {
    for (file, ..) in corpus() {
        let text = fs::read_to_string(&file).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        exposition::read(text.as_bytes(), format(&file), &Limits::default(), |one| {
            let sample = one.unwrap();
            let line = lines[sample.line - 1];
            let (series, value) = line.rsplit_once(' ').unwrap();
            // An empty label is an absent one, to Prometheus and to us.
            let mut expect = series.to_owned();
            while let Some(at) = expect.find("=\"\"") {
                let begin = expect[..at].rfind(['{', ',']).unwrap() + 1;
                expect.replace_range(begin..at + 3, "");
                expect = expect.replace("{,", "{").replace(",,", ",").replace(",}", "}");
            }
            assert_eq!(written(sample), expect, "{}: {line}", file.display());
            let value: f64 = value.parse().unwrap();
            assert!(sample.value.to_bits() == value.to_bits() && sample.at.is_none(), "{}: {line}", file.display());
        });
    }
}

/// Whether prometheus-parse reads the line right: it goes wrong on these, without a word.
fn is_safe(line: &str, sample: &Exposed<'_>) -> bool {
    let plain = |text: &str| !text.contains([',', '=', '}', '{', '\\', '"']);
    !line.contains("{}") && !sample.name.contains(':') && sample.labels.iter().all(|(_, value)| plain(value))
}

#[test]
fn prometheus_parse_agrees_on_what_it_can_read() {
    for (file, _, asked) in corpus() {
        let text = fs::read_to_string(&file).unwrap();
        let mut agreed = 0;
        // Line by line and without types, so that it merges nothing.
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let mut ours = None;
            exposition::read(format!("{line}\n").as_bytes(), Format::Text, &Limits::default(), |one| {
                let sample = one.unwrap();
                let mut labels: Vec<_> =
                    sample.labels.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
                labels.sort();
                ours = is_safe(line, sample).then(|| (sample.name.to_string(), labels, sample.value));
            });
            let Some((name, labels, value)) = ours else { continue };
            let theirs = prometheus_parse::Scrape::parse([Ok(line.to_owned())].into_iter()).unwrap().samples;
            assert_eq!(theirs.len(), 1, "{line}");
            let mut their_labels: Vec<_> = theirs[0].labels.iter().map(|(k, v)| (k.clone(), v.clone())).collect();
            their_labels.retain(|(_, value)| !value.is_empty());
            their_labels.sort();
            let prometheus_parse::Value::Untyped(their_value) = theirs[0].value else { panic!("{line}") };
            assert_eq!((&theirs[0].metric, their_labels), (&name, labels), "{line}");
            assert!(their_value.to_bits() == value.to_bits() || (their_value.is_nan() && value.is_nan()), "{line}");
            agreed += 1;
        }
        assert_eq!(agreed, asked, "{}", file.display());
    }
}

fn pieces() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "a",
        "{",
        "}",
        "\"",
        "\\",
        "=",
        ",",
        " ",
        "\t",
        "1",
        "NaN",
        "1e9",
        "\n",
        "\r\n",
        "#",
        "# EOF\n",
        "é",
        "\0",
        "le",
        "{b=\"c\"} 1\n",
        "# {x=\"y\"} 1",
        "a 1\n",
    ]);
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn each_line_with_a_sample_is_read_once_or_told_once(body in pieces()) {
        for format in [Format::Text, Format::OpenMetrics] {
            let mut all = Vec::new();
            exposition::read(body.as_bytes(), format, &Limits::default(), |one| {
                all.push(one.map_or_else(|lost| (lost.line, Some(lost.cause)), |sample| (sample.line, None)));
            });
            if let Some((_, Some(Cause::NoEof))) = all.last() {
                all.pop();
            }
            let blank = |line: &str| line.trim_matches([' ', '\t']).is_empty();
            let sampled = body.split_inclusive('\n').map(|line| line.trim_end_matches('\n')).enumerate();
            let sampled = sampled.map(|(index, line)| (index + 1, line.strip_suffix('\r').unwrap_or(line)));
            let sampled = sampled.filter(|(_, line)| !blank(line) && !line.trim_start_matches([' ', '\t']).starts_with('#'));
            let expect: Vec<usize> = sampled.map(|(line, _)| line).collect();
            prop_assert_eq!(all.iter().map(|(line, _)| *line).collect::<Vec<_>>(), expect);
        }
    }

    #[test]
    fn any_bytes_are_read_without_a_panic(body in prop::collection::vec(any::<u8>(), 0..200)) {
        for format in [Format::Text, Format::OpenMetrics] {
            read(&body, format, &Limits { lines: 5, labels: 3, label_bytes: 10 });
        }
    }

    #[test]
    fn labels_survive_being_written_and_read(value in ".{0,20}", name in "[a-z_.]{1,8}") {
        let escape = |text: &str| text.replace('\\', r"\\").replace('"', "\\\"").replace('\n', r"\n");
        // A carriage return before the end of a line is a part of the line feed only there.
        let body = format!("{{\"m.x\",\"{name}\"=\"{}\"}} 1\n", escape(&value));
        let mut seen = None;
        exposition::read(body.as_bytes(), Format::Text, &Limits::default(), |one| {
            seen = one.ok().map(|sample| sample.labels.first().map(|(_, value)| value.to_string()).unwrap_or_default());
        });
        prop_assert_eq!(seen, Some(value));
    }
}
