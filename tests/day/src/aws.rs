//! AWS as the agent sees it.

#[path = "../../../src/aws/answer.rs"]
mod answer;
#[path = "../../../src/aws/call.rs"]
mod call;
pub mod client;
#[path = "../../../src/aws/cloudwatch/mod.rs"]
pub mod cloudwatch;
#[path = "../../../src/aws/harvest.rs"]
pub mod harvest;
#[path = "../../../src/aws/mediapackage.rs"]
pub mod mediapackage;
#[path = "../../../src/aws/mediapackage_v2/mod.rs"]
pub mod mediapackage_v2;
#[path = "../../../src/aws/pages.rs"]
mod pages;
#[path = "../../../src/aws/rest.rs"]
mod rest;
#[path = "../../../src/aws/retry.rs"]
mod retry;
#[path = "../../../src/aws/vod.rs"]
pub mod vod;
