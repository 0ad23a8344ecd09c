"""What the trainer and the viewer must do alike: images in and out, samplers, sheets, errors, files. No torch."""
