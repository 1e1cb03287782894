"""Deduplication: documents that are equal up to white space, and near duplicates."""
