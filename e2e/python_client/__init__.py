"""Tests of the Python client: its embedded cache, its importers, and its calls of the built program."""
