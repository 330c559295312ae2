//! Days on which waves are simulated: the one that a file states, and harder ones.

use crate::rules::CheckTraffic;

/// What a day has beside, or without, what the file states.
#[derive(Clone, Copy, Debug)]
pub struct Weather {
    word: &'static str,
    makes: fn(&CheckTraffic) -> CheckTraffic,
}

impl Weather {
    /// The day that the file states.
    pub const STATED: Self = Self { word: "as_stated", makes: |stated| *stated };

    /// What it is called in documents.
    pub fn word(self) -> &'static str {
        self.word
    }

    /// What a check sees on such a day, of which the file states this.
    pub fn of(self, stated: &CheckTraffic) -> CheckTraffic {
        (self.makes)(stated)
    }

    /// Each trouble that `stated` has, without the others: which of them does it, where one does.
    pub(crate) fn alone(stated: &[CheckTraffic]) -> Vec<Self> {
        let has = |weather: &Self| stated.iter().any(|stated| weather.of(stated) != calm(stated));
        let troubles: Vec<Self> = ALONE.into_iter().filter(has).collect();
        // One alone is the day as it is stated.
        if troubles.len() > 1 { troubles } else { Vec::new() }
    }

    /// What real fleets do, each at least as bad as this (statistics.md §8): hard days, on which
    /// the promises are still made.
    pub(crate) const STRESS: [Self; 5] = [
        Self {
            word: "autocorrelation_0.5",
            makes: |stated| CheckTraffic { autocorrelation: stated.autocorrelation.max(0.5), ..*stated },
        },
        Self {
            word: "autocorrelation_0.7",
            makes: |stated| CheckTraffic { autocorrelation: stated.autocorrelation.max(0.7), ..*stated },
        },
        Self {
            word: "shared_incidents",
            makes: |stated| CheckTraffic { incidents: stated.incidents.max(2.0), ..*stated },
        },
        Self { word: "bursts", makes: |stated| CheckTraffic { bursts: stated.bursts.max(2.0), ..*stated } },
        Self {
            word: "instance_offsets",
            makes: |stated| CheckTraffic { offsets: stated.offsets.max(0.02), ..*stated },
        },
    ];
}

/// The troubles that a file can state.
const ALONE: [Weather; 4] = [
    Weather { word: "incidents_alone", makes: |stated| CheckTraffic { incidents: stated.incidents, ..calm(stated) } },
    Weather { word: "bursts_alone", makes: |stated| CheckTraffic { bursts: stated.bursts, ..calm(stated) } },
    Weather { word: "diurnal_alone", makes: |stated| CheckTraffic { diurnal: stated.diurnal, ..calm(stated) } },
    Weather { word: "offsets_alone", makes: |stated| CheckTraffic { offsets: stated.offsets, ..calm(stated) } },
];

fn calm(stated: &CheckTraffic) -> CheckTraffic {
    CheckTraffic { incidents: 0.0, bursts: 0.0, diurnal: 0.0, offsets: 0.0, ..*stated }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_file_states_is_taken_apart() {
        let words =
            |traffic: CheckTraffic| Weather::alone(&[traffic]).into_iter().map(Weather::word).collect::<Vec<_>>();
        let calm = CheckTraffic::default();
        assert_eq!(words(calm), Vec::<&str>::new());
        assert_eq!(words(CheckTraffic { bursts: 1.0, ..calm }), Vec::<&str>::new());
        let both = CheckTraffic { bursts: 1.0, diurnal: 0.3, ..calm };
        assert_eq!(words(both), ["bursts_alone", "diurnal_alone"]);
        assert_eq!(Weather::STATED.of(&both), both);
    }
}
