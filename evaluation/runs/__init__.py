"""What every evaluation run shares: its folder, journals, input files, statistics, processes."""
