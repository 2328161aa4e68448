"""Where questions arrive over HTTP, and the problem documents that every refusal is."""
