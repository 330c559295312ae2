//! A verdict for people, made from the published document and nothing else.

mod brief;
mod terminal;
mod text;

pub use brief::brief;
pub use terminal::cell;
pub use terminal::plain;
pub use text::progress;
pub use text::text;
