"""The server's end of the worker's process: started, watched, ended, and started again.

``supervisor`` decides, ``host`` runs the process, ``watchdog`` notices that it does not answer.
"""
