//! Plain mathematics: rank tests, intervals, e-processes, binomial tails, and
//! the special functions below them. It knows nothing of waves or rules.
//!
//! Every function is total: what cannot be answered is `None` or a neutral value
//! that its documentation names, never a panic. All formulas carry the labels
//! (MW-1, HL-2, EP-1 …) of the statistical design.

mod autocorrelation;
mod boundary;
mod buckets;
mod count_guard;
mod counts;
mod differences;
mod hodges_lehmann;
mod instances;
mod interval;
mod mann_whitney;
mod normal;
mod null_distribution;
mod paired;
mod ratio_of_sums;
mod recent_shift;
mod sorted;
mod special;
mod student;

pub use autocorrelation::Fit;
pub use autocorrelation::PRIOR_SECONDS;
pub use autocorrelation::Prior;
pub use autocorrelation::Track;
pub use autocorrelation::effective_size;
pub use autocorrelation::lag1;
pub use autocorrelation::two_sample_inflation;
pub use autocorrelation::variance_inflation;
pub use boundary::PlannedLook;
pub use boundary::Spending;
pub use boundary::boundary;
pub use boundary::crossing;
pub use buckets::BucketRanks;
pub use buckets::BucketScore;
pub use buckets::bucket_ranks;
pub use count_guard::CountGuard;
pub use count_guard::EventWeights;
pub use count_guard::Score;
pub use count_guard::count_guard;
pub use count_guard::rank_score;
pub use count_guard::ratio_score;
pub use counts::RatioEProcess;
pub use counts::RatioTail;
pub use counts::floor_log_e;
pub use counts::over_floor_ln_p;
pub use counts::rate_ratio_interval;
pub use counts::under_floor_ln_p;
pub use hodges_lehmann::asymptotic_rank;
pub use hodges_lehmann::exact_rank;
pub use hodges_lehmann::hodges_lehmann;
pub use instances::MeanDifference;
pub use instances::Spread;
pub use instances::mean_difference;
pub use interval::Interval;
pub use mann_whitney::AdjustedMannWhitney;
pub use mann_whitney::EXACT_ARM_MAX;
pub use mann_whitney::EXACT_TIES_MAX;
pub use mann_whitney::MannWhitney;
pub use mann_whitney::Method;
pub use mann_whitney::RankSum;
pub use mann_whitney::Tail;
pub use mann_whitney::mann_whitney;
pub use mann_whitney::mann_whitney_adjusted;
pub use mann_whitney::mann_whitney_null;
pub use normal::normal_upper;
pub use normal::normal_upper_inverse;
pub use normal::normal_upper_inverse_ln;
pub use normal::normal_upper_ln;
pub use paired::PairedMean;
pub use paired::PairedOptions;
pub use paired::median;
pub use paired::paired_mean;
pub use ratio_of_sums::Quotient;
pub use ratio_of_sums::ratio_of_sums;
pub use recent_shift::recent_points;
pub use recent_shift::recent_shift;
pub use sorted::SortedCohorts;
pub use special::beta_regularised_ln;
pub use special::binomial_lower_ln;
pub use special::binomial_upper_ln;
pub use student::student_to_normal;
pub use student::student_upper_inverse_ln;
pub use student::student_upper_ln;
