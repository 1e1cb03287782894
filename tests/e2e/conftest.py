"""Stands here so that the tests of all editors find ``scripted``, the model that they share."""
