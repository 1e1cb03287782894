"""pass@k: completions run against unit tests in a sandbox, scored and reported."""
