"""Problem sets from a package, a file or the Hub, checked and converted to one form."""
