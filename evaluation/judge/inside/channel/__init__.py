"""What crosses between the sandbox's processes: frames of JSON, messages, plain values."""
