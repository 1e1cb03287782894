"""The network: GPT-2, its configuration, and attention that keeps to one document at a time.

The package itself imports nothing, so that reading a config does not load torch.
"""
