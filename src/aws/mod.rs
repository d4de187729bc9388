//! AWS as the agent sees it: requests and parsing are pure (`mediapackage`, `cloudwatch`),
//! the connection, signing and credentials touch the world (`client`, `credentials`).

pub mod stop;

pub use stop::Stop;
