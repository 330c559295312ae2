//! `wavegate open`: opens the gates of a wave.

use crate::cli::EXIT_PASS;
use crate::cli::Failure;
use crate::cli::Format;
use crate::cli::client;
use crate::cli::client::Call;
use crate::cli::client::Client;
use crate::cli::client::Connection;
use crate::cli::params;
use crate::cli::params::Param;
use crate::cli::refused;
use crate::cli::runtime;
use crate::cli::show_brief;
use anyhow::anyhow;
use reqwest::Method;
use serde_json::Map;
use serde_json::Value;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The wave id: what `$wave` stands for.
    #[arg(value_name = "WAVE")]
    wave: String,
    /// The rules to judge by, one gate each: given again, or with commas.
    #[arg(long, value_name = "NAME", required = true, value_delimiter = ',')]
    rules: Vec<String>,
    /// What `$baseline` stands for.
    #[arg(long, value_name = "ID")]
    baseline: Option<String>,
    /// A param of the rules, such as `region=eu-1`; given again for each.
    #[arg(long = "param", value_name = "NAME=VALUE", value_parser = params::parse)]
    params: Vec<Param>,
    /// A name of yours for this attempt: the same again changes nothing, another one
    /// begins the next attempt.
    #[arg(long, value_name = "NAME")]
    run: Option<String>,
    /// The rollout that the wave belongs to.
    #[arg(long, value_name = "NAME")]
    rollout: Option<String>,
    /// What kind of change it is: `exploratory` may use what an error budget keeps in reserve.
    #[arg(long, value_name = "CLASS", value_parser = ["standard", "exploratory"])]
    class: Option<String>,
    /// The start of the wave, RFC 3339; without it now.
    #[arg(long, value_name = "TIME")]
    start: Option<String>,
    /// A deadline other than the rules', RFC 3339.
    #[arg(long, value_name = "TIME")]
    deadline: Option<String>,
    /// For people, or the document of the API.
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
    #[command(flatten)]
    connection: Connection,
}

pub(super) fn run(arguments: &Arguments) -> Result<u8, Failure> {
    let client = Client::new(&arguments.connection)?;
    let path = client::path(&arguments.wave, None, "")?;
    let rules = match arguments.rules.as_slice() {
        // A fault is then at `/rules`, where the caller wrote it, and at no index.
        [one] => Value::from(one.as_str()),
        many => Value::from(many),
    };
    let mut body = Map::from_iter([("rules".to_owned(), rules)]);
    let Arguments { baseline, run, rollout, class, start, deadline, .. } = arguments;
    for (key, value) in [
        ("baseline", baseline),
        ("run", run),
        ("rollout", rollout),
        ("class", class),
        ("start", start),
        ("deadline", deadline),
    ] {
        if let Some(value) = value {
            body.insert(key.to_owned(), Value::from(value.as_str()));
        }
    }
    let params = params::all(&arguments.params).map_err(|fault| refused(anyhow!(fault)))?;
    if !params.is_empty() {
        body.insert("params".to_owned(), params.into_iter().map(|(name, value)| (name, Value::from(value))).collect());
    }
    let call = Call::send(Method::PUT, &path, &Value::Object(body));
    let answer = runtime()?.block_on(client.ask(&call))?;
    show_brief(&answer.body, arguments.format)?;
    Ok(EXIT_PASS)
}
