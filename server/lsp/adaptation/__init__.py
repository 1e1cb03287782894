"""Adapting the model to the workspace, from an editor: commands, menus, progress, the switch.

``adaptation_commands`` has what users can ask for, ``adaptation_menus`` what they read and choose
from, and ``adaptation_watch`` follows a run that a process of its own does and switches the model
when it brought a better one. The texts of both editors come from here; the work itself is
:mod:`server.adaptation`'s.
"""
