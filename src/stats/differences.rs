//! Order statistics of all pairwise differences of two sorted arms, without
//! forming them.
//!
//! One sweep over both arms counts the differences up to a value; since rounding
//! is monotone, the count is exact for the rounded differences. The sweep also
//! finds the nearest difference on either side of the value, so the search moves
//! from difference to difference and ends at the very one that has the rank.

/// Ranks searched for side by side: their sweeps do not wait for one another.
const LANES: usize = 4;

/// The differences `arms[0] - arms[1]` with the given ranks, from 1 to `mn`.
///
/// Both arms ascend and end in the sentinel `+inf`; the arms before it are finite
/// and not empty. Ranks out of range are held to it. Each sweep takes `m + n`
/// steps; four ranks take about eight sweeps.
pub(crate) fn difference_order(arms: (&[f64], &[f64]), ranks: [u64; LANES], start: [f64; LANES]) -> [f64; LANES] {
    let (m, n) = (arms.0.len() - 1, arms.1.len() - 1);
    let all = Bracket {
        low: arms.0[0] - arms.1[n - 1],
        below_low: 0,
        high: arms.0[m - 1] - arms.1[0],
        up_to_high: m as u64 * n as u64,
        stalls: 0,
    };
    let mut brackets = [all; LANES];
    let ranks = ranks.map(|rank| rank.clamp(1, all.up_to_high));
    let mut probes = start;
    for (probe, rank) in probes.iter_mut().zip(ranks) {
        *probe = all.inside(*probe).unwrap_or_else(|| all.probe(rank));
    }
    loop {
        let sweeps = sweep(arms, probes);
        let mut open = false;
        for ((bracket, rank), probe) in brackets.iter_mut().zip(ranks).zip(&mut probes) {
            let before = bracket.gap();
            for seen in &sweeps {
                bracket.narrow(rank, seen);
            }
            bracket.stalls = if bracket.gap() <= before / 4 { 0 } else { bracket.stalls + 1 };
            if bracket.found(rank).is_none() {
                open = true;
                *probe = bracket.probe(rank);
            }
        }
        if !open {
            let mut found = [0.0; LANES];
            for ((value, bracket), rank) in found.iter_mut().zip(&brackets).zip(ranks) {
                // Without the sign of a zero, which depends on the order of equal values.
                *value = bracket.found(rank).unwrap_or(bracket.high) + 0.0;
            }
            return found;
        }
    }
}

/// Where the difference of a rank lies: two differences that enclose it.
#[derive(Clone, Copy)]
struct Bracket {
    low: f64,
    /// Differences below `low`.
    below_low: u64,
    high: f64,
    /// Differences up to `high`.
    up_to_high: u64,
    /// Sweeps in a row that hardly narrowed it.
    stalls: u32,
}

impl Bracket {
    fn gap(&self) -> u64 {
        self.up_to_high - self.below_low
    }

    fn found(&self, rank: u64) -> Option<f64> {
        if rank == self.below_low + 1 {
            Some(self.low)
        } else if rank == self.up_to_high || self.low >= self.high {
            Some(self.high)
        } else {
            None
        }
    }

    fn narrow(&mut self, rank: u64, seen: &Sweep) {
        if seen.up_to >= rank {
            if seen.up_to <= self.up_to_high {
                (self.high, self.up_to_high) = (seen.nearest_up_to, seen.up_to);
            }
        } else if seen.up_to >= self.below_low {
            (self.low, self.below_low) = (seen.nearest_above, seen.up_to);
        }
    }

    /// Where to count next: from `low` on and below `high`.
    fn probe(&self, rank: u64) -> f64 {
        let wanted = match self.stalls % 4 {
            0 | 1 => self.secant(rank),
            2 => 0.5 * self.low + 0.5 * self.high,
            // Halves the doubles between, whatever the values: 64 of these end any search.
            _ => unordered(midpoint(ordered(self.low), ordered(self.high))),
        };
        self.inside(wanted).unwrap_or(self.low)
    }

    fn inside(&self, value: f64) -> Option<f64> {
        (value >= self.low && value < self.high).then_some(value)
    }

    /// As if the differences lay evenly, aimed a little past the rank towards the
    /// farther end, so that both ends close in.
    #[expect(clippy::cast_precision_loss, reason = "only a guess of where to look")]
    fn secant(&self, rank: u64) -> f64 {
        let gap = self.gap() as f64;
        let ahead = (rank - self.below_low) as f64 - 0.5;
        let past = 0.6 * gap.sqrt() - 0.6;
        let aim = if ahead < 0.5 * gap { ahead + past } else { ahead - past };
        self.low + (self.high - self.low) * (aim.clamp(0.0, gap) / gap)
    }
}

/// What one sweep saw of the differences about a value.
#[derive(Clone, Copy)]
struct Sweep {
    /// How many are at most the value.
    up_to: u64,
    /// The largest of them.
    nearest_up_to: f64,
    /// The smallest of the others.
    nearest_above: f64,
}

/// Walks the border between the differences up to and above each value. All lanes
/// take the same steps, so the processor runs them at once, and masks stand for
/// branches, which would be mispredicted at every other step.
fn sweep(arms: (&[f64], &[f64]), values: [f64; LANES]) -> [Sweep; LANES] {
    const LEAST: u64 = f64::NEG_INFINITY.to_bits();
    const MOST: u64 = f64::INFINITY.to_bits();
    let (first, second) = arms;
    let (m, n) = (first.len() - 1, second.len() - 1);
    let mut index = [0_usize; LANES];
    let mut seen = [Sweep { up_to: 0, nearest_up_to: f64::NEG_INFINITY, nearest_above: f64::INFINITY }; LANES];
    // The sentinels turn the walk at both edges, so that step m + n is the far corner.
    let values = values.map(|value| value.min(f64::MAX));
    for step in 0..m + n {
        for (lane, (index, seen)) in index.iter_mut().zip(&mut seen).enumerate() {
            let (i, j) = (*index, step - *index);
            let difference = first[i] - second[j];
            let up_to = difference <= values[lane];
            let mask = u64::from(up_to).wrapping_neg();
            let low = f64::from_bits((difference.to_bits() & mask) | (LEAST & !mask));
            let high = f64::from_bits((difference.to_bits() & !mask) | (MOST & mask));
            seen.up_to += (n - j) as u64 & mask;
            seen.nearest_up_to = if low > seen.nearest_up_to { low } else { seen.nearest_up_to };
            seen.nearest_above = if high < seen.nearest_above { high } else { seen.nearest_above };
            *index = i + usize::from(up_to);
        }
    }
    seen
}

/// Doubles as integers of the same order.
fn ordered(value: f64) -> i64 {
    let bits = value.to_bits().cast_signed();
    if bits < 0 { bits ^ i64::MAX } else { bits }
}

fn unordered(order: i64) -> f64 {
    let bits = if order < 0 { order ^ i64::MAX } else { order };
    f64::from_bits(bits.cast_unsigned())
}

fn midpoint(low: i64, high: i64) -> i64 {
    low.midpoint(high)
}
