//! Metrics for Prometheus, as its text format 0.0.4 and as OpenMetrics 1.0.

/// The two forms.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Format {
    /// Prometheus's own.
    Text,
    /// OpenMetrics.
    OpenMetrics,
}
