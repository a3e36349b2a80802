"""The example add-on. Only `kodi_host` knows Kodi."""
