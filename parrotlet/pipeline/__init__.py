"""Runs the project's commands one after the other, each in a process of its own.

What a stage has finished is kept, so that a pipeline that was interrupted goes on with the next.
"""
