"""Settings of the add-on, within their bounds."""

from __future__ import annotations

from typing import NamedTuple

from .host import Host

HOUR_S = 3600
MINUTE_S = 60


class Settings(NamedTuple):
    """The settings. Lifetimes are in seconds."""

    api_url: str
    api_token: str
    through_greenroom: bool
    disable_cache: bool
    projects_ttl_s: int
    project_ttl_s: int
    episode_ttl_s: int
    resume_ttl_s: int
    enable_prefetch: bool
    prefetch_project_count: int
    prefetch_picture_count: int
    log_performance: bool

    @property
    def stores(self) -> bool:
        """Whether this add-on has a cache of its own."""
        return not (self.disable_cache or self.through_greenroom)

    @property
    def prefetches(self) -> bool:
        """Whether this add-on prefetches: without a cache there is nowhere to keep it."""
        return self.enable_prefetch and self.stores


def read_settings(host: Host) -> Settings:
    """Return the settings; what is no number is the default, and what is out of bounds the bound."""

    def flag(name: str) -> bool:
        return host.setting(name) == "true"

    def number(name: str, default: int, least: int, most: int) -> int:
        try:
            return min(max(int(host.setting(name)), least), most)
        except ValueError:
            return default

    return Settings(
        api_url=host.setting("api_url").strip(),
        api_token=host.setting("api_token").strip(),
        through_greenroom=flag("through_greenroom"),
        disable_cache=flag("disable_cache"),
        projects_ttl_s=number("projects_cache_hours", 12, 1, 168) * HOUR_S,
        project_ttl_s=number("project_cache_hours", 8, 1, 168) * HOUR_S,
        episode_ttl_s=number("episodes_cache_hours", 72, 1, 168) * HOUR_S,
        resume_ttl_s=number("resume_cache_minutes", 5, 1, 60) * MINUTE_S,
        enable_prefetch=flag("enable_prefetch"),
        prefetch_project_count=number("prefetch_project_count", 5, 0, 20),
        prefetch_picture_count=number("prefetch_picture_count", 10, 0, 50),
        log_performance=flag("enable_performance_logging"),
    )
