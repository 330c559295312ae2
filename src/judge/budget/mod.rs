//! The error budget of a service: what is left, how fast it burns, and what waves spend of it.
//!
//! In reading order: how slices become a [`crate::series::ServiceReading`] ([`mod@account`]), what that says
//! ([`mod@burn`]), what a wave and its baseline served ([`mod@served`]) and adds to it ([`mod@attribution`]), what all waves of a period came
//! to ([`mod@waves`]), which policies stop a wave ([`mod@policy`]), and what a gate
//! remembers of all that ([`mod@state`]).

mod account;
mod attribution;
mod burn;
mod policy;
mod served;
mod state;
mod waves;

pub use account::account;
pub use attribution::Attribution;
pub use attribution::BaselineKind;
pub use attribution::Spent;
pub use burn::Burn;
pub use burn::BurnState;
pub use burn::PeriodBurn;
pub use burn::TierReading;
pub use burn::WindowBurn;
pub use burn::burn;
pub use policy::BudgetOutcome;
pub use policy::Policy;
pub use policy::PolicyReading;
pub use policy::Stand;
pub(crate) use state::BudgetState;
pub(crate) use state::Sight;
pub use waves::Charged;
pub use waves::WaveShare;
pub use waves::WavesSpent;
pub use waves::spent_by;
pub use waves::waves_spent;
