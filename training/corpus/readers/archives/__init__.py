"""Archives: wheels and sdists, read member by member within limits."""
