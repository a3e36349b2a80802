"""The backend of a running Greenroom: its caches for apps, over TCP or a Unix socket."""

from .backend import RemoteBackend

__all__ = ["RemoteBackend"]
