"""What runs within the sandbox: standard library only, started by ``evaluation.judge.sandbox``."""
