"""What the corpus and the evaluation both need to know of benchmarks."""
