"""Importers of other stores' files. Sources are copied and never written; nothing in them is executed."""
