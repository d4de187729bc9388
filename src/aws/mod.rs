//! AWS as the agent sees it: requests and parsing are pure (`mediapackage`, `cloudwatch`),
//! the connection, signing and credentials touch the world (`client`, `credentials`).

mod answer;
pub mod client;
pub mod clock;
pub mod cloudwatch;
pub mod credentials;
pub mod mediapackage;
mod pages;
mod retry;
mod sign;
pub mod sns;
pub mod stop;
mod transport;

pub use client::{Clients, Service};
pub use clock::AwsClock;
pub use stop::Stop;
pub use transport::{Limits, way_out};
