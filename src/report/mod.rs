//! A verdict for people, made from the published document and nothing else.

mod text;

pub use text::text;
