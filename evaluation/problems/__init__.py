"""Problem sets, from a package, a file or the Hub, checked and brought into one form."""
