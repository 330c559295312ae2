//! Waves on several cores, in order.
//!
//! A wave depends on its number alone, so who makes it and when cannot be seen in the result.

use crate::plan::traffic::Run;
use std::num::NonZero;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering;
use std::sync::mpsc;
use std::thread;

/// The waves with the numbers from 0 up to `waves`, each made by `make`, on so many
/// `threads`; `count` is told how many there are after each.
pub fn on_cores(
    threads: NonZero<usize>,
    waves: u32,
    make: impl Fn(u32) -> Run + Sync,
    count: &mut dyn FnMut(u32),
) -> Vec<Run> {
    let next = AtomicU32::new(0);
    let mut runs = thread::scope(|scope| {
        let (sender, receiver) = mpsc::channel();
        for _ in 0..threads.get() {
            let (sender, next, make) = (sender.clone(), &next, &make);
            scope.spawn(move || {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    // Who asked has gone away only where it panicked.
                    if number >= waves || sender.send((number, make(number))).is_err() {
                        return;
                    }
                }
            });
        }
        drop(sender);
        let mut runs = Vec::new();
        for run in receiver {
            runs.push(run);
            count(u32::try_from(runs.len()).unwrap_or(u32::MAX));
        }
        runs
    });
    runs.sort_by_key(|(number, _)| *number);
    runs.into_iter().map(|(_, run)| run).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waves_come_in_order_from_any_number_of_cores() {
        let make = |number| Run { fails: vec![Some(f64::from(number))], passes: Vec::new(), settled: None };
        for threads in [1, 2, 7] {
            let mut heard = Vec::new();
            let threads = NonZero::new(threads).unwrap();
            let runs = on_cores(threads, 40, make, &mut |made| heard.push(made));
            assert_eq!(
                runs.iter().map(Run::fail).collect::<Vec<_>>(),
                (0..40).map(|n| Some(f64::from(n))).collect::<Vec<_>>()
            );
            assert_eq!(heard, (1..=40).collect::<Vec<u32>>());
        }
    }
}
