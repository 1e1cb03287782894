"""The client's end of the pipes: messages by their headers, and whether the client still runs."""
