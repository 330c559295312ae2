//! Rule files from outside: what is shipped loads, what is broken says so, and
//! no text of anybody changes what a query is.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod binding;
mod diagnostics;
mod extends;
mod files;
mod formats;
mod headers;
mod hostile;
mod language;
mod mutations;
mod params;
mod schema;
mod slo;
mod slo_bundle;
mod whole;
mod windows;
