"""Judges what an adaptation brought: bits a byte, exact match and saved characters, paired."""
