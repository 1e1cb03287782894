"""What every room builds on and no room owns: errors, atomic files, configs, progress, charts.

No machine learning: nothing here imports another room of the project, or a library of models.
"""
