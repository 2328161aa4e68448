"""Every SQL statement of the catalog, for SQLite and PostgreSQL alike."""
