//! What is known of a service beside a gate's own cohorts: the memory of its error budget.

use crate::rules::Slo;
use crate::series::ServiceReading;
use crate::series::Timestamp;
use crate::series::Window;
use crate::sources::Error;
use crate::sources::Pending;

/// Which reading is wanted.
#[derive(Clone, Copy, Debug)]
pub struct AccountAsked<'a> {
    /// Of which SLO.
    pub slo: &'a Slo,
    /// For which wave: what it spent since it began is not among what others spent.
    pub wave: &'a str,
    /// When the wave began.
    pub began: Timestamp,
    /// The interval at whose end the service is read.
    pub window: Window,
}

/// Who keeps the accounts of services.
pub trait Accounts: Send + Sync {
    /// How the service stood at the end of the interval.
    ///
    /// # Errors
    /// What it takes has not been read yet, or the source of the SLO does not answer: the
    /// look waits as for any source.
    fn stand<'a>(&'a self, asked: AccountAsked<'a>) -> Pending<'a, Result<ServiceReading, Error>>;
}
