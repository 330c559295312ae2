//! Samples pushed into a real Prometheus, native histograms among them: its tool
//! for old samples knows none, and to be scraped they would take real time.
//!
//! The messages of remote write 1.0 (`prompb/remote.proto`) as bytes, and snappy
//! without compression: one literal.

use crate::support::prometheus::PrometheusServer;
use std::collections::BTreeMap;
use std::io::Read;
use std::io::Write;
use std::net::TcpStream;

/// One series; its name is the label `__name__`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pushed {
    pub(crate) labels: BTreeMap<String, String>,
    /// Milliseconds and values.
    pub(crate) values: Vec<(i64, f64)>,
    /// Milliseconds and histograms.
    pub(crate) histograms: Vec<(i64, Native)>,
}

/// A native histogram: bucket `k` of schema `s` ends at `2^(k / 2^s)`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Native {
    pub(crate) schema: i32,
    pub(crate) zero_threshold: f64,
    pub(crate) zero: u64,
    pub(crate) negative: BTreeMap<i32, u64>,
    pub(crate) positive: BTreeMap<i32, u64>,
}

impl Native {
    /// The same with half as many buckets.
    pub(crate) fn halved(&self) -> Self {
        let halve = |buckets: &BTreeMap<i32, u64>| {
            let mut halves = BTreeMap::new();
            for (index, events) in buckets {
                *halves.entry((index + 1) >> 1).or_default() += events;
            }
            halves
        };
        Self {
            schema: self.schema - 1,
            negative: halve(&self.negative),
            positive: halve(&self.positive),
            ..self.clone()
        }
    }

    /// All events.
    pub(crate) fn count(&self) -> u64 {
        self.zero + self.negative.values().chain(self.positive.values()).sum::<u64>()
    }

    fn encoded(&self, millis: i64) -> Vec<u8> {
        let mut bytes = Vec::new();
        number(&mut bytes, 1, self.count());
        double(&mut bytes, 3, 1.0);
        number(&mut bytes, 4, zigzag(i64::from(self.schema)));
        double(&mut bytes, 5, self.zero_threshold);
        number(&mut bytes, 6, self.zero);
        for (spans, deltas, buckets) in [(8, 9, &self.negative), (11, 12, &self.positive)] {
            let (mut next, mut last, mut packed) = (0, 0_i64, Vec::new());
            for (index, events) in buckets {
                let mut span = Vec::new();
                number(&mut span, 1, zigzag(i64::from(index - next)));
                number(&mut span, 2, 1);
                field(&mut bytes, spans, &span);
                let events = events.cast_signed();
                varint(&mut packed, zigzag(events - last));
                (next, last) = (index + 1, events);
            }
            field(&mut bytes, deltas, &packed);
        }
        number(&mut bytes, 15, millis.cast_unsigned());
        bytes
    }
}

/// Pushes all of `series`, whose samples span less than an hour, and fails where one is refused.
pub(crate) fn push(server: &PrometheusServer, series: &[Pushed]) {
    let mut request = Vec::new();
    for one in series {
        field(&mut request, 1, &encoded(one));
    }
    let mut body = Vec::new();
    varint(&mut body, request.len() as u64);
    // A literal whose length less one is in three bytes.
    body.push(62 << 2);
    body.extend_from_slice(&(request.len() as u64 - 1).to_le_bytes()[..3]);
    body.extend_from_slice(&request);
    let head = format!(
        "POST /api/v1/write HTTP/1.1\r\nHost: {}\r\nContent-Encoding: snappy\r\nContent-Type: application/x-protobuf\r\n\
         X-Prometheus-Remote-Write-Version: 0.1.0\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
        server.address(),
        body.len()
    );
    let mut stream = TcpStream::connect(server.address()).expect("a server that listens");
    stream.write_all(&[head.as_bytes(), &body].concat()).expect("a request to send");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 204"), "{answer}");
}

fn encoded(series: &Pushed) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (name, value) in &series.labels {
        let mut label = Vec::new();
        field(&mut label, 1, name.as_bytes());
        field(&mut label, 2, value.as_bytes());
        field(&mut bytes, 1, &label);
    }
    for (millis, value) in &series.values {
        let mut sample = Vec::new();
        double(&mut sample, 1, *value);
        number(&mut sample, 2, millis.cast_unsigned());
        field(&mut bytes, 2, &sample);
    }
    for (millis, histogram) in &series.histograms {
        field(&mut bytes, 4, &histogram.encoded(*millis));
    }
    bytes
}

fn field(bytes: &mut Vec<u8>, field: u64, content: &[u8]) {
    varint(bytes, field << 3 | 2);
    varint(bytes, content.len() as u64);
    bytes.extend_from_slice(content);
}

fn number(bytes: &mut Vec<u8>, field: u64, number: u64) {
    varint(bytes, field << 3);
    varint(bytes, number);
}

fn double(bytes: &mut Vec<u8>, field: u64, number: f64) {
    varint(bytes, field << 3 | 1);
    bytes.extend_from_slice(&number.to_le_bytes());
}

fn zigzag(number: i64) -> u64 {
    (number << 1 ^ number >> 63).cast_unsigned()
}

fn varint(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push(number.to_le_bytes()[0] | 0x80);
        number >>= 7;
    }
    bytes.push(number.to_le_bytes()[0]);
}
