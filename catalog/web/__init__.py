"""Pages for people. They work offline: nothing in them comes from elsewhere."""
