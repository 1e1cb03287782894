"""Licences: their names and texts, what a policy allows, and the NOTICE that attributes code."""
