//! The two Prometheus text formats, and content negotiation between them.

/// A metrics format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MetricsFormat {
    /// OpenMetrics 1.0.
    OpenMetrics,
    /// Prometheus text format 0.0.4.
    Classic,
}

impl MetricsFormat {
    /// The format for this `Accept` header; OpenMetrics by default.
    pub(super) fn negotiate(accept: Option<&str>) -> Self {
        let quality = |name: &str| accept.and_then(|accept| weight_of(accept, name)).unwrap_or(0.0);
        if quality("text/plain") > quality("application/openmetrics-text") { Self::Classic } else { Self::OpenMetrics }
    }

    /// The media type.
    pub(super) fn media_type(self) -> &'static str {
        match self {
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Classic => "text/plain; version=0.0.4; charset=utf-8",
        }
    }
}

/// The quality value of a media type, if it is named.
fn weight_of(accept: &str, name: &str) -> Option<f32> {
    let media_types = accept.split(',').map(|media_type| media_type.split(';').map(str::trim));
    media_types
        .filter_map(|mut parts| {
            let is_match = parts.next()?.eq_ignore_ascii_case(name);
            let weight = parts.find_map(|part| part.strip_prefix("q=")?.parse().ok());
            is_match.then_some(weight.unwrap_or(1.0))
        })
        .reduce(f32::max)
}

/// Converts to the older format: counters are named with `_total`, an info is a gauge, units and the end marker are
/// dropped.
pub(crate) fn classic(open_metrics: &str) -> String {
    let mut text = String::with_capacity(open_metrics.len());
    let mut help = None;
    for line in open_metrics.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            help = rest.split_once(' ');
        } else if let Some((name, kind)) = line.strip_prefix("# TYPE ").and_then(|rest| rest.split_once(' ')) {
            let (suffix, kind) = match kind {
                "counter" => ("_total", "counter"),
                "info" => ("_info", "gauge"),
                other => ("", other),
            };
            if let Some((_, help)) = help.take().filter(|(family, _)| *family == name) {
                text.extend(["# HELP ", name, suffix, " ", help, "\n"]);
            }
            text.extend(["# TYPE ", name, suffix, " ", kind, "\n"]);
        } else if !line.starts_with('#') {
            text += line;
            text.push('\n');
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_older_format_is_negotiated_by_accept() {
        for (accept, format) in [
            (None, MetricsFormat::OpenMetrics),
            (Some("*/*"), MetricsFormat::OpenMetrics),
            (Some("text/plain"), MetricsFormat::Classic),
            (Some("text/plain;version=0.0.4;q=0.9, */*;q=0.1"), MetricsFormat::Classic),
            (
                Some("application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.1"),
                MetricsFormat::OpenMetrics,
            ),
            (Some("application/openmetrics-text;q=0.1, Text/Plain"), MetricsFormat::Classic),
            (Some("text/html,*/*;q=0.8"), MetricsFormat::OpenMetrics),
        ] {
            assert_eq!(MetricsFormat::negotiate(accept), format, "{accept:?}");
        }
    }

    #[test]
    fn the_older_format_adds_suffixes_to_counters_and_infos() {
        let open = "# HELP g_asked Asked.\n# TYPE g_asked counter\ng_asked_total{a=\"b\"} 1\n\
                    # HELP g_build The program.\n# TYPE g_build info\ng_build_info{version=\"1\"} 1\n\
                    # HELP g_kept_bytes Kept.\n# TYPE g_kept_bytes gauge\n# UNIT g_kept_bytes bytes\ng_kept_bytes 2\n# EOF\n";
        let expected = "# HELP g_asked_total Asked.\n# TYPE g_asked_total counter\ng_asked_total{a=\"b\"} 1\n\
                      # HELP g_build_info The program.\n# TYPE g_build_info gauge\ng_build_info{version=\"1\"} 1\n\
                      # HELP g_kept_bytes Kept.\n# TYPE g_kept_bytes gauge\ng_kept_bytes 2\n";
        assert_eq!(classic(open), expected);
    }
}
