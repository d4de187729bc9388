//! The peers that the other tests run against do what they claim.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "region/mod.rs"]
mod region;
mod scripted;
#[path = "support/mod.rs"]
mod support;

#[path = "peers/alarms.rs"]
mod alarms;
#[path = "peers/brokers.rs"]
mod brokers;
#[path = "peers/caller.rs"]
mod caller;
#[path = "peers/endpoint.rs"]
mod endpoint;
#[path = "peers/metrics.rs"]
mod metrics;
#[path = "peers/models.rs"]
mod models;
#[path = "peers/polls.rs"]
mod polls;
#[path = "peers/queue.rs"]
mod queue;
#[path = "peers/queue_refusals.rs"]
mod queue_refusals;
#[path = "peers/queues.rs"]
mod queues;
#[path = "peers/services.rs"]
mod services;
#[path = "peers/signatures.rs"]
mod signatures;
#[path = "peers/sns.rs"]
mod sns;
#[path = "peers/subscriptions.rs"]
mod subscriptions;
#[path = "peers/v2.rs"]
mod v2;
#[path = "peers/v2_client.rs"]
mod v2_client;
#[path = "peers/v2_metrics.rs"]
mod v2_metrics;
