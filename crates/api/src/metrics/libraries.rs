//! Metrics of each library.

use std::fmt;

use crate::metrics::encoder::MetricsEncoder;
use greenroom_sync::index::{LibraryReport, LibraryState};

impl MetricsEncoder<'_> {
    pub(super) fn libraries(&mut self, libraries: &[LibraryReport]) -> fmt::Result {
        let items = libraries.iter().flat_map(|library| {
            let labels = |kind| [("library", library.id.as_str()), ("kind", kind)];
            library.items.iter().map(move |(kind, count)| (labels(*kind), *count))
        });
        self.gauges("library_items", "Items of the newest snapshot, by kind", items)?;
        let generations = || {
            libraries
                .iter()
                .filter_map(|library| Some(([("library", library.id.as_str())], library.generation.as_ref()?)))
        };
        let ages = generations().map(|(labels, generation)| (labels, generation.age_s));
        self.gauges("library_generation_age_seconds", "Time since the server confirmed the newest snapshot", ages)?;
        let bytes = generations().map(|(labels, generation)| (labels, generation.memory_bytes));
        self.gauges("library_bytes", "Memory of the newest snapshot", bytes)?;
        let states = libraries.iter().flat_map(|library| {
            LibraryState::EVERY.map(|state| {
                let labels = [("library", library.id.as_str()), ("state", state.name())];
                (labels, u64::from(library.state == state.name()))
            })
        });
        self.gauges("library_state", "State of the library index: 1 for the current state", states)?;
        self.counters(
            "library_build_requests",
            "Requests to the server for building and updating the library index",
            libraries.iter().map(|library| ([("library", library.id.as_str())], library.cost.requests)),
        )?;
        let outcomes = libraries.iter().flat_map(|library| {
            let labels = |outcome| [("library", library.id.as_str()), ("outcome", outcome)];
            library.builds.iter().map(move |(outcome, count)| (labels(*outcome), *count))
        });
        self.counters("library_builds", "Library index builds, by outcome", outcomes)
    }
}
