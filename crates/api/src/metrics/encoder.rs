//! The metrics output: each family with its help and its unit.

use std::fmt;

use prometheus_client::encoding::{DescriptorEncoder, EncodeGaugeValue, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Unit;

/// The metrics output.
pub(super) struct MetricsEncoder<'a>(pub(super) DescriptorEncoder<'a>);

impl MetricsEncoder<'_> {
    /// A gauge.
    pub(super) fn gauge(&mut self, name: &str, help: &str, value: u64) -> fmt::Result {
        self.begin(name, help, MetricType::Gauge)?.encode_gauge(&value)
    }

    /// A gauge family.
    pub(super) fn gauges<'a, V: EncodeGaugeValue, const N: usize>(
        &mut self,
        name: &str,
        help: &str,
        samples: impl IntoIterator<Item = ([(&'a str, &'a str); N], V)>,
    ) -> fmt::Result {
        let mut family = self.begin(name, help, MetricType::Gauge)?;
        samples.into_iter().try_for_each(|(labels, value)| family.encode_family(&labels)?.encode_gauge(&value))
    }

    /// A counter family.
    pub(super) fn counters<'a, const N: usize>(
        &mut self,
        name: &str,
        help: &str,
        samples: impl IntoIterator<Item = ([(&'a str, &'a str); N], u64)>,
    ) -> fmt::Result {
        let mut family = self.begin(name, help, MetricType::Counter)?;
        samples.into_iter().try_for_each(|(labels, count)| write_counter(&mut family, &labels, count))
    }

    /// A counter family in seconds.
    pub(super) fn seconds<'a, const N: usize>(
        &mut self,
        name: &str,
        help: &str,
        samples_ms: impl IntoIterator<Item = ([(&'a str, &'a str); N], u64)>,
    ) -> fmt::Result {
        let mut family = self.begin(name, help, MetricType::Counter)?;
        samples_ms.into_iter().try_for_each(|(labels, ms)| {
            family.encode_family(&labels)?.encode_counter::<NoLabelSet, _, u64>(&(ms as f64 / 1000.0), None)
        })
    }

    /// Begins a family.
    pub(super) fn begin<'s>(
        &'s mut self,
        name: &'s str,
        help: &str,
        kind: MetricType,
    ) -> Result<MetricEncoder<'s>, fmt::Error> {
        // The encoder takes the unit apart from the name.
        match (name.strip_suffix("_seconds"), name.strip_suffix("_bytes")) {
            (Some(base_name), _) => self.0.encode_descriptor(base_name, help, Some(&Unit::Seconds), kind),
            (_, Some(base_name)) => self.0.encode_descriptor(base_name, help, Some(&Unit::Bytes), kind),
            _ => self.0.encode_descriptor(name, help, None, kind),
        }
    }
}

/// One counter of a family.
pub(super) fn write_counter<const N: usize>(
    family: &mut MetricEncoder<'_>,
    labels: &[(&str, &str); N],
    count: u64,
) -> fmt::Result {
    if N == 0 {
        return family.encode_counter::<NoLabelSet, _, u64>(&count, None);
    }
    family.encode_family(labels)?.encode_counter::<NoLabelSet, _, u64>(&count, None)
}
