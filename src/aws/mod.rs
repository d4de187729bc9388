//! AWS as the agent sees it: requests and parsing are pure (`mediapackage`, `mediapackage_v2`,
//! `harvest`, `vod`, `cloudwatch`, `sqs`, `subscriptions`), the connection, signing and
//! credentials touch the world (`client`, `credentials`).

mod answer;
mod call;
pub mod client;
pub mod clock;
pub mod cloudwatch;
pub mod credentials;
pub mod harvest;
mod lookup;
pub mod mediapackage;
pub mod mediapackage_v2;
mod pages;
pub mod proxy;
mod rest;
mod retry;
mod sign;
pub mod sns;
pub mod sqs;
pub mod stop;
pub mod subscriptions;
mod transport;
pub mod vod;

pub use client::{Clients, Service};
pub use clock::AwsClock;
pub use stop::Stop;
pub use transport::Limits;
