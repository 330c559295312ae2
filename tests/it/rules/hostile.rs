//! Rule files that nobody writes by mistake: each is refused, by the code that fits, in
//! less memory than a rule file may cost.
//!
//! How long that takes is shown by `cargo bench --bench rules`, not asserted here.

use crate::support::daemon::wavegate;
use std::fmt::Write as _;
use std::process::Command;
use wavegate::rules;

/// What refusing any file may take, in KiB: the whole process, unoptimised as it is.
const MEMORY_KIB: usize = 32 * 1024;

/// A file, and the code of the first fault that is told of it.
pub(crate) struct Hostile {
    pub(crate) name: &'static str,
    pub(crate) bytes: Vec<u8>,
    pub(crate) code: &'static str,
}

fn input(name: &'static str, code: &'static str, text: impl Into<Vec<u8>>) -> Hostile {
    Hostile { name, bytes: text.into(), code }
}

/// Every one of them.
pub(crate) fn inputs() -> Vec<Hostile> {
    [bombs(), bytes(), yaml(), values(), queries()].into_iter().flatten().collect()
}

/// As `wavegate check` reads them.
pub(crate) fn texts() -> Vec<(String, String)> {
    let read = |hostile: Hostile| (hostile.name.to_owned(), String::from_utf8_lossy(&hostile.bytes).into_owned());
    inputs().into_iter().map(read).collect()
}

fn repeated(times: usize, line: impl Fn(usize) -> String) -> String {
    (0..times).map(line).collect()
}

/// Ten levels, each of which repeats the one before `times` times.
fn laughs(times: usize, level: impl Fn(&str) -> String) -> String {
    let mut text = String::from("a0: &a0 lol\n");
    for i in 1..10 {
        let before = vec![format!("*a{}", i - 1); times];
        let _ = writeln!(text, "a{i}: &a{i} {}", level(&before.join(" , ")));
    }
    text
}

/// A file whose one check says `said`.
fn checked(said: &str) -> String {
    format!("version: 1\nname: a\nchecks:\n  - name: b\n    {said}\n")
}

/// Small files that grow, and large ones.
fn bombs() -> Vec<Hostile> {
    let complex = "file_too_complex";
    let mapped = |items: &str| format!("{{ {} }}", repeated(9, |i| format!("k{i}: {}, ", &items[..3])));
    let nested = |times: usize, open: &str, close: &str| format!("a: {}1{}\n", open.repeat(times), close.repeat(times));
    let anchors = |times: usize| repeated(times, |i| format!("&b{i} x, "));
    vec![
        input("laughs in lists", complex, laughs(9, |items| format!("[{items}]"))),
        input("laughs in mappings", complex, laughs(9, mapped)),
        input("laughs two by two", complex, laughs(2, |items| format!("[{items}, {items}, {items}, {items}]"))),
        input("laughs as checks", complex, format!("{}checks: *a9\n", laughs(9, |items| format!("[{items}]")))),
        input(
            "a long text a hundred times",
            complex,
            format!("a: &a {}\nb: [{}]\n", "x".repeat(60_000), "*a, ".repeat(100)),
        ),
        input("brackets without end", "not_yaml", "[".repeat(200_000)),
        input("braces without end", "not_yaml", "{a: ".repeat(200_000)),
        input("lists in lists without end", complex, "- ".repeat(200_000)),
        input("keys of keys without end", complex, "? ".repeat(200_000)),
        input("mappings in mappings", complex, repeated(1000, |i| format!("{}a:\n", " ".repeat(i)))),
        input("one bracket too deep", complex, nested(64, "[", "]")),
        input("one brace too deep", complex, nested(64, "{b: ", "}")),
        input(
            "deep behind an anchor",
            complex,
            format!("x: &x {}\n{}", &nested(40, "[", "]")[3..], nested(40, "[*x, ", "]")),
        ),
        input("a byte too many", "file_too_large", format!("a: {}", "b".repeat(1024 * 1024 - 2))),
        input("many bytes too many", "file_too_large", "#".repeat(3 * 1024 * 1024)),
        input("as many bytes as may be", "missing_key", format!("a: {}", "b".repeat(1024 * 1024 - 3))),
        input("nothing but comments", "empty_file", "# x\n".repeat(1024 * 256)),
        input("nothing but lines", "empty_file", "\n".repeat(1024 * 1024)),
        input("twenty thousand values and one", complex, format!("[{}]", "1,".repeat(20_000))),
        input("ten thousand keys", complex, repeated(10_000, |i| format!("k{i}: 1\n"))),
        input("as many keys as may be", "unknown_key", repeated(9_990, |i| format!("k{i}: 1\n"))),
        input("one alias too many", complex, format!("a: &a b\nc: [{}]\n", "*a, ".repeat(101))),
        input("one anchor too many", complex, format!("a: [{}]\n", anchors(101))),
        input(
            "anchors in anchors",
            complex,
            format!("a: {}{}{}\n", repeated(60, |i| format!("&b{i} [")), "1, ".repeat(5000), "]".repeat(60)),
        ),
        input(
            "two hundred checks and one",
            "bad_length",
            format!("version: 1\nname: a\nchecks:\n{}", repeated(201, |i| format!("  - {{ name: c{i}, gauge: m }}\n"))),
        ),
        input("a thousand documents", "second_document", "---\na: 1\n".repeat(1000)),
    ]
}

/// What is hardly text.
fn bytes() -> Vec<Hostile> {
    let utf16 = |units: fn(u16) -> [u8; 2]| checked("gauge: m").encode_utf16().flat_map(units).collect::<Vec<u8>>();
    let broken = |bytes: &[u8]| [b"version: 1\nname: ", bytes, b"\nchecks: []\n"].concat();
    vec![
        input("a null byte", "not_utf8", broken(b"a\0b")),
        input("no UTF-8 at all", "not_utf8", broken(b"\xff\xfe\xff")),
        input("an overlong slash", "not_utf8", broken(b"\xc0\xaf")),
        input("half a surrogate", "not_utf8", broken(b"\xed\xa0\x80")),
        input("a character cut off", "not_utf8", b"name: \xe2\x82".to_vec()),
        input("UTF-16, little end first", "not_utf8", [b"\xff\xfe".to_vec(), utf16(u16::to_le_bytes)].concat()),
        input("UTF-16, big end first", "not_utf8", utf16(u16::to_be_bytes)),
        input("a compressed file", "not_utf8", b"\x1f\x8b\x08\0\0\0\0\0\0\x03".to_vec()),
        input("lines ended by returns", "bad_length", "version: 1\rname: a\rchecks: []\r"),
        input("lines ended both ways", "bad_length", "version: 1\r\nname: a\r\nchecks: []\r\n"),
        input("lines ended by NEL", "not_yaml", "version: 1\u{85}name: a\u{85}checks: []\u{85}"),
        input("lines ended by a separator", "not_yaml", "version: 1\u{2028}name: a\u{2029}checks: []"),
        input(
            "a byte order mark inside",
            "not_yaml",
            format!("version: 1\n\u{feff}name: a\n{}", &checked("gauge: m")[19..]),
        ),
        input("tabs for spaces", "not_yaml", "version: 1\nname: a\nchecks:\n\t- name: b\n"),
        input(
            "an escape that steers the terminal",
            "unknown_key",
            checked("gauge: m\n    \"\\e]0;owned\\a\\e[2J\": 1"),
        ),
        input("a control character as it is", "not_yaml", checked("gauge: m\n    \u{1b}[31mred: 1")),
        input("a key from right to left", "unknown_key", checked("gauge: m\n    \"\u{202e}ecnarelot\": 5%")),
        input("a key that looks like another", "unknown_key", checked("gauge: m\n    t\u{43e}lerance: 5%")),
        input("a name of 64 KiB", "bad_length", format!("version: 1\nname: {}\nchecks: []\n", "a".repeat(65_536))),
        input("a key of 64 KiB", "not_yaml", format!("{}: 1\n", "a".repeat(65_536))),
        input("a null by escape", "bad_name", "version: 1\nname: \"a\\0b\"\nchecks: [{ name: b, gauge: m }]\n"),
    ]
}

/// What YAML has and nobody needs.
fn yaml() -> Vec<Hostile> {
    vec![
        input("a list in itself", "not_yaml", "a: &a [*a]\n"),
        input("a mapping in itself", "not_yaml", "a: &a { b: *a }\n"),
        input("an alias without an anchor", "unknown_anchor", "a: *b\n"),
        input("an alias above its anchor", "unknown_anchor", "a: *b\nb: &b 1\n"),
        input("a merge key", "merge_key", checked("gauge: m\n    <<: { tolerance: 5% }")),
        input("merge keys in a list", "merge_key", checked("gauge: m\n    <<: [{ tolerance: 5% }, { weight: 2 }]")),
        input("a key twice", "duplicate_key", checked("gauge: m\n    weight: 1\n    weight: 2")),
        input("a key twice, once in quotes", "duplicate_key", checked("gauge: m\n    weight: 1\n    'weight': 2")),
        input("a key that is a list", "unknown_key", checked("gauge: m\n    ? [a, b]\n    : 1")),
        input("a key that is nothing", "unknown_key", checked("gauge: m\n    ~: 1")),
        input("bytes", "not_yaml", checked("gauge: !!binary /////w==")),
        input("an object of Python", "wrong_type", checked("gauge: !!python/object/apply:os.system ['id']")),
        input("a file of the machine", "not_promql", checked("gauge: !include /etc/passwd")),
        input("a set", "wrong_type", checked("gauge: !!set { a, b }")),
        input("a number by tag", "wrong_type", checked("gauge: !!float 1")),
        input("a version of YAML that is not", "not_yaml", format!("%YAML 9.9\n---\n{}", checked("gauge: m"))),
        input("a tag that is not declared", "not_yaml", checked("gauge: !e!x m")),
        input("a second document", "second_document", format!("{}---\n{}", checked("gauge: m"), checked("gauge: m"))),
        input("a quote without end", "not_yaml", checked("gauge: \"m")),
        input("a single quote without end", "not_yaml", checked("gauge: 'm")),
        input("a brace without end", "not_yaml", checked("gauge: m\n    per: { a")),
        input("a block that is indented nine", "not_yaml", checked("gauge: |0\n      m")),
    ]
}

/// Numbers, and what looks like one.
fn values() -> Vec<Hostile> {
    let weight = |code, name, value: &str| input(name, code, checked(&format!("gauge: m\n    weight: {value}")));
    let deadline = |name, value: &str| {
        input(
            name,
            "wrong_unit",
            format!("version: 1\nname: a\nschedule: {{ deadline: {value} }}\nchecks: [{{ name: b, gauge: m }}]\n"),
        )
    };
    vec![
        weight("wrong_type", "a number beyond all", "1e999"),
        weight("wrong_type", "no number", ".nan"),
        weight("wrong_type", "infinity", ".inf"),
        weight("wrong_type", "infinity below", "-.inf"),
        weight("out_of_range", "almost nothing", "5e-324"),
        weight("wrong_type", "digits without end", &"9".repeat(10_000)),
        weight("wrong_type", "an octal number of old", "0123"),
        weight("wrong_type", "a number with underscores", "1_000"),
        deadline("sixty to the hour", "1:30:00"),
        deadline("a number without a unit", "0x10"),
        deadline("a duration beyond all", "99999999999999999999h"),
        input("Norway", "unknown_word", checked("gauge: m\n    on_fail: no")),
    ]
}

/// What is text to YAML and a query to us.
fn queries() -> Vec<Hostile> {
    let gauge = |name, code, query: &str| input(name, code, checked(&format!("gauge: '{query}'")));
    let many = repeated(120, |i| {
        format!(
            "  - {{ name: c{i}, ratio: {{ bad: 'x{{a=~\"b\",c!~\"d\"}}', total: 'x{{a=~\"b\",c!~\"d\"}}' }}, on_fail: pause }}\n"
        )
    });
    let canary = |name, code, matchers: &str| {
        input(
            name,
            code,
            format!("version: 1\nname: a\ncohorts: {{ canary: '{matchers}' }}\nchecks: [{{ name: b, gauge: m }}]\n"),
        )
    };
    vec![
        gauge("parentheses without end", "query_too_long", &"(".repeat(20_000)),
        gauge("parentheses in parentheses", "query_too_long", &format!("{}m{}", "(".repeat(5000), ")".repeat(5000))),
        gauge("signs without end", "query_too_long", &format!("{}m", "-".repeat(5000))),
        gauge("a pattern that explodes", "regex_too_large", r#"m{a=~"((a{99}){99}){99}"}"#),
        gauge("a pattern of every letter", "regex_too_large", r#"m{a=~"\\pL{999}"}"#),
        gauge("a pattern between backticks", "regex_too_large", r"m{a!~`\w{999}`}"),
        canary("a pattern of a cohort", "regex_too_large", r#"a=~"(\\w{99}){99}$wave""#),
        input(
            "patterns without end",
            "file_too_complex",
            format!("version: 1\nname: a\nchecks:\n{many}{}", many.replace("name: c", "name: d").replace("x{", "y{")),
        ),
        gauge("a label of 64 KiB", "query_too_long", &format!("m{{a=\"{}\"}}", "b".repeat(65_536))),
        canary("a matcher of 64 KiB", "query_too_long", &format!("a=\"{}\"", "b".repeat(65_536))),
        gauge("a range beyond all", "bad_duration", "rate(m[1e30])"),
        gauge("an offset beyond all", "bad_duration", "m offset inf"),
        gauge("an offset to come", "not_repeatable", "m offset -5m"),
        canary("a variable that ends the query", "unknown_variable", "a=\"$job\"} or vector(1) #"),
        gauge("a function with a place of its own", "unsupported_function", "info(m)"),
        input(
            "three thousand faults",
            "unknown_key",
            checked(&format!("gauge: m\n    # and\n{}", repeated(3000, |i| format!("    k{i}: 1\n")))),
        ),
    ]
}

#[test]
fn every_hostile_file_is_refused_by_the_code_that_fits() {
    let inputs = inputs();
    assert!(inputs.len() >= 50, "{}", inputs.len());
    let mut wrong = Vec::new();
    for Hostile { name, bytes, code } in inputs {
        let text = String::from_utf8_lossy(&bytes);
        let faults = rules::parse("a.yaml", &text).err().unwrap_or_default();
        let found = faults.first().map(|fault| fault.code);
        if found != Some(code) {
            wrong.push(format!("{name}: {found:?}, not {code}"));
        }
        let shown = rules::render(&faults, &text);
        assert!(!shown.chars().any(|c| c.is_control() && c != '\n'), "{name}: {shown:?}");
        assert!(shown.len() < 200_000, "{name}: {} bytes are shown", shown.len());
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// The kernel keeps the limit: who passes it is ended, and does not exit with 2.
#[test]
fn no_hostile_file_takes_more_memory_than_a_rule_file_may() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.yaml");
    let binary = wavegate(&[] as &[&str]).get_program().to_owned();
    for Hostile { name, bytes, .. } in inputs() {
        std::fs::write(&path, bytes).unwrap();
        let limited = format!("ulimit -d {MEMORY_KIB} && exec \"$0\" check \"$1\"");
        let ended = Command::new("sh").arg("-c").arg(limited).arg(&binary).arg(&path).output().unwrap();
        let shown = String::from_utf8_lossy(&ended.stderr);
        assert_eq!(ended.status.code(), Some(2), "{name}: {:?} {shown}", ended.status);
    }
}
