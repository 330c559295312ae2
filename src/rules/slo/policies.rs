//! What waves wait for: each policy has a number and can be switched off.

use crate::rules::keys::slo::WAVE_BURN;
use crate::rules::reader::Entry;
use crate::rules::reader::Reader;
use crate::rules::reader::Table;
use crate::rules::units::Unit;
use crate::rules::yaml::RawValue;
use crate::series::Fraction;

/// The policies of an SLO, or of a gate that changes some of them. `None` is switched off.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Policies {
    /// A wave that burns faster than its baseline pauses, until it does not.
    pub wave_burn: Option<WaveBurn>,
    /// At least this share of the error budget must remain, or a standard wave is held.
    /// One that is exploratory needs that anything remains.
    pub reserve: Option<Fraction>,
    /// Waves of one period together spend less than this share of its error budget, or they are held.
    pub waves_spend: Option<Fraction>,
    /// A burn of this service at which somebody is paged pauses its gates, until it is over.
    pub page: bool,
    /// A canary that at 100 % of the traffic would burn faster than this pauses, until it does not.
    pub projected: Option<Fraction>,
}

/// When a wave burns too fast against its baseline.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct WaveBurn {
    /// The ratio of burn rates whose lower bound must be above this: 2.
    pub ratio: Fraction,
    /// The canary's own burn rate must be at least this, or the wave is let be: 1.
    pub floor: Fraction,
    /// Whose burn is compared.
    pub scope: Scope,
    /// The level of the one-sided bound, at each look: 0.05; `strict: true` makes it 0.005.
    pub level: f64,
    /// Fewer events than this of either cohort decide nothing: 100.
    pub min_events: u32,
}

/// Whose burn is compared with the baseline's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// The canary's.
    Canary,
    /// The whole service's, with what the wave adds to it.
    Service,
}

/// What kind of change a wave brings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// It waits while the reserve would be touched.
    #[default]
    Standard,
    /// It may use the reserve.
    Exploratory,
}

impl Class {
    /// Every class, as it is called in requests and documents.
    pub const WORDS: [(&'static str, Self); 2] = [("standard", Self::Standard), ("exploratory", Self::Exploratory)];

    /// The class that `word` names.
    pub fn named(word: &str) -> Option<Self> {
        Self::WORDS.into_iter().find(|(name, _)| *name == word).map(|(_, class)| class)
    }

    /// Its word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Standard => "standard",
            Self::Exploratory => "exploratory",
        }
    }
}

impl Policies {
    /// Those of an SLO that says nothing; `page` is the smallest factor of its page tiers.
    pub(super) fn usual(page: Option<Fraction>) -> Self {
        let fifth = Fraction::new(1, 5);
        Self { wave_burn: Some(WaveBurn::usual()), reserve: fifth, waves_spend: fifth, page: true, projected: page }
    }
}

impl WaveBurn {
    fn usual() -> Self {
        let ratio = Fraction::new(2, 1).unwrap_or(Fraction::ONE);
        Self { ratio, floor: Fraction::ONE, scope: Scope::Canary, level: USUAL_LEVEL, min_events: 100 }
    }
}

/// The level of each look's bound, and the one that `strict` makes of it.
const USUAL_LEVEL: f64 = 0.05;
const STRICT_LEVEL: f64 = 0.005;

/// `usual`, with what `table` changes of it: of an SLO file, or of `budget` of a rule file.
pub(super) fn changed(reader: &mut Reader<'_>, table: &Table<'_>, usual: Policies) -> Policies {
    let mut policies = usual;
    if let Some(entry) = table.get("wave_burn") {
        let base = usual.wave_burn.unwrap_or_else(WaveBurn::usual);
        policies.wave_burn = if is_off(entry) { None } else { Some(wave_burn(reader, entry, base)) };
    }
    let mut share = |key: &str, usual: Option<Fraction>, (fits, range): (fn(Fraction) -> bool, &str)| {
        let Some(entry) = table.get(key).filter(|entry| !is_off(*entry)) else {
            return if table.get(key).is_some() { None } else { usual };
        };
        let help = "write a share of the error budget, `20%`, or `off`";
        let read = reader.exact(entry, Unit::Percent, help)?;
        if !fits(read) {
            let message = format!("`{key}` is {range}");
            reader.error(entry.node.spot, "out_of_range", message, "20% is usual; `off` switches it off");
        }
        Some(read)
    };
    // A reserve of nothing asks that anything is left.
    policies.reserve = share("reserve", usual.reserve, (|read| read < Fraction::ONE, "from 0% to below 100%"));
    policies.waves_spend = share(
        "waves_spend",
        usual.waves_spend,
        (|read| Fraction::ZERO < read && read <= Fraction::ONE, "above 0%, and at most 100%"),
    );
    if let Some(entry) = table.get("page") {
        policies.page = reader.word(entry, &[("pause", true), ("off", false)]).unwrap_or(usual.page);
    }
    if let Some(entry) = table.get("projected") {
        let help = "write a burn rate, `6x`, or `off`";
        policies.projected = if is_off(entry) { None } else { reader.exact(entry, Unit::Factor, help) };
        if policies.projected == Some(Fraction::ZERO) {
            reader.error(entry.node.spot, "out_of_range", "`projected` is above 0x".to_owned(), help);
        }
    }
    policies
}

fn is_off(entry: Entry<'_>) -> bool {
    matches!(&entry.node.value, RawValue::Text(text) if text == "off")
}

fn wave_burn(reader: &mut Reader<'_>, entry: Entry<'_>, base: WaveBurn) -> WaveBurn {
    let Some(table) = reader.table(entry.node, "`wave_burn`", WAVE_BURN) else { return base };
    let mut burn = base;
    if let Some(entry) = table.get("ratio") {
        let help = "write how many times as fast a wave may burn: `2x`";
        let ratio = reader.exact(entry, Unit::Factor, help);
        if ratio.is_some_and(|ratio| ratio < Fraction::ONE) {
            let message = "`ratio` is at least 1x: below it a wave burns slower than its baseline".to_owned();
            reader.error(entry.node.spot, "out_of_range", message, help);
        }
        burn.ratio = ratio.unwrap_or(base.ratio);
    }
    if let Some(entry) = table.get("floor") {
        burn.floor = reader.exact(entry, Unit::Factor, "write a burn rate: `1x`").unwrap_or(base.floor);
    }
    if let Some(entry) = table.get("scope") {
        let scopes = [("canary", Scope::Canary), ("service", Scope::Service)];
        burn.scope = reader.word(entry, &scopes).unwrap_or(base.scope);
    }
    if let Some(strict) = table.get("strict").and_then(|entry| reader.flag(entry)) {
        burn.level = if strict { STRICT_LEVEL } else { USUAL_LEVEL };
    }
    if let Some(entry) = table.get("min_events") {
        let help = "a number of events; 100 is usual";
        burn.min_events = reader.whole(entry, 1..=1_000_000_000, help).unwrap_or(base.min_events);
    }
    burn
}
