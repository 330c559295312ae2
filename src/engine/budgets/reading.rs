//! How a service stood at the moment of a look.

use crate::engine::budgets::Budgets;
use crate::engine::budgets::book::Books;
use crate::engine::budgets::kept::LOOK_BACK;
use crate::engine::budgets::kept::period_from;
use crate::judge;
use crate::judge::BurnState;
use crate::judge::Charged;
use crate::rules::Slo;
use crate::series::Counts;
use crate::series::ServiceReading;
use crate::series::Slices;
use crate::series::SpanCounts;
use crate::series::Timestamp;
use crate::series::Window;
use crate::sources::AccountAsked;
use crate::sources::Accounts;
use crate::sources::Error;
use crate::sources::Pending;
use std::time::Duration;

/// How long a look waits for slices that are just being read, before it waits as for a
/// source that does not answer.
const PATIENCE: Duration = Duration::from_secs(5);

const DAY: Duration = Duration::from_hours(24);

impl Accounts for Budgets {
    fn stand<'a>(&'a self, asked: AccountAsked<'a>) -> Pending<'a, Result<ServiceReading, Error>> {
        Box::pin(async move {
            let mut read = self.read.subscribe();
            let missing = match self.books().reading(asked, self.clock.now()) {
                Ok(reading) => return Ok(reading),
                Err(missing) => missing,
            };
            self.wanted.notify_one();
            let Some(_waits) = self.waiters.try_acquire().ok().filter(|_| missing.may_come) else {
                return Err(missing.into());
            };
            let mut last = missing;
            let waited = tokio::time::timeout(PATIENCE, async {
                while read.changed().await.is_ok() {
                    match self.books().reading(asked, self.clock.now()) {
                        Ok(reading) => return Some(reading),
                        Err(missing) if missing.may_come => last = missing,
                        Err(missing) => {
                            last = missing;
                            break;
                        }
                    }
                }
                None
            });
            let found = waited.await.ok().flatten();
            found.ok_or_else(|| last.into())
        })
    }
}

/// What a look needs is not there.
#[derive(Debug)]
pub(super) struct Missing {
    slo: String,
    problem: String,
    /// Whether it is worth to wait a moment.
    may_come: bool,
}

impl From<Missing> for Error {
    fn from(Missing { slo, problem, .. }: Missing) -> Self {
        Self::Account { slo, problem }
    }
}

impl Books {
    /// How the service of `asked` stood at the end of its window, of slices that were all
    /// asked for, those of what else the service promises too.
    pub(super) fn reading(&mut self, asked: AccountAsked<'_>, now: Timestamp) -> Result<ServiceReading, Missing> {
        let (slo, at) = (asked.slo, asked.window.to);
        if at + LOOK_BACK < now {
            let days = LOOK_BACK.as_secs() / DAY.as_secs();
            let problem =
                format!("is answered for looks of the last {days} days; judge an older wave by `wavegate judge`");
            return Err(Missing { slo: slo.name.to_string(), problem, may_come: false });
        }
        self.host(slo, now);
        let earlier = earlier(asked);
        let from = period_from(slo, at).min(earlier.from);
        self.must_have(slo, Window { from, to: at - slo.settle }, now)?;
        let mut paging = Vec::new();
        let others: Vec<_> = self.others(&slo.service, &slo.name).cloned().collect();
        for other in others {
            let to = at - other.settle;
            let longest = longest_window(&other) + other.slice;
            self.must_have(&other, Window { from: to - longest, to }, now)?;
            let kept = self.kept.get(&other.counted_by);
            let burn = kept.map(|kept| judge::burn(&other, &judge::account(&other, &kept.slices, at)));
            if burn.is_some_and(|burn| burn.state == BurnState::Page) {
                paging.push(other.name.to_string());
            }
        }
        let Some(kept) = self.kept.get(&slo.counted_by) else { return Err(crowded(slo)) };
        let reading = judge::account(slo, &kept.slices, at);
        let charged: Vec<Charged> =
            self.charges(&slo.name, reading.period_from, at).into_iter().map(|charge| charge.charged).collect();
        Ok(ServiceReading {
            spent_by_others: judge::spent_by(&charged, reading.period_from, at, Some((asked.wave, asked.began))),
            paging,
            before: before(&kept.slices, earlier),
            ..reading
        })
    }

    /// That all slices in `window` were asked for; else they are wanted.
    fn must_have(&mut self, slo: &Slo, window: Window, now: Timestamp) -> Result<(), Missing> {
        let Some(kept) = self.kept.get_mut(&slo.counted_by) else { return Err(crowded(slo)) };
        let step = kept.slices.step();
        let needed = Window { from: window.from.floored(step), to: window.to.floored(step) };
        if kept.known.cover(needed) {
            return Ok(());
        }
        kept.want(needed.from, now);
        let missing = |problem, may_come| Err(Missing { slo: slo.name.to_string(), problem, may_come });
        if let Some(trouble) = &kept.upkeep.trouble {
            return missing(format!("is not known: {trouble}"), false);
        }
        let read = kept.known.share_of(needed) * 100.0;
        let days = needed.length().as_secs_f64() / DAY.as_secs_f64();
        missing(format!("is being read: {:.0} % of {days:.0} days", read.floor()), true)
    }
}

fn crowded(slo: &Slo) -> Missing {
    let problem = "is not in force any more, and as many others that open gates began with are kept already".to_owned();
    Missing { slo: slo.name.to_string(), problem, may_come: false }
}

/// The longest time that tells somebody of a burn.
pub(super) fn longest_window(slo: &Slo) -> Duration {
    let tiers = slo.tiers.iter().map(|tier| tier.long.max(tier.short));
    tiers.chain(slo.absolute.map(|absolute| absolute.within)).max().unwrap_or_default()
}

/// The window of `asked` the smallest number of whole days earlier that lies before the wave.
pub(super) fn earlier(asked: AccountAsked<'_>) -> Window {
    let over = asked.window.to.since(asked.began).as_millis();
    let days = u32::try_from(over.div_ceil(DAY.as_millis())).unwrap_or(u32::MAX).max(1);
    let ago = DAY.saturating_mul(days);
    Window { from: asked.window.from - ago, to: asked.window.to - ago }
}

/// The slices that end in `window`: each belongs to one interval, however short those are.
pub(super) fn before(slices: &Slices, window: Window) -> Option<Counts> {
    let step = slices.step();
    let span = Window { from: window.from.floored(step), to: window.to.floored(step) };
    let SpanCounts { counts, slices, .. } = slices.sum(span);
    counts.or((slices == 0).then(Counts::default))
}
