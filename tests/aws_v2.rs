//! MediaPackage v2, harvest jobs and VOD: what is asked, and that every answer which AWS's
//! models allow is read without loss, and without what must not be published.

#![allow(clippy::unwrap_used, missing_docs)]

mod scripted;

#[path = "aws_v2/asking.rs"]
mod asking;
#[path = "aws_v2/cases.rs"]
mod cases;
#[path = "aws_v2/generated.rs"]
mod generated;
#[path = "aws_v2/model.rs"]
mod model;
