"""The server's end of its processes: the worker is started, watched, ended, and started again.

``supervisor`` decides, ``host`` runs the process, ``watchdog`` notices that it does not answer;
``indexing`` runs another one that indexes the workspace.
"""
