"""What every package builds on: errors, atomic files, configs, progress bars, charts, workers.

No machine learning: nothing here imports another package of the project or a model library.
"""
