//! What is sent: the form, credentials and headers, and to nobody else.

use crate::prometheus::SECRET;
use crate::prometheus::WINDOW;
use crate::prometheus::matrix;
use crate::prometheus::raw;
use crate::prometheus::says;
use crate::prometheus::settings;
use crate::support::http::Request;
use crate::support::http::TestServer;
use crate::support::http::answer;
use crate::support::http::json;
use std::fs;
use wavegate::sources::Error;
use wavegate::sources::Source;
use wavegate::sources::prometheus::BasicAuth;
use wavegate::sources::prometheus::Endpoint;
use wavegate::sources::prometheus::Headers;
use wavegate::sources::prometheus::Prometheus;
use wavegate::sources::prometheus::Secret;
use wavegate::sources::prometheus::Settings;

#[tokio::test]
async fn redirects_are_not_followed_and_credentials_go_nowhere_else() {
    let elsewhere = TestServer::answering(vec![matrix("", "")]).await;
    for status in ["301 Moved", "302 Found", "307 Temporary", "308 Permanent"] {
        let location = format!("Location: http://user:{SECRET}@{}/login?token={SECRET}", elsewhere.address());
        let server = TestServer::answering(vec![answer(&[status, &location], "")]).await;
        let headers = Headers::from_iter([("Authorization".to_owned(), SECRET.to_owned())]);
        let error = raw(Settings { headers, ..settings(&server) }).await.unwrap_err();
        let target = format!("redirects to http://{}/login", elsewhere.address());
        says(&error, "not_found", false, &[&target, "`url`"]);
        assert!(!format!("{error} {error:?}").contains(SECRET), "{error:?}");
    }
    assert_eq!(elsewhere.requests().len(), 0);
}

async fn asked(change: impl FnOnce(&mut Settings)) -> Request {
    let server = TestServer::answering(vec![matrix("", "")]).await;
    let mut settings = settings(&server);
    change(&mut settings);
    raw(settings).await.unwrap();
    server.requests().remove(0)
}

#[tokio::test]
async fn a_question_is_a_form_with_everything_that_servers_need_to_be_told() {
    let request = asked(|_| {}).await;
    assert_eq!(request.line, "POST /api/v1/query HTTP/1.1");
    assert_eq!(request.headers["content-type"], "application/x-www-form-urlencoded");
    assert!(request.headers["user-agent"].starts_with("wavegate/"));
    let form: Vec<_> = request.form.iter().map(|(name, value)| (&name[..], &value[..])).collect();
    assert_eq!(
        form,
        [
            ("dedup", "true"),
            ("deny_partial_response", "1"),
            ("max_source_resolution", "0s"),
            ("partial_response", "false"),
            ("query", "up[60000ms]"),
            ("time", "60.000"),
            ("timeout", "9000ms"),
        ]
    );
    assert!(!request.headers.contains_key("authorization"));
}

#[tokio::test]
async fn credentials_and_headers_are_sent() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("secret");
    fs::write(&file, "from file\n").unwrap();
    let basic = |password: Option<Secret>, password_file| {
        Some(BasicAuth { username: "reader".to_owned(), password, password_file })
    };

    let request = asked(|settings| settings.basic_auth = basic(Some(Secret::new("in place")), None)).await;
    assert_eq!(request.headers["authorization"], "Basic cmVhZGVyOmluIHBsYWNl");
    let request = asked(|settings| settings.basic_auth = basic(None, Some(file.clone()))).await;
    assert_eq!(request.headers["authorization"], "Basic cmVhZGVyOmZyb20gZmlsZQ==");
    fs::write(&file, format!("  {SECRET}\n")).unwrap();
    let request = asked(|settings| settings.bearer_token_file = Some(file.clone())).await;
    assert_eq!(request.headers["authorization"], format!("Bearer {SECRET}"));
    let headers = [("X-Scope-OrgID", "a|b"), ("THANOS-TENANT", "t")];
    let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let request = asked(|settings| settings.headers = headers.into_iter().collect()).await;
    assert_eq!((&request.headers["x-scope-orgid"][..], &request.headers["thanos-tenant"][..]), ("a|b", "t"));
}

#[tokio::test]
async fn a_token_that_changes_is_read_again_and_one_that_is_gone_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    fs::write(&file, "first").unwrap();
    let server = TestServer::answering(vec![matrix("", "")]).await;
    let settings = Settings { bearer_token_file: Some(file.clone()), ..settings(&server) };
    let source = Prometheus::new("main", settings).unwrap();
    source.raw("up", WINDOW).await.unwrap();
    fs::write(&file, "second").unwrap();
    source.raw("up", WINDOW).await.unwrap();
    let sent: Vec<_> = server.requests().iter().map(|request| request.headers["authorization"].clone()).collect();
    assert_eq!(sent, ["Bearer first", "Bearer second"]);

    let long = vec![b'x'; (1 << 20) + 1];
    for unusable in [&b""[..], b"\n\n", b"two\nlines", b"\xff\xfe", &long] {
        fs::write(&file, unusable).unwrap();
        let error = source.raw("up", WINDOW).await.unwrap_err();
        assert!(matches!(error, Error::Credential { .. }) && !error.is_transient(), "{error:?}");
    }
    fs::remove_file(&file).unwrap();
    let error = source.raw("up", WINDOW).await.unwrap_err();
    assert!(error.to_string().contains("token"), "{error}");
    assert_eq!(server.requests().len(), 2);
}

#[tokio::test]
async fn no_secret_is_in_any_text() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("password");
    fs::write(&file, SECRET).unwrap();
    let basic_auth = BasicAuth { username: "reader".to_owned(), password: None, password_file: Some(file) };
    let header = ("X-Api-Key".to_owned(), SECRET.to_owned());
    for bytes in [answer(&["401 Who"], ""), Vec::new(), b"nonsense\r\n\r\n".to_vec(), json("{"), answer(&["302 X"], "")]
    {
        let server = TestServer::answering(vec![bytes]).await;
        let url = Endpoint::parse(&format!("{}/?token={SECRET}", server.url())).unwrap();
        let headers = Headers::from_iter([header.clone()]);
        let settings = Settings { url, headers, basic_auth: Some(basic_auth.clone()), ..settings(&server) };
        let source = Prometheus::new("main", settings.clone()).unwrap();
        let error = source.raw("up", WINDOW).await.unwrap_err();
        let mut texts = vec![format!("{settings:?} {source:?} {error:?}"), error.in_full()];
        let mut cause = std::error::Error::source(&error);
        while let Some(inner) = cause {
            texts.push(format!("{inner} {inner:?}"));
            cause = inner.source();
        }
        let text = texts.join("\n");
        assert!(!text.contains(SECRET), "{text}");
        let request = server.requests().remove(0);
        assert!(request.line.contains(SECRET) && request.headers["x-api-key"] == SECRET, "the secrets are in use");
    }
}

#[test]
fn settings_that_cannot_work_are_refused_before_anything_is_asked() {
    let of = |change: &dyn Fn(&mut Settings)| {
        let mut settings = Settings::new(Endpoint::parse("https://prometheus.example").unwrap());
        change(&mut settings);
        Prometheus::new("main", settings).unwrap_err().to_string()
    };
    let text = of(&|settings| (settings.max_series, settings.retries) = (0, 99));
    assert!(text.contains("`main`") && text.contains("max_series") && text.contains("retries"), "{text}");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ca.pem");
    let text = of(&|settings| settings.ca_file = Some(file.clone()));
    assert!(text.contains("ca.pem"), "{text}");
    fs::write(&file, "no certificate").unwrap();
    let text = of(&|settings| settings.ca_file = Some(file.clone()));
    assert!(text.contains("ca.pem"), "{text}");
}
