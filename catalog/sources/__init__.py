"""Where bytes arrive. A source hands them to `ingest` as they are and passes on its answer."""
