"""Back ends that generate text: the model on this machine, or a remote server."""
