//! The place where a server was configured, which determines the wording of advice on it.

/// End of the variable that sets a server's URL.
const URL_VARIABLE_END: &str = "_URL";

/// The place where a server was configured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConfigPlace<'a> {
    /// By an option: `--plex`, `--jellyfin`.
    Option(&'a str),
    /// By variables with this start: `GREENROOM_SERVER_HOME`.
    Variables(&'a str),
    /// In a file.
    File,
}

impl<'a> ConfigPlace<'a> {
    /// From the place of the server's URL: `--plex`, `GREENROOM_SERVER_HOME_URL`, `greenroom.toml:12:8`.
    pub fn parse(url_place: &'a str) -> Self {
        match url_place.strip_suffix(URL_VARIABLE_END) {
            _ if url_place.starts_with("--") => Self::Option(url_place),
            Some(start) => Self::Variables(start),
            None => Self::File,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_of_an_address_tells_how_the_server_was_configured() {
        assert_eq!(ConfigPlace::parse("--plex"), ConfigPlace::Option("--plex"));
        assert_eq!(ConfigPlace::parse("GREENROOM_SERVER_A_URL"), ConfigPlace::Variables("GREENROOM_SERVER_A"));
        assert_eq!(ConfigPlace::parse("greenroom.toml:12:8"), ConfigPlace::File);
    }
}
