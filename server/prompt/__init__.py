"""From a document and a cursor to the ids a model reads: the window, and its layout."""
