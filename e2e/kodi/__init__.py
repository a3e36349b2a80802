"""The Kodi add-ons: their logic without Kodi, and both in a real Kodi."""
