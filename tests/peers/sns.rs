//! SNS of the region: its API, its deliveries, and what alarms and events look like.
