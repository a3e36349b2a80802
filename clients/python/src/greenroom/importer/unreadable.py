"""What an importer cannot read."""


class Unreadable(Exception):
    """Data that is not read, with the reason in a few words."""
