//! Webhooks against receivers that misbehave, on a clock that stands while anybody works.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where it stopped")]

mod hostile;
mod process;
mod signatures;
mod tries;
mod world;

use world::Answer;
use world::NOW;
use world::Post;
use world::World;
use world::endpoint;
