//! Settings of tracing.

use greenroom_dialect::credential::Secret;

use super::section::Section;
use super::source::ConfigSource;
use crate::TargetUrl;

/// A trace collector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TracingSettings {
    /// Its URL; `/v1/traces` is added.
    pub address: TargetUrl,
    /// Token to authenticate with.
    pub token: Option<Secret>,
    /// One request in this many is traced.
    pub sample_one_in: u64,
}

impl TracingSettings {
    /// Reads the settings; `None` without a collector.
    pub(super) fn read(tree: &mut ConfigSource) -> Option<Self> {
        let mut own = Section::new(tree, "tracing");
        let sample_one_in = own.number("sample_one_in", 1..=1_000_000, 10);
        let token = own.token("token");
        let leaf = tree.take("tracing.otlp_url")?;
        match TargetUrl::parse(&leaf.text) {
            Ok(address) if !address.target.expose().contains('?') => Some(Self { address, token, sample_one_in }),
            Ok(_) => {
                tree.problem(leaf.place, "tracing.otlp_url: it has no query; /v1/traces is added".into());
                None
            }
            Err(why) => {
                tree.problem(leaf.place, format!("tracing.otlp_url: {why}"));
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Settings;
    use super::*;

    fn read(said: &str) -> Result<Option<TracingSettings>, String> {
        let home = "[[server]]\nname = \"home\"\nkind = \"plex\"\nurl = \"http://192.168.1.10:32400\"\n";
        let mut tree = ConfigSource::default();
        tree.add_toml("g.toml", &format!("{home}[tracing]\n{said}"));
        Settings::read(tree).map(|settings| settings.tracing).map_err(|problems| problems[0].to_string())
    }

    #[test]
    fn there_are_no_traces_unless_somebody_says_where_to() {
        assert_eq!(read(""), Ok(None));
        let tracing = read("otlp_url = \"http://127.0.0.1:4318\"\nsample_one_in = 3\n").expect("valid").expect("on");
        assert_eq!((tracing.address.endpoint.url().as_str(), tracing.sample_one_in), ("http://127.0.0.1:4318", 3));
        assert!(read("otlp_url = \"127.0.0.1:4318\"\n").is_err());
        assert!(read("otlp_url = \"http://127.0.0.1:4318/?a=b\"\n").is_err());
        assert!(read("otlp_url = \"http://127.0.0.1:4318\"\nsample_one_in = 0\n").is_err());
    }
}
