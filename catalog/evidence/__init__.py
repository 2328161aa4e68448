"""Proof that the log is what it was: the Merkle tree over it and what each of its leaves commits to."""
