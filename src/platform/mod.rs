//! What the capabilities stand on: configuration, databases, HTTP, the clock, randomness, words for people and paper to print them on.

pub mod app;
pub mod causes;
pub mod clock;
pub mod cluster;
pub mod config;
pub mod configured;
pub mod db;
mod document;
pub mod http;
pub mod language;
pub mod listen;
pub mod metrics;
pub mod objects;
pub mod page;
pub mod paper;
pub mod problem;
pub mod random;
pub mod ready;
pub mod remembered;
pub mod router;
pub mod schema;
pub mod secrets;
pub mod serve;
pub mod tls;
