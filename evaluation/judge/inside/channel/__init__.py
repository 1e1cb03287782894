"""What crosses between the sandbox's processes: framed JSON, and plain values as JSON."""
