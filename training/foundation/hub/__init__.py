"""The Hugging Face Hub, as far as everything may use it: files by name, for reading."""
