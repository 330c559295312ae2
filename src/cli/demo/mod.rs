//! `wavegate demo`: a bad wave stopped and a good one passed, in front of one's eyes.
//!
//! Real targets and a real daemon: small shops serve requests and export what that
//! came to, and the daemon that `serve` runs scrapes them, judges by an ordinary rule
//! file, and tells an ordinary webhook consumer. The demo opens the waves and reads
//! the verdicts over the API like any orchestrator.

mod display;
mod receiver;
mod shop;
mod shoppers;
mod town;

use crate::app;
use crate::app::Daemon;
use crate::cli::EXIT_PASS;
use crate::cli::EXIT_UNEXPECTED;
use crate::cli::Failure;
use crate::cli::Format;
use crate::cli::client::Call;
use crate::cli::client::Client;
use crate::cli::client::Connection;
use crate::cli::colour;
use crate::cli::complain;
use crate::cli::demo::display::Display;
use crate::cli::demo::receiver::Notice;
use crate::cli::demo::receiver::Receiver;
use crate::cli::demo::town::BAD;
use crate::cli::demo::town::GOOD;
use crate::cli::demo::town::STABLE;
use crate::cli::demo::town::Town;
use crate::cli::print;
use crate::cli::runtime;
use crate::cli::unexpected;
use crate::config::Config;
use crate::config::Inputs;
use crate::report;
use crate::telemetry;
use crate::wire::Headline;
use anyhow::Context as _;
use anyhow::anyhow;
use reqwest::Method;
use serde::Deserialize;
use serde::Serialize;
use serde_json::json;
use serde_json::value::RawValue;
use std::fmt::Write as _;
use std::io::IsTerminal as _;
use std::path::Path;
use std::time::Duration;
use tempfile::TempDir;
use tokio::signal::unix::Signal;
use tokio::signal::unix::SignalKind;
use tokio::signal::unix::signal;
use tokio::task::JoinHandle;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// The gate's rules.
const RULES: &str = include_str!("shop.yaml");
/// The rule file's name, which names the gate.
const GATE: &str = "shop";
/// How often the verdicts are asked for and shown.
const GLANCE: Duration = Duration::from_millis(250);
/// When the demo gives up: the deadline of its gates and some seconds for the last look.
const LIMIT: Duration = Duration::from_secs(75);
/// How long the webhook may take after the verdict.
const PATIENCE: Duration = Duration::from_secs(10);

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Exit after the verdicts: 0 where both are what they must be, 1 otherwise. So it is
    /// without a terminal too; on one the API goes on until Ctrl-C.
    #[arg(long)]
    once: bool,
    /// For people, or one JSON object with the documents and the webhook.
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

pub(super) fn run(arguments: &Arguments) -> Result<u8, Failure> {
    let stays = !arguments.once && arguments.format == Format::Text && std::io::stdout().is_terminal();
    let as_promised = runtime()?.block_on(tour(arguments.format, stays)).map_err(unexpected)?;
    Ok(if as_promised { EXIT_PASS } else { EXIT_UNEXPECTED })
}

/// Runs it all; gives back whether both verdicts and the webhook were what they must be.
async fn tour(format: Format, stays: bool) -> anyhow::Result<bool> {
    let mut stop = Stop::listen().context("cannot listen to signals")?;
    let early = || anyhow!("stopped before the verdicts");
    let mut stage = tokio::select! {
        stage = Stage::set() => stage?,
        () = stop.asked() => return Err(early()),
    };
    complain(&format!(
        "a shop of three releases, requests to all of them, and a daemon that scrapes them:\n\n{}",
        stage.town.introduction()
    ));
    let outcome = tokio::select! {
        outcome = stage.play() => outcome,
        () = stop.asked() => Err(early()),
    };
    if let Ok(outcome) = &outcome {
        match format {
            Format::Text => print(&stage.page(outcome)?),
            Format::Json => print(&format!("{}\n", serde_json::to_string(outcome)?)),
        }
        if stays {
            print(&stage.invitation());
            stop.asked().await;
        }
    }
    // Whatever came of it, the daemon ends before its folder goes.
    let cleared = tokio::select! {
        cleared = stage.clear() => cleared,
        () = stop.asked() => Err(anyhow!("asked again: stopped at once")),
    };
    let outcome = outcome?;
    cleared?;
    Ok(outcome.as_promised)
}

/// Ctrl-C, SIGTERM, or a terminal that was closed. Listened to before there is
/// anything to clear away: a signal that nobody listens to leaves it all behind.
struct Stop([Signal; 3]);

impl Stop {
    fn listen() -> std::io::Result<Self> {
        let [interrupt, terminate, hangup] =
            [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()].map(signal);
        Ok(Self([interrupt?, terminate?, hangup?]))
    }

    async fn asked(&mut self) {
        let [interrupt, terminate, hangup] = &mut self.0;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
    }
}

/// Everything that runs.
struct Stage {
    begun: Instant,
    town: Town,
    receiver: Receiver,
    client: Client,
    daemon: JoinHandle<Result<(), app::Stopped>>,
    drain: CancellationToken,
    /// Shops, shoppers and the receiver; they end when it is dropped.
    _tasks: JoinSet<()>,
    /// Configuration, rules and store; deleted when it is dropped.
    _folder: TempDir,
}

/// What the demo came to.
#[derive(Serialize)]
struct Outcome {
    /// Both verdicts and the webhook were what they must be.
    as_promised: bool,
    seconds: f64,
    /// The document of each wave, the bad one first.
    waves: Vec<Box<RawValue>>,
    webhook: Option<Notice>,
}

impl Stage {
    /// Starts targets, requests, receiver and daemon.
    async fn set() -> anyhow::Result<Self> {
        let begun = Instant::now();
        let mut tasks = JoinSet::new();
        let town = Town::open(&mut tasks).await?;
        let receiver = Receiver::start(&mut tasks).await?;
        let folder = tempfile::Builder::new().prefix("wavegate-demo-").tempdir();
        let folder = folder.context("cannot make a folder for the daemon's store")?;
        let config = configure(folder.path(), &town, &receiver)?;
        // The daemon's log would be drawn over.
        drop(telemetry::init(&config.log, None)?);
        let daemon = Daemon::start(config).await.map_err(cause)?;
        let client = Client::new(&Connection::to(format!("http://{}", daemon.address()))).map_err(|it| it.error)?;
        let drain = CancellationToken::new();
        let daemon = tokio::spawn(daemon.run(drain.clone().cancelled_owned()));
        Ok(Self { begun, town, receiver, client, daemon, drain, _tasks: tasks, _folder: folder })
    }

    /// Opens both waves, follows them until they are settled, and takes the webhook.
    async fn play(&mut self) -> anyhow::Result<Outcome> {
        let open = json!({ "rules": GATE, "baseline": STABLE });
        for wave in [BAD, GOOD] {
            self.ask(&Call::send(Method::PUT, &["v1", "waves", wave], &open)).await?;
        }
        let documents = self.follow().await?;
        let webhook = self.receiver.next(PATIENCE).await;
        let webhook = webhook.inspect_err(|trouble| complain(&format!("{trouble:#}"))).ok();
        let as_promised = fails_by(&documents[0], "errors")?
            && Headline::read(documents[1].as_bytes())?.verdict == "pass"
            && webhook.as_ref().is_some_and(|notice| notice.tells(BAD));
        let waves = documents.into_iter().map(RawValue::from_string).collect::<Result<_, _>>()?;
        Ok(Outcome { as_promised, seconds: self.begun.elapsed().as_secs_f64(), waves, webhook })
    }

    /// The last document of each wave: settled, unless the time was over.
    async fn follow(&self) -> anyhow::Result<Vec<String>> {
        let mut display = Display::new();
        let mut glances = tokio::time::interval(GLANCE);
        loop {
            glances.tick().await;
            let mut documents = Vec::new();
            for wave in [BAD, GOOD] {
                documents.push(self.ask(&Call::get(&["v1", "waves", wave, "verdict"])).await?);
            }
            let elapsed = self.begun.elapsed();
            display.show(&documents, elapsed, LIMIT)?;
            let heads: Result<Vec<_>, _> =
                documents.iter().map(|document| Headline::read(document.as_bytes())).collect();
            if heads?.iter().all(|head| head.settled) || LIMIT < elapsed {
                display.clear();
                return Ok(documents);
            }
        }
    }

    async fn ask(&self, call: &Call) -> anyhow::Result<String> {
        self.client.ask(call).await.map(|answer| answer.body).map_err(|failure| failure.error)
    }

    /// What a person reads at the end.
    fn page(&self, outcome: &Outcome) -> anyhow::Result<String> {
        let mut page = String::new();
        for document in &outcome.waves {
            page.push_str(&report::text(document.get(), colour())?);
            page.push('\n');
        }
        if let Some(notice) = &outcome.webhook {
            page.push_str(&notice.page());
        }
        let verdicts = if outcome.as_promised {
            "the bad wave was stopped for its errors, the good one passed, and the webhook is genuine"
        } else {
            "this is NOT what must come out of the demo"
        };
        let traffic = self.town.traffic(self.begun.elapsed());
        let _ = writeln!(page, "{verdicts}; {:.0} s, {traffic}", outcome.seconds);
        Ok(page)
    }

    /// What may be tried while it goes on.
    fn invitation(&self) -> String {
        let server = self.client.server();
        // As it was called, since a build of cargo's is in nobody's PATH.
        let own = std::env::args().next().unwrap_or_else(|| "wavegate".to_owned());
        format!(
            "\nThe daemon goes on until Ctrl-C. Try:\n\n  curl {server}/v1/waves/{BAD}/verdict\n  {own} list --server {server}\n  {own} decide {BAD} pass --why 'article 13 is not sold' --server {server}\n"
        )
    }

    /// Ends the daemon as SIGTERM would.
    async fn clear(self) -> anyhow::Result<()> {
        self.drain.cancel();
        self.daemon.await.context("the daemon stopped")?.map_err(cause)
    }
}

/// The configuration that is loaded, written into `folder` with the rules.
fn configure(folder: &Path, town: &Town, receiver: &Receiver) -> anyhow::Result<Config> {
    let rules = folder.join("rules");
    std::fs::create_dir(&rules)?;
    std::fs::write(rules.join("shop.yaml"), RULES)?;
    let file = folder.join("wavegate.toml");
    let settings = format!(
        "listen = \"127.0.0.1:0\"\nrules_dir = '{}'\nslos_dir = ''\n\n[log]\nlevel = \"error\"\n\n[store]\npath = '{}'\n\n\
         [sources.shop.scrape]\ninterval = \"1s\"\n{}\n{}",
        rules.display(),
        folder.join("wavegate.db").display(),
        town.targets(),
        receiver.endpoint(folder)?
    );
    std::fs::write(&file, settings)?;
    Ok(Config::load(&Inputs { file: Some(file), ..Inputs::default() })?)
}

/// Whether the wave of `document` failed, and by `check`.
fn fails_by(document: &str, check: &str) -> serde_json::Result<bool> {
    #[derive(Deserialize)]
    struct Wave {
        verdict: String,
        gates: Vec<Gate>,
    }
    #[derive(Deserialize)]
    struct Gate {
        checks: Vec<Check>,
    }
    #[derive(Deserialize)]
    struct Check {
        name: String,
        outcome: String,
    }
    let wave: Wave = serde_json::from_str(document)?;
    let failed = |gate: &Gate| {
        gate.checks.iter().filter(|check| check.outcome == "fail").map(|it| it.name.clone()).collect::<Vec<_>>()
    };
    Ok(wave.verdict == "fail" && wave.gates.iter().map(failed).eq([[check.to_owned()]]))
}

fn cause(stopped: app::Stopped) -> anyhow::Error {
    match stopped {
        app::Stopped::Refused(error) | app::Stopped::Unexpected(error) => error,
    }
}
