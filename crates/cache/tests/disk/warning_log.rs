//! Captures the warnings of the whole process, so that a test can count them.

use std::fmt::Write;
use std::path::Path;
use std::sync::{Mutex, Once, PoisonError};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

static WARNINGS: Mutex<Vec<String>> = Mutex::new(Vec::new());
static LISTENING: Once = Once::new();

struct WarningCollector;

impl Subscriber for WarningCollector {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= Level::WARN
    }
    fn new_span(&self, _span: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }
    fn record(&self, _span: &Id, _values: &Record<'_>) {}
    fn record_follows_from(&self, _span: &Id, _follows: &Id) {}
    fn event(&self, event: &Event<'_>) {
        let mut caller = EventText(String::new());
        event.record(&mut caller);
        WARNINGS.lock().unwrap_or_else(PoisonError::into_inner).push(caller.0);
    }
    fn enter(&self, _span: &Id) {}
    fn exit(&self, _span: &Id) {}
}

struct EventText(String);

impl Visit for EventText {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        write!(self.0, "{field}={value:?} ").expect("a text takes everything");
    }
}

/// Starts capturing.
pub(crate) fn listen() {
    LISTENING.call_once(|| tracing::subscriber::set_global_default(WarningCollector).expect("no subscriber is set"));
}

/// Warnings that mention a directory.
pub(crate) fn warnings_for(dir: &Path) -> Vec<String> {
    let dir = dir.display().to_string();
    let warnings = WARNINGS.lock().unwrap_or_else(PoisonError::into_inner);
    warnings.iter().filter(|caller| caller.contains(&dir)).cloned().collect()
}
