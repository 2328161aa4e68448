"""What the graph and the log hold, as frozen rows: one module for each kind of thing that is asked for.

Functions that take ids take any number of them and ask one statement. Datasets are known by the id of the name they
are shown under; what was said under another of their names is theirs all the same.
"""
