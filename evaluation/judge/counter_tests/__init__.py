"""Counter-tests: what a test expects, and the test rewritten to expect something else."""
