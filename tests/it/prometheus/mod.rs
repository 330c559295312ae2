//! The Prometheus source: against a real server, against hostile ones, and what
//! it sends.
//!
//! A hostile server is a few bytes on a socket. What must hold: an error that says
//! what happened and whether to ask again, bounded memory, bounded time, no secret
//! in any text, and never an empty answer where something went wrong.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

mod hostile;
mod real;
mod requests;

use crate::support::http::TestServer;
use crate::support::http::json;
use wavegate::series::Timestamp;
use wavegate::series::Window;
use wavegate::sources::Answer;
use wavegate::sources::Error;
use wavegate::sources::Source;
use wavegate::sources::prometheus::Endpoint;
use wavegate::sources::prometheus::Prometheus;
use wavegate::sources::prometheus::Settings;

/// Must never be seen in a text.
const SECRET: &str = "hunter2";

const WINDOW: Window = Window { from: Timestamp::from_millis(0), to: Timestamp::from_millis(60_000) };

/// No retries, so that each answer is seen by itself.
fn settings(server: &TestServer) -> Settings {
    Settings { retries: 0, ..Settings::new(Endpoint::parse(&server.url()).unwrap()) }
}

async fn raw(settings: Settings) -> Result<Answer, Error> {
    Prometheus::new("main", settings).unwrap().raw("up", WINDOW).await
}

/// The answer of the API with `series` in its result and `more` beside its data.
fn matrix(series: &str, more: &str) -> Vec<u8> {
    json(format!(r#"{{"status":"success","data":{{"resultType":"matrix","result":[{series}]}}{more}}}"#))
}

/// What an error of a [`raw`] question must say; all of it is one clean line.
#[track_caller]
fn says(error: &Error, code: &str, is_transient: bool, words: &[&str]) {
    let text = error.in_full();
    assert_eq!((error.code(), error.is_transient()), (code, is_transient), "{text}");
    for word in ["`up[60000ms]`", "`main`"].iter().chain(words) {
        assert!(text.contains(word), "{text:?} does not say {word:?}");
    }
    assert!(!text.contains(char::is_control), "{text:?}");
}
