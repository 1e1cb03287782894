"""How a program's process is confined: namespaces, Landlock rules, filters of system calls."""
