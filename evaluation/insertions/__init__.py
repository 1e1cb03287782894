"""Suggestions inserted into real files and judged there: do they fit?"""
