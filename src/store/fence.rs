//! What a change may do to what is stored, decided before anything is written.
//!
//! A gate only moves forward. Who comes with an older revision has missed what
//! somebody else made true, and is refused rather than believed; who comes with
//! the same change again is let through, because a commit whose answer was lost
//! must be repeatable. That holds for a batch with several changes of one gate as
//! well: those that its later ones overtake are compared and not believed anew.
//! The decision is a function of two rows, so that every store decides alike.

use crate::rules::Digest;
use crate::store::Change;
use crate::store::Charge;
use crate::store::Error;
use crate::store::rows::ChargeRow;
use crate::store::rows::Fault;
use crate::store::rows::GateRow;
use crate::wire::write_evidence;

/// A change as rows: everything in it can be stored and read back.
pub(super) struct Offer<'a> {
    pub(super) change: &'a Change,
    pub(super) gate: GateRow,
    /// Interval index and body, in the order of the change.
    pub(super) evidence: Vec<(i64, String)>,
    pub(super) charge: Option<ChargeRow>,
    /// Which gate, for errors.
    pub(super) subject: String,
}

/// How far a gate has come that is stored; nothing yet of one that is not.
#[derive(Clone, Copy, Default)]
pub(super) struct Progress {
    /// Intervals up to this are stored: those of a change must be equal, later ones are new.
    pub(super) judged: i64,
    /// The last revision that is stored: documents up to it must be equal, a later
    /// one's is new.
    pub(super) revision: i64,
    /// The stored row is later than the change's and stays.
    pub(super) overtaken: bool,
}

impl<'a> Offer<'a> {
    /// `change` as rows.
    pub(super) fn of(change: &'a Change) -> Result<Self, Error> {
        let Change { wave, gate, .. } = change;
        let subject = format!("gate `{}` of wave `{wave}`, attempt {}", gate.rules, gate.attempt);
        let unstorable = |fault| Error::Unstorable { subject: subject.clone(), fault };

        if change.rules_text.as_ref().is_some_and(|text| Digest::of(text.as_bytes()) != gate.digest) {
            return Err(unstorable("the rule file's text has another digest than the gate".to_owned()));
        }
        let row = GateRow::try_from(gate).map_err(unstorable)?;
        let mut evidence = Vec::with_capacity(change.evidence.len());
        for (index, interval) in &change.evidence {
            let body = write_evidence(interval).map_err(|fault| unstorable(format!("interval {index}: {fault}")))?;
            evidence.push((i64::from(*index), body));
        }
        let spent = change.charge.as_ref().map(|spent| charge_of(change, spent)).transpose().map_err(unstorable)?;
        Ok(Self { change, gate: row, evidence, charge: spent, subject })
    }

    /// Whether `other` is about the same gate.
    fn is_of(&self, other: &Self) -> bool {
        let (one, two) = (self.change, other.change);
        one.gate.attempt == two.gate.attempt && one.gate.rules == two.gate.rules && one.wave == two.wave
    }

    /// Whether this may follow `kept`, the stored row of the same gate, and from
    /// where it goes on. `later` is the rest of the batch.
    pub(super) fn follows(&self, kept: Option<&GateRow>, later: &[Self]) -> Result<Progress, Error> {
        let progress = match kept {
            Some(kept) => self.progress(kept, later)?,
            None => Progress::default(),
        };
        if progress.revision < self.gate.revision && self.change.document.is_none() {
            return Err(self.incomplete(format!("revision {} has no document", self.gate.revision)));
        }
        let judged = progress.judged;
        let indices = self.evidence.iter().map(|(index, _)| *index);
        if !indices.filter(|index| *index > judged).eq(judged + 1..=self.gate.judged) {
            let (first, last) = (judged + 1, self.gate.judged);
            return Err(self.incomplete(format!("the new evidence is not intervals {first} to {last} in order")));
        }
        if self.evidence.iter().any(|(index, _)| *index < 1) {
            return Err(self.incomplete("intervals count from 1".to_owned()));
        }
        Ok(progress)
    }

    fn progress(&self, kept: &GateRow, later: &[Self]) -> Result<Progress, Error> {
        let behind = self.gate.revision < kept.revision && self.gate.judged <= kept.judged;
        let overtaken = behind && later.iter().any(|offer| offer.is_of(self));
        if !overtaken {
            self.moves_forward(kept)?;
        }
        if self.gate.digest != kept.digest {
            return Err(self.contradiction(format!("it began with the rules {}", kept.digest)));
        }
        Ok(Progress { judged: kept.judged, revision: kept.revision, overtaken })
    }

    fn moves_forward(&self, kept: &GateRow) -> Result<(), Error> {
        let offered = &self.gate;
        let back = offered.revision < kept.revision || offered.judged < kept.judged;
        if back || (kept.is_final() && !offered.is_final()) {
            return Err(Error::Stale {
                subject: self.subject.clone(),
                kept_revision: kept.revision,
                kept_judged: kept.judged,
                revision: offered.revision,
                judged: offered.judged,
            });
        }
        if kept.is_final() && offered.revision == kept.revision && offered != kept {
            return Err(self.contradiction(format!("revision {} is final and says otherwise", kept.revision)));
        }
        Ok(())
    }

    /// The error of a change that says otherwise than what is stored.
    pub(super) fn contradiction(&self, fault: String) -> Error {
        Error::Contradiction { subject: self.subject.clone(), fault }
    }

    /// The error of a change that could not be loaded again.
    pub(super) fn incomplete(&self, fault: String) -> Error {
        Error::Incomplete { subject: self.subject.clone(), fault }
    }
}

/// The row of `spent`, which is what the gate of `change` spent and no other.
fn charge_of(change: &Change, spent: &Charge) -> Result<ChargeRow, Fault> {
    let (charged, gate) = (&spent.charged, &change.gate);
    let own =
        charged.wave == change.wave.as_str() && charged.rules == gate.rules.as_str() && charged.attempt == gate.attempt;
    if !own {
        let (wave, rules, attempt) = (&charged.wave, &charged.rules, charged.attempt);
        return Err(format!("it brings the charge of gate `{rules}` of wave `{wave}`, attempt {attempt}"));
    }
    ChargeRow::try_from(spent)
}
