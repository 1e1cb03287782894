"""How well known packages are: stars on GitHub and downloads from PyPI, for the quality rules.

Fills the table that ``quality.table`` names. Nothing else of this project needs it, and a corpus is
built without a network.
"""
