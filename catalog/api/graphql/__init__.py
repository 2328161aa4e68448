"""The graph as GraphQL: thin types over what the store reads, loaded in batches within one snapshot."""
