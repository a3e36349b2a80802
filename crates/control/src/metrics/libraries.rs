//! Metrics of each library.

use std::fmt;

use prometheus_client::metrics::MetricType;

use crate::metrics::encoder::MetricsEncoder;
use greenroom_sync::index::{LibraryReport, LibraryState};

impl MetricsEncoder<'_> {
    pub(super) fn libraries(&mut self, libraries: &[LibraryReport]) -> fmt::Result {
        let mut family = self.begin("library_items", "Items of the newest snapshot, by kind", MetricType::Gauge)?;
        for library in libraries {
            for (kind, count) in &library.items {
                let labels = [("library", library.id.as_str()), ("kind", *kind)];
                family.encode_family(&labels)?.encode_gauge(count)?;
            }
        }
        let help = "How long ago the server confirmed the newest snapshot";
        let mut family = self.begin("library_generation_age_seconds", help, MetricType::Gauge)?;
        for library in libraries {
            if let Some(generation) = &library.generation {
                let labels = [("library", library.id.as_str())];
                family.encode_family(&labels)?.encode_gauge(&generation.age_s)?;
            }
        }
        let mut family = self.begin("library_bytes", "Memory that the newest snapshot takes", MetricType::Gauge)?;
        for library in libraries {
            if let Some(generation) = &library.generation {
                let labels = [("library", library.id.as_str())];
                family.encode_family(&labels)?.encode_gauge(&generation.memory_bytes)?;
            }
        }
        let help = "How the library does: 1 for the state it is in";
        let mut family = self.begin("library_state", help, MetricType::Gauge)?;
        for library in libraries {
            for state in LibraryState::EVERY {
                let labels = [("library", library.id.as_str()), ("state", state.name())];
                family.encode_family(&labels)?.encode_gauge(&u64::from(library.state == state.name()))?;
            }
        }
        self.counters(
            "library_build_requests",
            "Requests that building and following a library took",
            libraries.iter().map(|library| ([("library", library.id.as_str())], library.cost.requests)),
        )?;
        let outcomes = libraries.iter().flat_map(|library| {
            let labels = |outcome| [("library", library.id.as_str()), ("outcome", outcome)];
            library.builds.iter().map(move |(outcome, count)| (labels(*outcome), *count))
        });
        self.counters("library_builds", "Builds, by outcome", outcomes)
    }
}
