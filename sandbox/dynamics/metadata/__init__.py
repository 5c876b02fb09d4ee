"""Definitions of tables, columns, keys and relationships: read, written, and as CSDL."""
