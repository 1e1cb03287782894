"""What a training run leaves in its folder, and finds there when it goes on."""
