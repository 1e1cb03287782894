"""What is suggested: the request, the rules, the confidence, and why something is shown or not."""
