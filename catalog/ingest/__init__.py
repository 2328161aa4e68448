"""What a record means: bytes become an event, an event becomes changes, changes are kept."""
